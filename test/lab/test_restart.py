# SPDX-License-Identifier: GPL-2.0-or-later
"""A restart of sennitd loses no packet, whatever way it ended (promise 3)."""

import os
import signal
from collections.abc import Callable

import pytest

from sennitlab import Lab
from sennitlab.host import Host
from sennitlab.sas import same_tunnel

RATE = 100
WAYS: dict[str, Callable[[Host], object]] = {
    "kill -9": Host.kill,
    "SIGTERM": Host.stop,
    "kill -9 of group and session": Host.kill_session,
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost(lab: Lab, way: str) -> None:
    host = lab["h1"]
    charon = host.charon_pid()
    with lab.watch("h2", "h3") as watch, \
            lab.flows(lab.pairs_of_hosts(), rate=RATE, echo=True) as flows:
        flows.wait_all_arrive(5)
        WAYS[way](host)
        flows.wait_sent(RATE, 20)
        host.start()
        host.wait_answers()
        lab.wait_all_up()
        flows.wait_sent(RATE, 20)
        report = flows.stop()
    assert not report.lost(), report.table()
    assert not any(report.errors.values()), report.table()
    assert host.charon_pid() == charon, "charon was not adopted"
    assert not watch.of(now="down"), [str(c) for c in watch.changes]
    assert lab["h1"].plan() == []


def test_many_restarts_in_a_row_lose_nothing(lab: Lab) -> None:
    host = lab["h2"]
    with lab.flows(lab.pairs_of_hosts(), rate=RATE, echo=True) as flows:
        flows.wait_all_arrive(5)
        for _ in range(5):
            host.kill()
            host.start()
        host.wait_answers()
        lab.wait_all_up()
        report = flows.stop()
    assert not report.lost(), report.table()


def test_all_daemons_away_at_once_lose_nothing(lab: Lab) -> None:
    with lab.flows(lab.pairs_of_hosts(), rate=RATE, echo=True) as flows:
        flows.wait_all_arrive(5)
        for host in lab.hosts.values():
            host.kill()
        flows.wait_sent(2 * RATE, 20)
        for host in lab.hosts.values():
            host.start()
        lab.wait_all_up()
        report = flows.stop()
    assert not report.lost(), report.table()


def test_nobody_calls_a_peer_down_whose_daemon_was_killed(lab: Lab) -> None:
    with lab.watch("h1", "h2") as watch, \
            lab.flows({("c1", "c3")}, rate=RATE, echo=True) as flows:
        lab["h3"].kill()
        lab.wait(lambda: watch.of("h1", "h3") and watch.of("h2", "h3"), 10,
                 "the others notice that h3's daemon is away")
        flows.wait_sent(5 * RATE, 30)
        assert lab["h1"].peers()["h3"]["cause"] == "peer-daemon-away"
        assert lab["h1"].states()["h3"] == "degraded"
        lab["h3"].start()
        lab.wait_all_up()
        flows.stop()
    assert not watch.of(now="down"), [str(c) for c in watch.changes]


def test_sigterm_leaves_in_order(lab: Lab) -> None:
    host = lab["h1"]
    assert host.stop() == 0
    assert host.charon_pid()
    host.start()
    lab.wait_all_up()


def test_a_charon_that_died_meanwhile_is_noticed(lab: Lab) -> None:
    """The peer's: what the last one made is void, whatever its kernel goes on with."""
    h1, h2, _ = lab.hosts.values()

    def voided() -> int:
        return h1.log.read_text().count("peer h2: its older tunnels are void")

    lab.wait_all_up()
    before, pid = voided(), h2.charon_pid()
    assert pid
    lab.wait(lambda: "h2" in (h1.state_dir / "boots.json").read_text(), 5, "it is kept")
    h1.kill()
    os.kill(pid, signal.SIGKILL)
    lab.wait(lambda: h2.charon_pid() not in (None, pid), 10, "h2 has another charon")
    h1.start()
    lab.wait(lambda: voided() == before + 1, 20, "h1 has noticed")
    lab.wait_all_up(30)
    lab.wait(lambda: same_tunnel(h1, h2), 30, "one tunnel")
