#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a mesh of 500 hosts costs one host's sennitd, with a real charon.

    test/bench/daemon.py [--build DIR] [--hosts 500] [--containers 10,100] [--plan subnets,flat]

Runs in a network namespace of its own, as root. The peers do not answer. The kernel may be
without ESP: "flat" then has bridges in the place of XFRM interfaces (see daemon_bench.c).
"""

import argparse
import ctypes
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from metadata import Server, host_id, mesh, show, until

CLONE_NEWNET = 0x40000000
IDLE_S = 10


def enter_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise SystemExit(f"a network namespace of our own: {os.strerror(ctypes.get_errno())}")
    lines = ("link set lo up", "link add up0 type veth peer name up1", "link set up1 up",
             "link set up0 up arp off", "address add 192.0.0.1/16 dev up0",
             "route add default dev up0")
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


class Daemon:
    def __init__(self, build: Path, folder: Path, url: str, plan: str) -> None:
        self.run_dir = folder / "run"
        secret = subprocess.run([build / "src/cli/sennit", "genkey"], capture_output=True,
                                check=True).stdout
        (folder / "secret").write_bytes(secret)
        (folder / "secret").chmod(0o600)
        config = folder / "config.json"
        config.write_text(json.dumps({
            "metadata": {"url": url}, "host": {"id": host_id(0)},
            "secret_file": str(folder / "secret"), "run_dir": str(self.run_dir),
            "dataplane": "xfrm" if plan == "flat" else "libipsec",
            "state_dir": str(folder / "state"), "log": {"level": "warning"}}))
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [build / "test/bench/daemon-bench", config, *(["xfrm"] if plan == "flat" else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def figures(self) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def wait_settled(self, changes: int = 0) -> dict[str, Any]:
        """Everything is applied, and a pass found nothing more to do."""
        def look() -> Any:
            self.last = self.figures()
            f = self.last
            return f["settled"] and f["charon"] and f["changes"] >= changes and f
        try:
            return dict(until(look, "all is applied"))
        except SystemExit as e:
            raise SystemExit(f"{e}: {changes} changes, {self.last}\n"
                             f"{Path(self.log.name).read_text()[-1500:]}") from None

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)
        self.log.close()
        record = json.loads((self.run_dir / "charon.json").read_text())
        os.kill(int(record["pid"]), signal.SIGKILL)


def idle(daemon: Daemon) -> float:
    """CPU milliseconds a second."""
    before = daemon.figures()
    time.sleep(IDLE_S)
    after = daemon.figures()
    seconds = (after["since_start_ms"] - before["since_start_ms"]) / 1000
    rate = (after["cpu_ms"] - before["cpu_ms"]) / seconds
    show("idle", cpu_ms_per_s=round(rate, 2), rss_kb=after["rss_kb"],
         slowest_turn_ms=after["slowest_turn_ms"], slow_turns=after["slow_turns"])
    return rate


def run(build: Path, hosts: int, containers: int, plan: str) -> None:
    print(f"--- {hosts} hosts x {containers} containers, {plan}")
    flat = plan == "flat"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "mesh.json"
        path.write_text(json.dumps(mesh(hosts, containers, flat, "first")))
        server = Server(build, path)
        daemon = Daemon(build, folder, server.url, plan)
        each = 5 + containers + 1 if flat else 3  # links, sysctls, keys, connections, routes
        first = daemon.wait_settled((hosts - 1) * each)
        show("first plan applied", **first)
        rate = idle(daemon)
        for i in range(3):
            before = daemon.figures()
            server.change(mesh(hosts, containers, flat, "first", i + 1))
            after = daemon.wait_settled(before["changes"] + 2 * flat)
            seconds = (after["since_start_ms"] - before["since_start_ms"]) / 1000
            show("one container's change", cpu_ms=round(
                after["cpu_ms"] - before["cpu_ms"] - rate * seconds, 2),
                changes=after["changes"] - before["changes"], seconds=round(seconds, 2),
                rss_kb=after["rss_kb"], peak_kb=after["peak_kb"],
                slowest_turn_ms=after["slowest_turn_ms"], slow_turns=after["slow_turns"])
        daemon.stop()
        server.stop()
        print((folder / "log").read_text()[-300:])


def main() -> None:
    root = Path(__file__).resolve().parents[2]
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--build", type=Path, default=root / "build")
    args.add_argument("--hosts", type=int, default=500)
    args.add_argument("--containers", default="10,100")
    args.add_argument("--plan", default="subnets,flat")
    options = args.parse_args()
    enter_namespace()
    for plan in options.plan.split(","):
        for n in options.containers.split(","):
            run(options.build, options.hosts, int(n), plan)


if __name__ == "__main__":
    main()
