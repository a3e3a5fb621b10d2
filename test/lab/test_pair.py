# SPDX-License-Identifier: GPL-2.0-or-later
"""Exactly one tunnel per pair, whoever starts, both at once (promise 7)."""

import os
import signal
import threading
import time

import pytest

from sennitlab import Lab, bound, patient
from sennitlab.sas import same_tunnel

SETTLED = 5.0  # seconds after the start
LAB = {"hosts": 2, "containers": 1}


def assert_one_tunnel_after(lab: Lab, begin: float) -> None:
    # the promise is about this moment, not about the first moment that is good
    lab.wait(lambda: time.monotonic() - begin >= SETTLED, SETTLED + 1, "the time of the promise")
    # one look, but on a machine under emulation
    lab.wait(lambda: same_tunnel(lab["h1"], lab["h2"]), patient(SETTLED) - SETTLED, "one tunnel")


def test_simultaneous_starts_end_in_one_tunnel(lab: Lab, long: bool) -> None:
    for _ in range(100 if long else 3):
        for host in lab.hosts.values():
            host.end()
        begin = time.monotonic()
        for host in lab.hosts.values():
            host.start()
        assert_one_tunnel_after(lab, begin)
        lab.wait_all_up(5)


def initiate_by_hand(lab: Lab, name: str, peer: str, barrier: threading.Barrier) -> None:
    with lab[name].vici() as vici:
        child, = vici.list_conns()[f"sennit-{peer}"]["children"]
        barrier.wait()
        vici.request("initiate", {"ike": f"sennit-{peer}", "child": child, "timeout": -1})


@pytest.mark.slow
def test_a_collision_by_hand_is_settled(lab: Lab, long: bool) -> None:
    """Both ends are told to initiate at the same moment, with no tunnel there."""
    for _ in range(20 if long else 3):
        barrier = threading.Barrier(2)
        with lab["h1"].vici() as vici:
            vici.terminate(ike="sennit-h2")
        begin = time.monotonic()
        threads = [threading.Thread(target=initiate_by_hand, args=(lab, a, b, barrier))
                   for a, b in (("h1", "h2"), ("h2", "h1"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert_one_tunnel_after(lab, begin)


@pytest.mark.parametrize("first", ["h1", "h2"])
def test_whoever_starts_first(lab: Lab, first: str) -> None:
    second = "h2" if first == "h1" else "h1"
    for host in lab.hosts.values():
        host.end()
    lab[first].start()
    lab[first].wait_answers()
    lab.wait(lambda: lab[first].states().get(second) is not None, 5, "the first knows the second")
    begin = time.monotonic()
    lab[second].start()
    lab.wait_all_up(20)
    assert_one_tunnel_after(lab, begin)


def test_a_charon_that_lost_its_memory_gets_one_tunnel(lab: Lab) -> None:
    before = lab["h2"].charon_pid()
    assert before
    begin = time.monotonic()
    os.kill(before, signal.SIGKILL)
    lab.wait(lambda: lab["h2"].charon_pid() not in (None, before), 10, "a new charon")
    # nobody can tell the other end but dead peer detection
    lab.wait(lambda: same_tunnel(lab["h1"], lab["h2"]) and lab.everybody_up(), 30, "a new tunnel")
    assert_one_tunnel_after(lab, begin)


def test_news_of_the_owners_new_charon_end_what_the_old_one_left(lab: Lab) -> None:
    """The owner begins at once. The other end learns from its heartbeat that the older SA is
    void; dead peer detection alone would take twice as long."""
    before = lab["h1"].charon_pid()
    assert before
    begin = time.monotonic()
    os.kill(before, signal.SIGKILL)
    lab.wait(lambda: lab["h1"].charon_pid() not in (None, before), 10, "a new charon")
    lab.wait(lambda: same_tunnel(lab["h1"], lab["h2"]), 30, "one tunnel")
    took = time.monotonic() - begin
    assert took <= bound(SETTLED), f"the void SA was gone after {took:.1f} s"
