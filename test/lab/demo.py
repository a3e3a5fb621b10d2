#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo: tools/demo builds and calls it. Each step says what happens and checks it."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from demo_shell import Shell  # noqa: E402
from sennitlab import Lab, Unmet, frames  # noqa: E402
from sennitlab.capture import now_ns  # noqa: E402
from sennitlab.classify import EXPECTED  # noqa: E402
from sennitlab.flows import Flows, Report  # noqa: E402
from sennitlab.lab import end_on_signals  # noqa: E402
from sennitlab.netns import run  # noqa: E402
from sennitlab.proc import facts  # noqa: E402

RATE = 20
DOWN_BOUND = 2.0  # seconds from the cut to `down` on every other host
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


class Wrong(Exception):
    """Something that the demo shows was not so."""


def say(text: str) -> None:
    print(f"   {text}", flush=True)


def check(good: bool, text: str) -> None:
    if not good:
        raise Wrong(text)
    say(text)


class Demo:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._number = 0
        # when losses are no fault, and of which host: (host, since, until)
        self.excused: list[tuple[str, float, float]] = []

    def step(self, text: str) -> None:
        self._number += 1
        print(f"\n{BOLD}{self._number}. {text}{PLAIN}", flush=True)

    # --- the steps

    def start(self) -> None:
        self.step("Three hosts, each a network namespace, on one underlay")
        for host in self.lab.hosts.values():
            say(f"{host.id}: underlay {host.address}, containers in {host.prefix}")
        say("a metadata service (192.0.2.250) tells them of each other; tcpdump listens between")
        self.step("One sennitd on each; each starts its own charon and builds tunnels")
        took = self.lab.start(attach=False)
        say(f"all 3 pairs up {took:.1f} s after the start of the first daemon")
        self.step("Two containers on each host join the overlay: sennit attach --netns …")
        for c in self.lab.containers.values():
            c.attach()
            say(f"{c.name} on {c.host.id}: {c.ip}")

    def traffic(self) -> Flows:
        self.step("Every container reaches every other")
        flows = self.lab.flows(rate=RATE)
        flows.wait_all_arrive(10)
        say(f"{len(flows.pairs)} directed pairs; from now on each sends {RATE} packets a second, "
            "numbered")
        names = sorted(self.lab.containers)
        for name in names[1:]:
            check(self.lab.c(names[0]).ping(self.lab.c(name)), f"ping {names[0]} -> {name}: answered")
        return flows

    def wire(self) -> None:
        self.step("What the wire shows")
        since = now_ns() - 2_000_000_000
        lines = run("tcpdump", "-nr", str(self.lab.capture.path), "udp port 4500",
                    check=False).stdout.splitlines()[-3:]
        for line in lines:
            say(line)
        seen = self.lab.capture.classes(since)
        check(seen["esp-in-udp"] > 0 and not set(seen) - EXPECTED,
              "in the last 2 s: " + ", ".join(f"{n} {name}" for name, n in seen.most_common()
                                              if name != "marker"))

    def silence(self, flows: Flows, name: str) -> None:
        self.step(f"{name} dies silently: the network drops all of it, no link goes down")
        others = [host for host in self.lab.hosts if host != name]
        with self.lab.watch(*others) as watch:
            cut = time.monotonic()
            self.lab.wan.cut(name)
            self.lab.wait(lambda: all(watch.of(o, name, "down", cut) for o in others), 10,
                          f"{others} say down of {name}")
            for other in others:
                change = watch.of(other, name, "down", cut)[0]
                say(f"after {change.time - cut:.2f} s {change}")
            worst = max(watch.of(o, name, "down", cut)[0].time for o in others) - cut
            check(worst <= DOWN_BOUND, f"worst {worst:.2f} s, the bound is {DOWN_BOUND:g} s")
            print("\n" + self.lab[others[0]].cli("status").stdout)
            flows.wait_sent(2 * RATE, 20)
            check(not [c for c in watch.of(since=cut) if c.what != name],
                  "nobody said anything else of anybody else, all hosts call themselves healthy")
        self.step(f"{name} is back")
        heal = time.monotonic()
        self.lab.wan.heal(name)
        self.lab.wait_all_up(30)
        say(f"all pairs up again after {time.monotonic() - heal:.1f} s")
        flows.wait_all_arrive(15)
        self.excused.append((name, cut - 0.5, time.monotonic()))
        say("packets of all pairs go through again")

    def restarts(self, flows: Flows) -> None:
        self.step("Daemons end and start again; charon and the kernel carry on")
        begin = time.monotonic()
        ways: list[tuple[str, str, Callable[[], object]]] = [
            ("h1", "kill -9", self.lab["h1"].kill),
            ("h2", "SIGTERM", self.lab["h2"].stop),
            ("h3", "kill -9 of its whole process group and session", self.lab["h3"].kill_session)]
        for name, how, end in ways:
            charon = self.lab[name].charon_pid()
            end()
            flows.wait_sent(RATE, 20)
            self.lab[name].start()
            self.lab[name].wait_answers()
            check(self.lab[name].charon_pid() == charon,
                  f"sennitd of {name}: {how}, and started again; charon is still {charon}")
        self.lab.wait_all_up()
        flows.wait_sent(RATE, 20)
        report = flows.report()
        # what was sent this very moment is still on its way
        lost = report.lost(since=begin, until=time.monotonic() - 1)
        check(not lost, f"lost packets meanwhile: {len(lost)}")

    def cost(self) -> None:
        self.step("What it costs")
        for host in self.lab.hosts.values():
            pid = host.pid
            assert pid is not None
            f = facts(pid)
            say(f"sennitd of {host.id}: {f.rss_kb / 1024:.1f} MB, {f.cpu_s:.2f} s of CPU, "
                f"{f.threads} threads, {f.fds} descriptors")

    def unexcused(self, report: Report) -> list[str]:
        def is_excused(pair: tuple[str, str], when: float) -> bool:
            hosts = {self.lab.c(name).host.id for name in pair}
            # within the host itself nothing is excused
            return len(hosts) == 2 and any(host in hosts and since <= when <= until
                                           for host, since, until in self.excused)
        return [str(loss) for loss in report.lost() if not is_excused(loss.pair, loss.time)]

    def sum_up(self, flows: Flows) -> None:
        self.step("The sum")
        report = flows.stop()
        wrong = self.unexcused(report)
        check(not wrong, f"{report.count()} packets of {len(report.sent)} pairs, "
              f"{len(report.lost())} lost; of those that no cut explains: {len(wrong)} {wrong[:5]}")

    def judge_capture(self) -> None:
        self.step("The wire from before the first daemon to after the last")
        self.lab.stop_daemons()
        seen = self.lab.capture.classes()
        say(", ".join(f"{n} {name}" for name, n in seen.most_common() if name != "marker"))
        check(not set(seen) - EXPECTED, "nothing else")
        clear = self.lab.capture.clear_packets()
        check(not clear, f"packets with an overlay address in clear: {len(clear)} {clear[:1]}")
        check(self.lab.capture.plaintext() == 0, "readable payloads of the containers: 0")
        self.send_clear()
        found = self.lab.capture.clear_packets()
        check(len(found) == 1, "a clear packet, sent on purpose: the same filter finds it "
              f"(number {found[0].number if found else '?'}, {found[0].where if found else '?'})")
        self.lab.capture.stop()
        check(self.lab.capture.dropped() == 0, "packets that tcpdump missed: 0")

    def send_clear(self) -> None:
        import socket
        with self.lab["h1"].ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("eth0", 0))
            sock.send(frames.ethernet(
                frames.BROADCAST, bytes.fromhex("020000000001"), 0x0800,
                frames.ipv4("10.42.1.2", "10.42.2.2", 17, frames.udp(7000, 7000, b"in clear"))))


def main() -> int:
    once = "--once" in sys.argv[1:]
    if set(sys.argv[1:]) - {"--once"}:
        print("usage: tools/demo [--once]", file=sys.stderr)
        return 2
    end_on_signals()
    begin = time.monotonic()
    with Lab() as lab:
        missing = lab.programs.missing()
        if missing:
            print(f"not built: {missing}", file=sys.stderr)
            return 1
        demo = Demo(lab)
        try:
            demo.start()
            flows = demo.traffic()
            demo.wire()
            demo.silence(flows, "h2")
            demo.restarts(flows)
            demo.cost()
            if not once:
                Shell(lab, flows).cmdloop()
                return 0
            demo.sum_up(flows)
            demo.judge_capture()
        except (Wrong, Unmet) as e:
            print(f"\n{BOLD}NOT AS PROMISED:{PLAIN} {e}", file=sys.stderr)
            if isinstance(e, Wrong):
                print(lab.describe(), file=sys.stderr)
            if os.environ.get("SENNIT_LAB_KEEP"):
                print(f"kept: {lab.folder}", file=sys.stderr)
            return 1
    print(f"\nAll of it worked, in {time.monotonic() - begin:.0f} s.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
