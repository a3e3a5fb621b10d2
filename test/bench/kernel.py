#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the xfrm data plane costs a real kernel, beside the same made by hand.

    test/bench/kernel.py [--build DIR] [--only packets|objects] [--peers 1000]
                         [--limit SECONDS]

packets: instructions of a 64-byte packet from a container through ESP (AES-GCM) to the
underlay's device, by the emulator's counter, at 1, 100 and 1000 peers: sennit's objects, the same
by ip(8) and nft(8), and sennit's without the guard's tables. SAs and policies are ip(8)'s in both.
objects: 1000 peers and 50,000 routes from nothing, guard included, and one changed route.

Prints a table, and exits 1 when a figure is over its bound. Boots test/vm/run: minutes.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKETS, ROUNDS = 2000, 4
ROUTES = 50
KEY = "0x" + "5a" * 20
SELF = "10.255.0.0/24"
MAC = "02:00:00:00:00:02"

over = 0


def line(what: str, value: float, unit: str, bound: float | None = None) -> None:
    global over
    is_over = bound is not None and value > bound
    over += is_over
    print(f"  {what:52} {value:12.3f} {unit:6}"
          + (f" <= {bound:g}{'   OVER' if is_over else ''}" if bound is not None else ""),
          flush=True)


def snapshot(peers: int, routes: int, moved: bool = False) -> dict[str, Any]:
    """Peer i has the first addresses of 10.X.Y.0/24; moved: peer 1's last is peer 2's."""
    hosts = [{"id": "self", "name": "self", "state": "active", "addresses": ["192.0.2.1"],
              "prefixes": [SELF]}]
    for i in range(1, peers + 1):
        prefixes = [f"10.{i >> 8}.{i & 255}.{k}/32" for k in range(1, routes + 1)]
        if moved and i == 1:
            del prefixes[-1]
        if moved and i == 2:
            prefixes.insert(0, f"10.0.1.{routes}/32")
        hosts.append({"id": f"p{i:04}", "name": f"p{i}", "state": "active",
                      "addresses": [underlay(i)], "prefixes": prefixes})
    return {"sennit_snapshot": 1, "mesh": "m1", "name": "bench", "self": "self", "revision": "1",
            "source": "file:///mesh.json", "overlay": "10.0.0.0/8", "hosts": hosts}


def underlay(i: int) -> str:
    return f"198.18.{i >> 8}.{i & 255}"


# --- in the guest ------------------------------------------------------------------


def sh(*argv: Any, text: str | None = None) -> str:
    done = subprocess.run([str(a) for a in argv], input=text, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{argv}: {done.stderr[-2000:]}{done.stdout[-500:]}")
    return done.stdout


class Host:
    """A namespace that is a host, with an underlay that swallows all, and its container."""

    def __init__(self, name: str, build: Path, folder: Path) -> None:
        self.name, self.build, self.folder = name, build, folder
        sh("ip", "netns", "add", name)
        self.ip("link set lo up", "link add up0 type dummy", "link set up0 up",
                "address add 192.0.2.1/24 dev up0", "route add default dev up0")

    def run(self, *argv: Any, text: str | None = None) -> str:
        return sh("ip", "netns", "exec", self.name, *argv, text=text)

    def ip(self, *lines: str) -> None:
        sh("ip", "-n", self.name, "-batch", "-", text="\n".join(lines) + "\n")

    def by_sennit(self, first: Path, after: Path | None = None) -> dict[str, Any]:
        out = self.run(self.build / "test/bench/kernel-bench", first, "apply",
                       *([after] if after else []))
        return dict(json.loads(out))

    def trace_change(self, first: Path, after: Path, to: Path) -> None:
        """Of the system calls of the many objects before none is looked at: it would take hours."""
        bench = subprocess.Popen(["ip", "netns", "exec", self.name,
                                  self.build / "test/bench/kernel-bench", first, "apply", after,
                                  "stop"], stdout=subprocess.DEVNULL)
        os.waitid(os.P_PID, bench.pid, os.WSTOPPED)
        with subprocess.Popen(["strace", "-o", to, "-p", str(bench.pid)],
                              stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr and "attached" in strace.stderr.readline()
            bench.send_signal(signal.SIGCONT)
            strace.stderr.read()
        if bench.wait():
            raise SystemExit(f"kernel-bench: status {bench.returncode}")

    def by_hand(self, first: Path) -> tuple[float, float]:
        """Seconds of the clock, and of CPU."""
        sh(self.build / "test/bench/kernel-bench", first, "print", self.folder)
        commands = (("nft", "-f", "tables.nft"), ("ip", "-batch", "ip.batch"),
                    ("sysctl", "-q", "-p", "sysctl.conf"))
        start, before = time.monotonic(), os.times()
        for name, *rest, file in commands:
            self.run(name, *rest, self.folder / file)
        after = os.times()
        cpu = after.children_user + after.children_system \
            - before.children_user - before.children_system
        return time.monotonic() - start, cpu

    def add_tunnels(self, peers: int) -> None:
        """As charon would, with the numbers that sennit gave; both hosts have the same plan."""
        batch = self.run("cat", self.folder / "ip.batch")
        by_peer = {peer: int(number) for peer, number in
                   re.findall(r":peer:(\S+) up group \d+ type xfrm if_id (\d+)", batch)}
        lines = []
        for i in range(1, peers + 1):
            number, ends = by_peer[f"p{i:04}"], f"src 192.0.2.1 dst {underlay(i)}"
            lines += [f"xfrm state add {ends} proto esp spi {i + 4096} reqid {number} mode tunnel "
                      f"aead rfc4106(gcm(aes)) {KEY} 128 if_id {number}",
                      "xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out tmpl "
                      f"{ends} proto esp reqid {number} mode tunnel if_id {number}"]
        self.ip(*lines)

    def add_container(self) -> None:
        inside = self.name + "c"
        sh("ip", "netns", "add", inside)
        gateway = next(a["local"] for link in json.loads(sh(
            "ip", "-n", self.name, "-j", "-4", "address", "show", "dev", "snbr0"))
            for a in link["addr_info"])
        self.ip(f"link add snvbench type veth peer name eth0 address {MAC} netns {inside}",
                "link set snvbench master snbr0 up")
        sh("ip", "-n", inside, "-batch", "-", text="link set lo up\nlink set eth0 up\n"
           f"address add 10.255.0.2/24 dev eth0\nroute add default via {gateway}\n")

    def cost(self, peers: int) -> float:
        """Instructions of a packet, the least of the rounds: timers tick in the others."""
        out = sh("ip", "netns", "exec", self.name + "c", self.build / "test/bench/packets", peers,
                 PACKETS, ROUNDS)
        return min(float(x) for x in out.split())

    def sent(self) -> int:
        return int(self.run("cat", "/sys/class/net/up0/statistics/tx_packets"))

    def delete_guard(self) -> None:
        self.run("nft", "delete table inet sennit; delete table bridge sennit")

    def parts_of_guard(self, peers: int) -> None:
        """What a packet costs when one part of the tables is taken out or changed."""
        text = self.run("cat", self.folder / "tables.nft")
        no_tracking = re.sub(r"\tchain srcnat \{.*?\n\t\}\n|[^\n]*ct state [^\n]*\n", "", text,
                             flags=re.S)
        host_only = "table inet" + text.split("table inet", 1)[1].split("table bridge")[0]
        for name, tables in (("without connection tracking", no_tracking),
                             ("without the bridge's table", host_only)):
            self.run("nft", "-f", "-", text="flush ruleset\n" + tables)
            line(f"  {name}", checked_cost(self, peers), "")

    def remove(self) -> None:
        sh("ip", "netns", "del", self.name + "c")
        sh("ip", "netns", "del", self.name)


def checked_cost(host: Host, peers: int) -> float:
    host.cost(peers)  # neighbours, routes' caches, connection tracking
    before = host.sent()
    cost = host.cost(peers)
    if host.sent() - before < PACKETS * ROUNDS:
        raise SystemExit(f"{host.name}: only {host.sent() - before} packets left")
    return cost


def guest_packets(build: Path, folder: Path, most: int) -> None:
    for peers in (n for n in (1, 100, 1000) if n <= most):
        print(f"--- instructions a packet, {peers} peers", flush=True)
        first = folder / "first.json"
        first.write_text(json.dumps(snapshot(peers, 1)))
        sennit, hand = Host("s", build, folder), Host("h", build, folder)
        sennit.by_sennit(first)
        hand.by_hand(first)
        for host in (sennit, hand):
            host.add_tunnels(peers)
            host.add_container()
        with_guard, by_hand = checked_cost(sennit, peers), checked_cost(hand, peers)
        hand.parts_of_guard(peers)
        sennit.delete_guard()
        without = checked_cost(sennit, peers)
        line("sennit", with_guard, "")
        line("by hand", by_hand, "")
        line("sennit without the guard's tables", without, "")
        line("sennit : by hand", with_guard / by_hand, "", 1.02)
        line("with the guard : without", with_guard / without, "", 1.15)
        sennit.remove()
        hand.remove()


def calls(trace: Path) -> list[str]:
    """The system calls between the two marks."""
    lines = trace.read_text().splitlines()
    marks = [i for i, text in enumerate(lines) if 'write(-1, "mark"' in text]
    return lines[marks[0] + 1:marks[1]]


def guest_objects(build: Path, folder: Path, most: int) -> None:
    figures: dict[int, list[str]] = {}
    for peers in (most // 10, most):
        print(f"--- {peers} peers, {peers * ROUTES} routes", flush=True)
        first, after = folder / "first.json", folder / "after.json"
        first.write_text(json.dumps(snapshot(peers, ROUTES)))
        after.write_text(json.dumps(snapshot(peers, ROUTES, moved=True)))
        hand = Host("h", build, folder)
        seconds, cpu = hand.by_hand(first)
        sh("ip", "netns", "del", "h")
        sennit = Host("s", build, folder)
        f = sennit.by_sennit(first, after)
        sh("ip", "netns", "del", "s")
        line("by hand (nft, ip -batch, sysctl)", seconds * 1000, "ms")
        line("  its CPU", cpu * 1000, "ms")
        line("sennit: look, plan, apply", f["ms"], "ms")
        line("  its CPU", f["cpu_ms"], "ms")
        line("  until a further look finds nothing to do", f["settled_ms"], "ms")
        line("sennit : by hand", f["ms"] / 1000 / seconds, "", 1.2 if peers == most else None)
        line("memory (RSS) of the bench, one snapshot", f["rss_kb"] / 1024, "MB")
        line("one moved route: what is wanted", f["follow_ms"], "ms")
        line("one moved route: on the kernel", f["change_ms"], "ms")
        traced = Host("t", build, folder)
        trace = folder / "trace"
        traced.trace_change(first, after, trace)
        sh("ip", "netns", "del", "t")
        figures[peers] = calls(trace)
        line("one moved route: system calls", len(figures[peers]), "", 10)
    line(f"system calls more at {most * ROUTES} routes than at a tenth",
         abs(len(figures[most]) - len(figures[most // 10])), "", 0)


# --- on this machine ----------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--only", choices=("packets", "objects"))
    parser.add_argument("--peers", type=int, default=1000, help="the most of them")
    parser.add_argument("--limit", type=float, default=1800,
                        help="of each of the two machines")
    parser.add_argument("--guest", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    build = args.build.resolve()
    if args.guest:
        args.guest.mkdir(exist_ok=True)
        (guest_packets if args.only == "packets" else guest_objects)(build, args.guest, args.peers)
        return 1 if over else 0
    worst = 0
    for part, more in (("packets", ["--icount"]), ("objects", [])):
        if args.only in (None, part):
            worst = max(worst, subprocess.run(
                [HERE.parent / "vm/run", "--mem", "4096", "--limit", str(args.limit), *more, "--",
                 sys.executable, __file__, "--build", build, "--only", part,
                 "--peers", str(args.peers), "--guest", "/tmp/bench"]).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
