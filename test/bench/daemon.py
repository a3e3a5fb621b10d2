#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a mesh of 500 hosts costs one host's sennitd, with a real charon.

    test/bench/daemon.py [--build DIR] [--hosts 500] [--containers 10,100] [--plan subnets,flat]
                         [--idle 60]

Prints a table, and fails when a figure is over its bound. CPU is what the daemon used,
without what it uses at rest in that time; only first plans and turns are times of the clock. Runs in a network namespace of its own, as root. The peers do not answer. The kernel may be
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

from metadata import Server, get, host_id, mesh, until

CLONE_NEWNET = 0x40000000
CHANGES = 7


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


class Table:
    """Lines of figures; those over their bound are marked, and counted."""

    def __init__(self) -> None:
        self.over = 0

    def line(self, what: str, value: float, unit: str, bound: float | None = None) -> None:
        is_over = bound is not None and value > bound
        self.over += is_over
        print(f"  {what:44} {value:10.1f} {unit:5}"
              + (f" <= {bound:g}{'   OVER' if is_over else ''}" if bound is not None else ""),
              flush=True)


def cost(daemon: Daemon, times: int, work: Any) -> float:
    """CPU milliseconds of each of these, by what the daemon used meanwhile."""
    before = daemon.figures()
    for _ in range(times):
        work()
    return float(daemon.figures()["cpu_ms"] - before["cpu_ms"]) / times


def idle(daemon: Daemon, seconds: float) -> float:
    """CPU milliseconds a second."""
    before = daemon.figures()
    time.sleep(seconds)
    after = daemon.figures()
    took = (after["since_start_ms"] - before["since_start_ms"]) / 1000
    return float(after["cpu_ms"] - before["cpu_ms"]) / took


def measure(daemon: Daemon, server: Server, hosts: int, containers: int, flat: bool,
            seconds: float, table: Table) -> None:
    each = 5 + containers + 1 if flat else 3  # links, sysctls, keys, connections, routes
    first = daemon.wait_settled((hosts - 1) * each)
    table.line("first plan applied", first["since_start_ms"], "ms")
    table.line("its CPU", first["cpu_ms"], "ms")
    time.sleep(2)  # what was started beside it ends
    rate = idle(daemon, seconds)
    table.line("idle, CPU a second", rate, "ms")
    for name, work in (("/metrics", lambda: get("http://127.0.0.1:8111/metrics")),
                       ("/v1/status", lambda: get("http://127.0.0.1:8111/v1/status"))):
        table.line(f"{name}, CPU", cost(daemon, 10, work), "ms")
    costs = []
    for i in range(CHANGES):
        before = daemon.figures()
        server.change(mesh(hosts, containers, flat, "first", i + 1))
        after = daemon.wait_settled(before["changes"] + 2 * flat)
        took = (after["since_start_ms"] - before["since_start_ms"]) / 1000
        costs.append(after["cpu_ms"] - before["cpu_ms"] - rate * took)
    # the first stores the snapshot beside it, which is done in one part of the time in a hundred
    table.line(f"one container's change, CPU, least of {CHANGES}", min(costs), "ms", 5)
    table.line("their median", sorted(costs)[len(costs) // 2], "ms")
    table.line("the dearest of them", max(costs), "ms")
    last = daemon.figures()
    table.line("memory (RSS)", last["rss_kb"] / 1024, "MB", 20 if containers <= 10 else 40)
    table.line("its peak", last["peak_kb"] / 1024, "MB")
    table.line("slowest turn of the loop", last["slowest_turn_ms"], "ms", 20)


def run(build: Path, hosts: int, containers: int, plan: str, seconds: float,
        table: Table) -> None:
    print(f"--- {hosts} hosts x {containers} containers, {plan}", flush=True)
    flat = plan == "flat"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "mesh.json"
        path.write_text(json.dumps(mesh(hosts, containers, flat, "first")))
        server = Server(build, path)
        daemon = Daemon(build, folder, server.url, plan)
        try:
            measure(daemon, server, hosts, containers, flat, seconds, table)
        finally:
            daemon.stop()
            server.stop()


def alone(work: Any) -> int:
    """Does it in a process and a namespace of its own; how many figures were over."""
    child = os.fork()
    if child == 0:
        table = Table()
        try:
            enter_namespace()
            work(table)
        except SystemExit as e:
            print(e, flush=True)
            table.over += 1
        os._exit(table.over)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    root = Path(__file__).resolve().parents[2]
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--build", type=Path, default=root / "build")
    args.add_argument("--hosts", type=int, default=500)
    args.add_argument("--containers", default="10,100")
    args.add_argument("--plan", default="subnets,flat")
    args.add_argument("--idle", type=float, default=60, help="seconds of rest")
    options = args.parse_args()
    over = 0
    for plan in options.plan.split(","):
        for n in options.containers.split(","):
            over += alone(lambda table: run(options.build, options.hosts, int(n), plan,
                                            options.idle, table))
    raise SystemExit(f"{over} figures over their bounds" if over else 0)


if __name__ == "__main__":
    main()
