# SPDX-License-Identifier: GPL-2.0-or-later
"""Each situation of an operator, made for real: what `nc -u -z -v` says, and what sennit-probe.

Every situation has a way of its own (sennitlab/way.py), so several run at a time. The
table is printed (pytest -s); what nc says is shown, not judged."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from sennitlab import bound, ike_daemons, patient, programs
from sennitlab.netns import Namespace
from sennitlab.vici import Vici
from sennitlab.wait import PATIENCE
from sennitlab.way import ROUTER_HERE, ROUTER_HERE6, THERE, THERE6, Way

# they wait more than they work
AT_A_TIME = round(20 / PATIENCE)
NOBODY_THERE, NOBODY_HERE, NO_NET = "198.18.2.77", "198.18.1.77", "203.0.113.1"
# what holds a port: says nothing, or what it hears
SERVER = """
import socket, select, sys
def bound(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", port))
    return s
held = [bound(500), bound(4500)]
while True:
    for s in select.select(held, [], [])[0]:
        data, sender = s.recvfrom(9000)
        if sys.argv[1] == "echo":
            s.sendto(data, sender)
        elif sys.argv[1] == "hello":
            s.sendto(b"hello\\n", sender)
"""


# --- what can be done to a way


def charon(way: Way) -> None:
    ike_daemons.accept_everybody(ike_daemons.start_charon(way, way.there))


def pluto(way: Way) -> None:
    ike_daemons.start_pluto(way, way.there)


def nothing(way: Way) -> None:
    pass


def holder(how: str) -> Callable[[Way], None]:
    def make(way: Way) -> None:
        way.spawn(way.there, sys.executable, "-c", SERVER, how)
        ike_daemons.wait_listens(way.there, how)
    return make


def add_rule(ns: Namespace, chain: str, rule: str) -> None:
    ns.nft(f"table inet t {{\nchain c {{\ntype {chain};\n{rule}\n}}\n}}\n")


def filtered(which: Callable[[Way], Namespace], hook: str, rule: str,
             after: Callable[[Way], None] = charon) -> Callable[[Way], None]:
    """The rule in a chain of this hook, with `after` made before."""
    def make(way: Way) -> None:
        after(way)
        add_rule(which(way), f"filter hook {hook} priority 0", rule)
    return make


def here(way: Way) -> Namespace:
    return way.here


def router(way: Way) -> Namespace:
    return way.router


def there(way: Way) -> Namespace:
    return way.there


def nat_here(way: Way) -> None:
    charon(way)
    add_rule(way.router, "nat hook postrouting priority 100", 'oifname "b" masquerade')


def nat_there(way: Way) -> None:
    """The router's address is the host's, as seen from here."""
    charon(way)
    add_rule(way.router, "nat hook prerouting priority -100",
             f'iifname "a" udp dport {{ 500, 4500 }} dnat ip to {THERE}')


def without_route(way: Way) -> None:
    way.here.ip("route del default")


def small_way(way: Way) -> None:
    charon(way)
    way.router.ip("link set dev b mtu 1400")
    way.there.ip("link set dev eth0 mtu 1400")


def black_hole(way: Way) -> None:
    """Longer packets vanish on the way, and nobody says so."""
    charon(way)
    add_rule(way.router, "filter hook forward priority 0", "ip length > 1300 drop")


# --- situations


@dataclass
class Situation:
    name: str
    make: Callable[[Way], None]
    expected: tuple[str, str]  # results of 500 and 4500
    target: str = THERE
    words: tuple[str, ...] = ()  # all stand in what is said of 500, or of 4500 when that is silent
    options: tuple[str, ...] = ()
    check: Callable[[list[dict[str, Any]]], bool] = field(default=lambda _: True)


def both(result: str) -> tuple[str, str]:
    return result, result


def nat_is(ours: str, its: str) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda ports: all(p["nat"] == {"here": ours, "there": its} for p in ports)


def mtu_is(mtu: int, silent: bool) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda ports: all((p["path_mtu"], p["path_mtu_silent"]) == (mtu, silent) for p in ports)


REJECT = "udp dport { 500, 4500 } reject"
SITUATIONS = (
    Situation("strongSwan up", charon, both("answered"),
              words=("INVALID_MAJOR_VERSION, IKE 2.0",)),
    Situation("libreswan up", pluto, both("answered"), words=("INVALID_MAJOR_VERSION, IKE 2.0",)),
    Situation("closed port", nothing, both("refused"),
              words=("by the host itself", "nothing listens there")),
    Situation("held, silent", holder("silent"), both("no-answer"), words=("looks the same",)),
    Situation("held, echoes", holder("echo"), both("other"), words=("our own bytes",)),
    Situation("held, other answer", holder("hello"), both("other"), words=("no IKE daemon",)),
    Situation("REJECT on the host", filtered(there, "input", REJECT), both("refused"),
              words=("by the host itself", "own firewall rejects")),
    Situation("REJECT on the host, prohibited",
              filtered(there, "input", REJECT + " with icmpx type admin-prohibited"),
              both("refused"), words=("whose own firewall rejects it",)),
    Situation("REJECT on the way", filtered(router, "forward", REJECT), both("filtered"),
              words=(f"on the way by {ROUTER_HERE}",)),
    Situation("REJECT on the way, prohibited",
              filtered(router, "forward", REJECT + " with icmpx type admin-prohibited"),
              both("filtered"), words=(f"on the way by {ROUTER_HERE}", "prohibited")),
    Situation("REJECT here", filtered(here, "output", REJECT), both("not-sent"),
              words=("this host's own firewall",)),
    Situation("DROP here", filtered(here, "output", "udp dport { 500, 4500 } drop"),
              both("not-sent"), words=("this host's own firewall",)),
    Situation("DROP of 500", filtered(router, "forward", "udp dport 500 drop"),
              ("no-answer", "answered"), words=("The host is there", "UDP 500")),
    Situation("DROP of 4500", filtered(router, "forward", "udp dport 4500 drop"),
              ("answered", "no-answer"), words=("The host is there", "UDP 4500")),
    Situation("DROP of both", filtered(router, "forward", "udp dport { 500, 4500 } drop"),
              both("no-answer"), words=("looks the same",)),
    Situation("DROP of answers", filtered(router, "forward", "udp sport { 500, 4500 } drop"),
              both("no-answer"), words=("looks the same",)),
    Situation("host off, behind router", nothing, both("unreachable"), NOBODY_THERE,
              words=(f"{ROUTER_HERE} says: host unreachable",)),
    Situation("host off, on our link", nothing, both("no-neighbour"), NOBODY_HERE,
              words=("the host does not answer ARP",)),
    Situation("no route at the router", nothing, both("unreachable"), NO_NET,
              words=(f"{ROUTER_HERE} says: network unreachable",)),
    Situation("no route here", without_route, both("not-sent"), words=("no route",)),
    Situation("NAT on our side", nat_here, both("answered"), options=("--full",),
              check=nat_is("yes", "no")),
    Situation("NAT on its side", nat_there, both("answered"), ROUTER_HERE, options=("--full",),
              check=nat_is("no", "yes-or-forced")),
    Situation("no NAT", charon, both("answered"), options=("--full",), words=("IKE_SA_INIT with",),
              check=nat_is("no", "no")),
    Situation("libreswan, whole question", pluto, both("answered"), options=("--full",)),
    Situation("IPv6", charon, both("answered"), THERE6),
    Situation("IPv6, closed port", nothing, both("refused"), THERE6, words=("the host itself",)),
    Situation("IPv6, REJECT on the way", filtered(router, "forward", REJECT), both("filtered"),
              THERE6, words=(f"on the way by {ROUTER_HERE6}",)),
    Situation("path MTU 1400", small_way, both("answered"), options=("--mtu",),
              check=mtu_is(1400, False)),
    Situation("path MTU, black hole", black_hole, both("answered"), options=("--mtu",),
              check=mtu_is(1300, True)),
    Situation("IPv6, path MTU 1400", small_way, both("answered"), THERE6, options=("--mtu",),
              check=mtu_is(1400, False)),
)


@dataclass
class Outcome:
    situation: Situation
    nc: list[str]
    ports: list[dict[str, Any]]
    status: int

    def said(self) -> str:
        silent = [p for p in self.ports if p["result"] == "no-answer"]
        port = (silent or self.ports)[0]
        return f"{port['summary']} {port['meaning']}"

    def faults(self) -> list[str]:
        s, found = self.situation, []
        results = tuple(p["result"] for p in self.ports)
        if results != s.expected:
            found.append(f"{results}, not {s.expected}")
        found += [f"no {w!r} in {self.said()!r}" for w in s.words if w not in self.said()]
        if self.status != (0 if s.expected == both("answered") else 1):
            found.append(f"exit code {self.status}")
        if not found and not s.check(self.ports):
            found.append(json.dumps(self.ports))
        return found

    def rows(self) -> list[str]:
        return [f"{self.situation.name if i == 0 else '':32} {p['port']:5} "
                f"{self.nc[i]:10} {p['result']:12} {p['summary']}"
                for i, p in enumerate(self.ports)]


def ask_nc(way: Way, target: str) -> list[str]:
    """Both ports at the same time: it takes some seconds for each."""
    started = [subprocess.Popen(way.here.argv("timeout", "20", "nc", "-u", "-z", "-v", target, port),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True) for port in ("500", "4500")]
    said = [process.communicate()[1] for process in started]
    return ["succeeded" if "succeeded" in text else "refused" if "refused" in text else "failed"
            for text in said]


def judge(situation: Situation) -> Outcome:
    with Way() as way:
        situation.make(way)
        # not at the same time: who refuses does not do that as often as it is asked to
        done = way.here.run("env", f"XDG_RUNTIME_DIR={way.folder}", str(programs.find().probe),
                            "--json", "-u", "-z", "-v", *situation.options, situation.target,
                            "500", "4500", check=False)
        return Outcome(situation, ask_nc(way, situation.target), json.loads(done.stdout),
                       done.returncode)


def can_run(situation: Situation) -> bool:
    return situation.make is not pluto or ike_daemons.libreswan() is not None


def test_every_situation_is_told_apart() -> None:
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        outcomes = list(pool.map(judge, filter(can_run, SITUATIONS)))
    print(f"\n{'situation':32} {'port':>5} {'nc':10} {'sennit-probe':12}")
    print("\n".join(row for o in outcomes for row in o.rows()))
    faults = {o.situation.name: o.faults() for o in outcomes if o.faults()}
    assert not faults, faults
    # nc's error, for which this program is there
    assert any(o.nc[0] == "succeeded" and o.ports[0]["result"] == "no-answer" for o in outcomes)


@pytest.mark.skipif(ike_daemons.libreswan() is None, reason="needs libreswan (tools/install-deps)")
def test_libreswan_was_among_them() -> None:
    assert any(s.make is pluto and can_run(s) for s in SITUATIONS)


def ask(way: Way, *args: str, before: str = "", limit: float = 30
        ) -> subprocess.CompletedProcess[str]:
    """sennit-probe, after a line of shell in a mount namespace of its own."""
    command = shlex.join(["env", f"XDG_RUNTIME_DIR={way.folder}", str(programs.find().probe), *args])
    return way.here.run("unshare", "-m", "sh", "-c", f"{before or ':'}; exec {command}",
                        check=False, limit=limit)


def test_many_closed_ports_are_all_refused() -> None:
    """Though the host says so but once a second, after the first few."""
    with Way() as way:
        done = ask(way, "--json", THERE, "600-606")
        assert {p["result"] for p in json.loads(done.stdout)} == {"refused"}, done.stdout


@pytest.mark.parametrize("server", [THERE, "198.18.1.77"])
def test_a_name_without_name_servers_is_told_soon(server: str) -> None:
    """One that refuses (nothing listens), one that is silent: it alone would take 10 s."""
    with Way() as way:
        (way.folder / "resolv.conf").write_text(f"nameserver {server}\n")
        begin = time.monotonic()
        done = ask(way, "-v", "h2.example", "127.0.0.1", "4500",
                   before=f"mount --bind {way.folder}/resolv.conf /etc/resolv.conf")
        took = time.monotonic() - begin
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and took < bound(9), took
    assert lines[0].startswith("Connection to h2.example failed: the name servers do not answer")
    assert lines[1].startswith("Connection to 127.0.0.1 4500 port [udp/ipsec-nat-t] failed: refused")


def test_what_is_never_asked() -> None:
    with Way() as way:
        for address, why in (("224.0.0.1", "a multicast address"), ("ff02::1", "a multicast address"),
                             ("255.255.255.255", "the broadcast address"),
                             ("198.18.1.255", "a broadcast address"), ("0.0.0.0", "not the address"),
                             ("::", "not the address"), ("::ffff:1.2.3.4", "write it as IPv4")):
            done = ask(way, address, "500")
            assert done.returncode == 1 and why in done.stdout, (address, done.stdout)
            assert "succeeded" not in done.stdout


def test_loss_is_counted() -> None:
    with Way() as way:
        charon(way)
        add_rule(way.router, "filter hook forward priority 0",
                 "udp dport 500 numgen inc mod 4 == 0 drop")
        done = ask(way, "-c", "8", "-i", "0", "-w", "1.5", "--json", THERE, "500")
        port, = json.loads(done.stdout)
    assert (port["rounds"], port["rounds_answered"], port["sent"]) == (8, 6, 8)
    assert 0 < port["rtt_ms"]["min"] <= port["rtt_ms"]["avg"] <= port["rtt_ms"]["max"]
    assert done.returncode == 1


def test_a_source_that_is_asked_for_is_used() -> None:
    with Way() as way:
        charon(way)
        way.here.ip("addr add 198.18.1.2/24 dev eth0")
        done = ask(way, "--json", "-s", "198.18.1.2", "-p", "500", THERE, "500")
        assert json.loads(done.stdout)[0]["from"] == "198.18.1.2" and done.returncode == 0
        log = (way.folder / "charon.log").read_text()
        assert "to 198.18.1.2[500]" in log
        done = ask(way, "-s", "198.18.1.3", THERE, "500")
        assert "source address 198.18.1.3 is none of this host" in done.stdout


def test_it_needs_no_rights() -> None:
    """Without a single capability: answers, and who refuses."""
    with Way() as way:
        charon(way)
        add_rule(way.router, "filter hook forward priority 0", "udp dport 4500 reject")
        done = way.here.run("setpriv", "--bounding-set=-all", "--inh-caps=-all",
                            "--ambient-caps=-all", str(programs.find().probe), THERE, check=False)
    assert "500 port [udp/isakmp] succeeded" in done.stdout, done
    assert f"rejected on the way by {ROUTER_HERE}" in done.stdout


def test_a_terminal_sees_what_is_waited_for() -> None:
    """And no line of the outcome is spoilt by it."""
    with Way() as way:
        done = way.here.run("script", "-qec", shlex.join([str(programs.find().probe), NOBODY_HERE]),
                            "/dev/null", check=False)
    assert f"waiting for {NOBODY_HERE} port 500" in done.stdout
    screen = done.stdout.replace("\r\n", "\n").rpartition("\033[K")[2]
    assert screen.splitlines()[0].startswith(f"Connection to {NOBODY_HERE} 500 port"), done.stdout


def test_a_whole_question_is_asked_once_a_minute() -> None:
    with Way() as way:
        charon(way)
        first = ask(way, "--full", THERE, "500")
        assert "it chose AES" in first.stdout and first.returncode == 0
        again = ask(way, "--full", THERE, "500")
        assert "again in" in again.stdout and again.returncode == 1
        stamp = next(way.folder.glob("sennit-probe/*-500"))
        os.utime(stamp, (time.time() - 61,) * 2)
        assert ask(way, "--full", THERE, "500").returncode == 0
        with Vici(way.folder / "charon.vici") as vici:
            assert vici.request("stats")[0]["ikesas"]["half-open"] == "2"


def test_an_interrupt_tells_what_is_known() -> None:
    with Way() as way:
        charon(way)
        process = subprocess.Popen(
            way.here.argv(str(programs.find().probe), "-i", "0.05", THERE, "500"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout
        rounds = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=patient(10))[0].splitlines()
    assert all("succeeded" in line for line in rounds) and process.returncode == 0
    assert "answered (0.0% lost), round trip min/avg/max" in rest[-1]
