#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the xfrm data plane costs a real kernel, beside the same made by hand.

    test/bench/kernel.py [--build DIR] [--only packets|objects] [--peers 1000]
                         [--limit SECONDS]

packets: instructions of a 64-byte packet from a container through ESP (AES-GCM) to the
underlay's device, and of one from there to a container's socket, by the emulator's counter, at 1,
100 and 1000 peers: sennit's objects, the same by ip(8) and nft(8), sennit's without any table,
and with masquerading and the clamp of the MSS only. SAs and policies are ip(8)'s in both.
objects: 1000 peers and 50,000 routes from nothing, guard included, and one changed route.

Prints a table, and exits 1 when a figure is over its bound. Boots test/vm/run: minutes.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKETS, ROUNDS = 2000, 4
WAYS = ("out", "in")
ROUTES = 50
KEY = "0x" + "5a" * 20
SELF = "10.255.0.0/24"
CONTAINER = "10.255.0.2"
MAC = "02:00:00:00:00:02"
WIRE_MAC = "02:00:00:00:00:aa"
ETH_ALL, ETH_IPV4, ESP = 3, b"\x08\x00", 50

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


def overlay(i: int) -> str:
    return f"10.{i >> 8}.{i & 255}.1"


# --- in the guest ------------------------------------------------------------------


def sh(*argv: Any, text: str | None = None) -> str:
    done = subprocess.run([str(a) for a in argv], input=text, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{argv}: {done.stderr[-2000:]}{done.stdout[-500:]}")
    return done.stdout


def state(source: str, target: str, spi: int, reqid: int, more: str = "") -> str:
    """An SA; without a replay window, so that a recorded packet is good again and again."""
    return (f"xfrm state add src {source} dst {target} proto esp spi {spi} reqid {reqid} "
            f"mode tunnel aead rfc4106(gcm(aes)) {KEY} 128 {more}")


def policy(way: str, source: str, target: str, reqid: int, more: str = "",
           selector: str = "src 0.0.0.0/0 dst 0.0.0.0/0") -> str:
    return (f"xfrm policy add {selector} dir {way} tmpl src {source} dst {target} proto esp "
            f"reqid {reqid} mode tunnel {more}")


def record(peers: int, to: Path) -> None:
    """In the namespace that is all peers: one packet of each, as it comes to our wire."""
    frames = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL)) as wire:
        wire.bind(("o0", ETH_ALL))
        for i in range(1, peers + 1):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                peer.bind((overlay(i), 9))
                peer.sendto(bytes(36), (CONTAINER, 9))
            while (frame := wire.recv(2000))[12:14] != ETH_IPV4:
                pass
            assert frame[14 + 9] == ESP
            frames.append(bytes.fromhex(WIRE_MAC.replace(":", "")) + frame[6:])
    assert len({len(frame) for frame in frames}) == 1
    to.write_bytes(b"".join(frames))


def frames_of_peers(peers: int, to: Path) -> None:
    lines = ["link set lo up", "link add o0 type dummy", "link set o0 up",
             "route add default dev o0"]
    for i in range(1, peers + 1):
        ends = underlay(i), "192.0.2.1"
        lines += [f"address add {overlay(i)}/32 dev lo", f"address add {ends[0]}/32 dev lo",
                  state(*ends, i + 65536, i),
                  policy("out", *ends, i, selector=f"src {overlay(i)} dst {CONTAINER}")]
    sh("ip", "netns", "add", "o")
    sh("ip", "-n", "o", "-batch", "-", text="\n".join(lines) + "\n")
    sh("ip", "netns", "exec", "o", sys.executable, __file__, "--record", to, "--peers", peers)
    sh("ip", "netns", "del", "o")


class Host:
    """A namespace that is a host, with an underlay that swallows all, and its container."""

    def __init__(self, name: str, build: Path, folder: Path) -> None:
        self.name, self.build, self.folder = name, build, folder
        sh("ip", "netns", "add", name)
        self.ip("link set lo up", "link add up0 type dummy", "link set up0 up",
                "address add 192.0.2.1/24 dev up0", "route add default dev up0",
                "tuntap add in0 mode tap", f"link set in0 address {WIRE_MAC} up")

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
            number, out = by_peer[f"p{i:04}"], ("192.0.2.1", underlay(i))
            back, only = out[::-1], f"if_id {number}"
            lines += [state(*out, i + 4096, number, only), policy("out", *out, number, only),
                      state(*back, i + 65536, number, only), policy("fwd", *back, number, only)]
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
           f"address add {CONTAINER}/24 dev eth0\nroute add default via {gateway}\n")
        # a socket that is full, else each packet would be answered by ICMP
        self.sink = subprocess.Popen(
            ["ip", "netns", "exec", inside, sys.executable, "-c", "import signal, socket\n"
             "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
             "s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)\n"
             "s.bind(('', 9))\nprint(flush=True)\nsignal.pause()"], stdout=subprocess.PIPE)
        assert self.sink.stdout and self.sink.stdout.readline()

    def cost(self, way: str, peers: int) -> float:
        """Instructions of a packet, the least of the rounds: timers tick in the others."""
        name, more = (self.name + "c", ()) if way == "out" else \
            (self.name, ("in0", self.folder / "frames"))
        out = sh("ip", "netns", "exec", name, self.build / "test/bench/packets", peers, PACKETS,
                 ROUNDS, *more)
        return min(float(x) for x in out.split())

    def passed(self, way: str) -> int:
        """Packets that left, or that came to the container's veth."""
        name = "up0" if way == "out" else "snvbench"
        return int(self.run("cat", f"/sys/class/net/{name}/statistics/tx_packets"))

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
            for way in WAYS:
                line(f"  {way}: {name}", checked_cost(self, way, peers), "")

    def without_guard(self) -> None:
        """As who does without: masquerading and the MSS are still seen to, and so all is tracked."""
        text = self.run("cat", self.folder / "tables.nft")
        masquerade, = re.findall(r"\tchain srcnat \{.*?\n\t\}\n", text, flags=re.S)
        clamp, = re.findall(r"\t\ttcp flags syn [^\n]*\n", text)
        self.run("nft", "-f", "-", text="flush ruleset\ntable inet sennit {\n" + masquerade
                 + "\tchain forward {\n\t\ttype filter hook forward priority filter;\n"
                 + clamp + "\t}\n}\n")

    def remove(self) -> None:
        self.sink.kill()
        self.sink.wait()
        sh("ip", "netns", "del", self.name + "c")
        sh("ip", "netns", "del", self.name)


def checked_cost(host: Host, way: str, peers: int) -> float:
    host.cost(way, peers)  # neighbours, routes' caches, connection tracking
    before = host.passed(way)
    cost = host.cost(way, peers)
    if host.passed(way) - before < PACKETS * ROUNDS:
        raise SystemExit(f"{host.name}: only {host.passed(way) - before} packets went {way}")
    return cost


def guest_packets(build: Path, folder: Path, most: int) -> None:
    for peers in (n for n in (1, 100, 1000) if n <= most):
        print(f"--- instructions a packet, {peers} peers", flush=True)
        first = folder / "first.json"
        first.write_text(json.dumps(snapshot(peers, 1)))
        frames_of_peers(peers, folder / "frames")
        sennit, hand = Host("s", build, folder), Host("h", build, folder)
        sennit.by_sennit(first)
        hand.by_hand(first)
        for host in (sennit, hand):
            host.add_tunnels(peers)
            host.add_container()
        with_guard, by_hand = ({way: checked_cost(host, way, peers) for way in WAYS}
                               for host in (sennit, hand))
        hand.parts_of_guard(peers)
        hand.without_guard()
        no_guard = {way: checked_cost(hand, way, peers) for way in WAYS}
        sennit.delete_guard()
        for way in WAYS:
            without = checked_cost(sennit, way, peers)
            line(f"{way}: sennit", with_guard[way], "")
            line(f"{way}: by hand", by_hand[way], "")
            line(f"{way}: sennit without any table", without, "")
            line(f"{way}: sennit : by hand", with_guard[way] / by_hand[way], "", 1.02)
            line(f"{way}: sennit without the guard, all else", no_guard[way], "")
            line(f"{way}: sennit : without the guard", with_guard[way] / no_guard[way], "", 1.15)
            line(f"{way}: sennit : without any table", with_guard[way] / without, "")
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
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.record:
        record(args.peers, args.record)
        return 0
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
