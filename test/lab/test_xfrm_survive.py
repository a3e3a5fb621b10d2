# SPDX-License-Identifier: GPL-2.0-or-later
"""What packets are lost when something ends, returns, renews its keys or moves.

    SENNIT_SURVIVAL_TABLE=FILE …         where the table goes, too

Here the test is systemd, so that charon is away for as long as the test wants. The flows
have 100 packets a second in each direction, of the machine's own time: one under emulation is
some twenty times slower (test/vm/README.md), which is more than its limits have."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import end_and_judge
from sennitlab import Lab, programs
from sennitlab.flows import Flows, Report
from sennitlab.host import Host
from sennitlab.kernel import own_tables
from sennitlab.manager import Manager, start_managed
from sennitlab.sas import same_tunnel
from sennitlab.wait import PATIENCE

RATE = 100
SLOWER = 4 if PATIENCE > 1 else 1
BOUND = 3  # packets of a direction that a transition may cost
STAND_IN = ("ip", "sennit")
WAYS = {"in UDP": True, "plain": False}
rows: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    text = "\n".join([f"{'what ends, returns or changes':50} {'sent':>6} lost, a direction", *rows])
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n" + text)
    if path := os.environ.get("SENNIT_SURVIVAL_TABLE"):
        Path(path).write_text(text + "\n")


@pytest.fixture(scope="module", params=WAYS)
def lab(built: programs.Programs, request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(hosts=2, containers=1, settings={
        "ike": {"start": False, "encap": WAYS[request.param]}})
    managers: dict[str, Manager] = {}
    try:
        managers.update(start_managed(made))
        made.managers, made.way = managers, request.param  # type: ignore[attr-defined]
        yield made
        for manager in managers.values():
            manager.end_charon(signal.SIGTERM)
        end_and_judge(made)
    finally:
        for manager in managers.values():
            manager.close()
        made.close()


def manager_of(lab: Lab, host: Host) -> Manager:
    return lab.managers[host.id]  # type: ignore[attr-defined]


def note(lab: Lab, what: str, report: Report, since: float, until: float) -> list[int]:
    """A row of the table; the losses of each direction."""
    lost = [len(report.lost(since, until, {pair})) for pair in sorted(report.sent)]
    sent = sum(since <= when <= until for times in report.sent.values() for when in times.values())
    what = f"{what}, {lab.way}"  # type: ignore[attr-defined]
    rows.append(f"{what:50} {sent:6} {', '.join(map(str, lost))}")
    return lost


def spis(host: Host) -> set[str]:
    """Of all SAs in the kernel, as charon writes them."""
    words = host.ns.run("ip", "xfrm", "state").stdout.split()
    return {words[i + 1].removeprefix("0x") for i, word in enumerate(words) if word == "spi"}


def end_charon(lab: Lab, host: Host) -> None:
    manager_of(lab, host).end_charon(signal.SIGKILL)
    lab.wait(lambda: STAND_IN in own_tables(host), 5, f"{host.id} stands in for its charon")


def charon_returns(lab: Lab, host: Host, old: set[str]) -> None:
    manager_of(lab, host).start_charon()
    lab.wait(lambda: not old & spis(host), 40, "the SAs of the dead charon are gone")
    lab.wait(lambda: same_tunnel(lab["h1"], lab["h2"]), 20, "one tunnel, the same at both ends")
    lab.wait(lambda: STAND_IN not in own_tables(host), 5, "nobody stands in for charon")
    lab.wait_all_up(30)


@pytest.mark.parametrize("name", ["h1", "h2"])
def test_charon_is_killed_and_returns(lab: Lab, name: str) -> None:
    """h1 owns the pair. Whoever has lost its charon, the other's believes in the old SAs."""
    host, old = lab[name], spis(lab[name])
    with lab.flows(rate=RATE // SLOWER) as flows:
        flows.wait_all_arrive(5)
        begin = time.monotonic()
        end_charon(lab, host)
        flows.wait_sent(3 * RATE, 30)
        assert host.plan() == []
        away = time.monotonic()
        charon_returns(lab, host, old)
        back = time.monotonic()
        flows.wait_sent(RATE, 20)
        report = flows.stop()
    role = "the owner's" if name == "h1" else "the other's"
    ends = note(lab, f"{role} charon is killed", report, begin, away)
    returns = note(lab, f"{role} charon returns", report, away, back)
    assert max(ends) <= BOUND and max(returns) <= BOUND, report.table()
    assert not report.lost(since=back), report.table()


def test_a_sennitd_that_finds_no_charon_stands_in(lab: Lab) -> None:
    host, old = lab["h1"], spis(lab["h1"])
    with lab.flows(rate=RATE // SLOWER) as flows:
        flows.wait_all_arrive(5)
        manager_of(lab, host).end_charon(signal.SIGKILL)
        host.kill()
        host.ns.nft("add table ip sennit; delete table ip sennit\n")
        host.start()
        lab.wait(lambda: STAND_IN in own_tables(host), 15, "the new sennitd stands in")
        since = time.monotonic()
        flows.wait_sent(RATE, 20)
        until = time.monotonic()
        charon_returns(lab, host, old)
        report = flows.stop()
    lost = note(lab, "sennitd returns, charon is away", report, since, until)
    assert not any(lost), report.table()
