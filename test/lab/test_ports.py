# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a peer is silent: which of its ports does not answer, or who refuses."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from conftest import judged
from sennitlab import Lab
from sennitlab.host import Host
from sennitlab.programs import Programs
from sennitlab.router import Router

SICK = "h3"  # behind the router, which hides nothing


class Stand(NamedTuple):
    lab: Lab
    router: Router
    sick: Host


@pytest.fixture(scope="module")
def stand(built: Programs) -> Iterator[Stand]:
    with judged(Lab(hosts=2, containers=1)) as lab:
        router = lab.add_router(9)
        sick = lab.add_host_behind(router, SICK, 3)
        for ns in (lab["h1"].ns, lab["h2"].ns, lab.metadata_ns):
            ns.ip(f"route add {router.net} via {router.address}")
        lab.add_container(sick)
        lab.mesh.write()
        lab.start()
        yield Stand(lab, router, sick)


# --- what goes wrong -----------------------------------------------------------

@contextmanager
def dropped(stand: Stand, ports: str) -> Iterator[None]:
    stand.router.filter(f"udp dport {{ {ports} }} drop", f"udp sport {{ {ports} }} drop")
    try:
        yield
    finally:
        stand.router.unfilter()


@contextmanager
def answers_dropped(stand: Stand, port: str) -> Iterator[None]:
    """Only what the sick host sends from the port, so that its questions are answered."""
    stand.router.filter(f"ip saddr {stand.sick.address} udp sport {port} drop")
    try:
        yield
    finally:
        stand.router.unfilter()


@contextmanager
def rejected_on_the_way(stand: Stand) -> Iterator[None]:
    stand.router.filter("udp dport { 500, 4500 } reject with icmpx admin-prohibited")
    try:
        yield
    finally:
        stand.router.unfilter()


@contextmanager
def rejected_by_the_host(stand: Stand) -> Iterator[None]:
    stand.sick.ns.nft("table inet cut { chain input { type filter hook input priority -400; "
                      "udp dport { 500, 4500 } reject; }; }\n")
    try:
        yield
    finally:
        stand.sick.ns.nft("delete table inet cut\n")


@contextmanager
def charon_stopped(stand: Stand) -> Iterator[None]:
    pid = stand.sick.charon_pid()
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def ended(stand: Stand) -> Iterator[None]:
    """sennitd and charon."""
    stand.sick.end()
    try:
        yield
    finally:
        stand.sick.start()


@contextmanager
def gone(stand: Stand) -> Iterator[None]:
    """The host; the router says so when its neighbour is not there."""
    stand.sick.ns.ip("link set dev eth0 down")
    try:
        yield
    finally:
        stand.sick.ns.ip("link set dev eth0 up", f"route add default via {stand.router.gateway}")


@contextmanager
def no_way(stand: Stand) -> Iterator[None]:
    """h1 itself has none."""
    stand.lab["h1"].ns.ip(f"route replace unreachable {stand.router.net}")
    try:
        yield
    finally:
        stand.lab["h1"].ns.ip(f"route replace {stand.router.net} via {stand.router.address}")


class Case(NamedTuple):
    name: str
    wrong: Callable[[Stand], object]
    cause: str
    words: tuple[str, ...]
    ends_tunnel: bool = False  # what is wrong does not; a new one is needed to see it
    only_h1: bool = False


CASES = [
    Case("500", lambda s: dropped(s, "500"), "no-answer-500",
         ("UDP 500: no answer", "UDP 4500: an IKE daemon answered"), ends_tunnel=True),
    Case("4500", lambda s: dropped(s, "4500"), "no-answer-4500",
         ("UDP 500: an IKE daemon answered", "UDP 4500: no answer")),
    Case("both", lambda s: dropped(s, "500, 4500"), "no-answer",
         ("UDP 500 and 4500: no answer",)),
    Case("answers of 4500", lambda s: answers_dropped(s, "4500"), "no-answer-4500",
         ("UDP 500: an IKE daemon answered", "UDP 4500: no answer")),
    Case("reject on the way", rejected_on_the_way, "refused",
         ("rejected on the way by {router} (ICMP administratively prohibited)",)),
    Case("reject by the host", rejected_by_the_host, "refused",
         ("asked 10.9.9.3", "refused by the host itself (ICMP port unreachable)")),
    Case("charon stopped", charon_stopped, "no-answer", ("UDP 500 and 4500: no answer",)),
    Case("ended", ended, "refused", ("refused by the host itself (ICMP port unreachable)",)),
    Case("gone", gone, "no-answer", ("{router} says: host unreachable",)),
    Case("no way", no_way, "self", ("not sent: a route here says unreachable",), only_h1=True),
]


def verdict(host: Host) -> dict[str, str]:
    return host.peers()[SICK]


def causes_told(host: Host, since: int) -> list[str]:
    """What the log called the cause, one after the other."""
    text = host.log.read_bytes()[since:].decode(errors="replace")
    return re.findall(rf"peer {SICK} \(.*?\) is down(?:: ([a-z0-9-]+))?", text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_port_that_does_not_answer_is_named(stand: Stand, case: Case) -> None:
    lab = stand.lab
    others = [lab["h1"]] if case.only_h1 else [lab["h1"], lab["h2"]]
    begin = {host.id: host.log.stat().st_size for host in others}
    with lab.watch() as watch:
        with case.wrong(stand):
            since = time.monotonic()
            if case.ends_tunnel:
                for host in others:
                    with host.vici() as vici:
                        vici.terminate(ike=f"sennit-{SICK}")
            for host in others:
                lab.wait(lambda: verdict(host)["cause"] == case.cause, 30,
                         f"{host.id} says {case.cause}")
                print(f"{case.name}: {host.id} after {time.monotonic() - since:.1f} s")
                seen = verdict(host)
                assert seen["state"] == "down" and seen["next"]
                for words in case.words:
                    assert words.format(router=stand.router.address) in seen["evidence"], seen["evidence"]
        since = time.monotonic()
        lab.wait_all_up(25)
        print(f"{case.name}: up after {time.monotonic() - since:.1f} s")
    for host in others:
        told = causes_told(host, begin[host.id])
        assert set(told) <= {"", case.cause}, f"{host.id}: {told}"
    colour = [str(c) for c in watch.changes if SICK not in (c.host, c.what)]
    assert not colour, colour
