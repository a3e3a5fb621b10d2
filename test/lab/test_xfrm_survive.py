# SPDX-License-Identifier: GPL-2.0-or-later
"""What packets are lost when something ends, returns, renews its keys or moves.

    SENNIT_SURVIVAL_TABLE=FILE …         where the table goes, too
    SENNIT_SURVIVAL_RATE=N …             one flow of N packets a second by the clock

Here the test is systemd, so that charon is away for as long as the test wants. The flows
have 100 packets a second in each direction, of the machine's own time: one under emulation is
some twenty times slower (test/vm/README.md), which is more than its limits have. With a rate all
else is still, so that also that one carries 100 a second."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from conftest import end_and_judge, judged
from sennitlab import Lab, programs
from sennitlab.container import Container
from sennitlab.flows import Flows, Pair, Report
from sennitlab.host import Host
from sennitlab.kernel import own_routes, own_tables, tunnel_device, xfrm_spis
from sennitlab.manager import Manager, start_managed
from sennitlab.sas import same_tunnel, sas_of
from sennitlab.wait import PATIENCE, patient
from sennitlab.wan import OUTSIDE, host_address

BY_THE_CLOCK = float(os.environ.get("SENNIT_SURVIVAL_RATE", 0))
RATE = round(BY_THE_CLOCK * PATIENCE) or 100
SLOWER = 4 if PATIENCE > 1 and not BY_THE_CLOCK else 1
BOUND = 3  # packets of a direction that a transition may cost
STAND_IN = ("ip", "sennit")
rows: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    text = "\n".join([f"{'what ends, returns or changes':50} {'sent':>6} lost, a pair", *rows])
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n" + text)
    if path := os.environ.get("SENNIT_SURVIVAL_TABLE"):
        Path(path).write_text(text + "\n")


@pytest.fixture(scope="module", params=["in UDP", pytest.param("plain", marks=pytest.mark.slow)])
def lab(built: programs.Programs, request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(hosts=2, containers=1, settings={
        "ike": {"start": False, "encap": request.param == "in UDP"}})
    managers: dict[str, Manager] = {}
    try:
        managers.update(start_managed(made))
        made.managers, made.way = managers, f", {request.param}"  # type: ignore[attr-defined]
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


def flows_of(lab: Lab, pairs: set[Pair] | None = None) -> Flows:
    if BY_THE_CLOCK and pairs is None:
        pairs = {("c1", "c2")}
    return lab.flows(pairs, rate=RATE // SLOWER)


def note(lab: Lab, what: str, report: Report, since: float, until: float,
         of: set[Pair] | None = None) -> list[int]:
    """A row of the table; the losses of each pair."""
    pairs = sorted(of or report.sent)
    lost = [len(report.lost(since, until, {pair})) for pair in pairs]
    sent = sum(since <= when <= until for pair in pairs for when in report.sent[pair].values())
    add_row(what + getattr(lab, "way", ""), sent, lost)
    return lost


def add_row(what: str, sent: int, lost: list[int]) -> None:
    rows.append(f"{what:50} {sent:6} {', '.join(map(str, lost))}")


def other(lab: Lab, host: Host) -> Host:
    return lab["h2" if host.id == "h1" else "h1"]


def end_charon(lab: Lab, host: Host) -> None:
    manager_of(lab, host).end_charon(signal.SIGKILL)
    lab.wait(lambda: STAND_IN in own_tables(host), 5, f"{host.id} stands in for its charon")


def is_held(host: Host) -> bool:
    """Its packets go by the SA of the dead charon, whatever its own one thinks."""
    return "dst 128.0.0.0/1" in host.ns.run("ip", "xfrm", "policy").stdout


def stood_together(lab: Lab, host: Host) -> float:
    """Seconds between a new tunnel and the end of what the dead charon left."""
    began = re.findall(r"^(\S+) .*CHILD_SA .* established",
                       (host.run_dir / "charon.log").read_text(), re.M)
    ended = re.findall(r"^(\S+) .*removed SA .* left by a charon", host.log.read_text(), re.M)
    begin, end = (datetime.fromisoformat(times[-1].rstrip("Z")) for times in (began, ended))
    return (end - begin).total_seconds()


def charon_returns(lab: Lab, host: Host, old: set[str]) -> None:
    manager_of(lab, host).start_charon()
    lab.wait(lambda: not old & xfrm_spis(host), 40, "the SAs of the dead charon are gone")
    lab.wait(lambda: same_tunnel(lab["h1"], lab["h2"]), 20, "one tunnel, the same at both ends")
    lab.wait(lambda: not is_held(other(lab, host)), 20, "the new tunnel is used")
    assert stood_together(lab, host) > 3, "it may not be known there that the new one stands"
    lab.wait(lambda: STAND_IN not in own_tables(host), 5, "nobody stands in for charon")
    lab.wait_all_up(30)


@pytest.mark.slow
def test_nothing_happens(lab: Lab) -> None:
    """Else no row of the table says anything."""
    with flows_of(lab) as flows:
        flows.wait_all_arrive(5)
        begin = time.monotonic()
        flows.wait_sent(20 * RATE // SLOWER, 60)
        report = flows.stop()
    assert not any(note(lab, "nothing", report, begin, time.monotonic())), report.table()


@pytest.mark.parametrize("name", ["h1", "h2"])
def test_charon_is_killed_and_returns(lab: Lab, name: str) -> None:
    """h1 owns the pair. Whoever has lost its charon, the other's believes in the old SAs."""
    host, old = lab[name], xfrm_spis(lab[name])

    def told() -> dict[str, str]:
        return other(lab, host).peers()[name]

    with flows_of(lab) as flows:
        flows.wait_all_arrive(5)
        begin = time.monotonic()
        end_charon(lab, host)
        flows.wait_sent(3 * RATE, 30)
        lab.wait(lambda: told()["cause"] == "ike-restarting", 5, "the other end knows why")
        assert told()["state"] == "degraded" and "its charon is away" in told()["evidence"]
        assert is_held(other(lab, host)) and host.plan() == []
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


def passes_on(lab: Lab, container: Container) -> bool:
    """What looks like ESP in UDP, of a container for somebody outside, is left alone."""
    packet = b"no ESP of ours"
    with lab.wan.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear, container.udp() as mouth:
        ear.settimeout(patient(2))
        ear.bind((str(OUTSIDE), 4500))
        mouth.sendto(packet, (str(OUTSIDE), 4500))
        return ear.recv(99) == packet


def test_a_sennitd_that_finds_no_charon_stands_in(lab: Lab) -> None:
    host, old = lab["h1"], xfrm_spis(lab["h1"])
    with flows_of(lab) as flows:
        flows.wait_all_arrive(5)
        manager_of(lab, host).end_charon(signal.SIGKILL)
        host.kill()
        host.ns.nft("add table ip sennit; delete table ip sennit\n")
        host.start()
        lab.wait(lambda: STAND_IN in own_tables(host), 15, "the new sennitd stands in")
        since = time.monotonic()
        flows.wait_sent(RATE, 20)
        until = time.monotonic()
        assert passes_on(lab, lab.c("c1"))
        charon_returns(lab, host, old)
        report = flows.stop()
    lost = note(lab, "sennitd returns, charon is away", report, since, until)
    assert not any(lost), report.table()


@pytest.mark.slow
def test_sennitd_is_killed_and_returns(lab: Lab) -> None:
    """More of it: test_restart.py."""
    with flows_of(lab) as flows:
        flows.wait_all_arrive(5)
        begin = time.monotonic()
        lab["h1"].kill()
        flows.wait_sent(RATE, 20)
        lab["h1"].start()
        lab["h1"].wait_answers()
        lab.wait_all_up()
        report = flows.stop()
    assert not any(note(lab, "sennitd is killed and returns", report, begin, time.monotonic()))


@pytest.mark.slow
@pytest.mark.parametrize("which", ["CHILD_SA", "IKE_SA"])
def test_keys_are_renewed(lab: Lab, which: str) -> None:
    host = lab["h1"]

    def keys() -> str:
        tunnel = host.peers()["h2"]["tunnel"]
        return str(tunnel["spi_i"] if which == "IKE_SA" else tunnel["child"]["spi_in"])

    with flows_of(lab) as flows:
        flows.wait_all_arrive(5)
        begin = time.monotonic()
        for _ in range(3):
            old = keys()
            with host.vici() as vici:
                child, = vici.list_conns()["sennit-h2"]["children"]
                vici.request("rekey",
                             {"ike": "sennit-h2"} if which == "IKE_SA" else {"child": child})
            lab.wait(lambda: keys() != old, 10, f"a new {which}")
            flows.wait_sent(RATE // 4, 20)
        lab.wait(lambda: same_tunnel(lab["h1"], lab["h2"]), 20, "one tunnel")
        report = flows.stop()
    lost = note(lab, f"three new {which}s", report, begin, time.monotonic())
    assert not any(lost), report.table()


@pytest.mark.slow
def test_a_peer_gets_another_address(lab: Lab) -> None:
    """By the metadata; the old one stays until it is not used any more. No bound but the end."""
    host, new = lab["h2"], host_address(100)
    host.ns.ip(f"addr add {new}/24 dev eth0")
    try:
        for address in (new, host.address):
            with flows_of(lab) as flows:
                flows.wait_all_arrive(5)
                begin = time.monotonic()
                lab.mesh.set("h2", addresses=[str(address)])
                lab.wait(lambda: [sa["remote-host"] for sa in sas_of(lab["h1"], "h2")]
                         == [str(address)] and same_tunnel(lab["h1"], lab["h2"]), 40,
                         "one tunnel, by the new address")
                lab.wait_all_up(30)
                end = time.monotonic()
                flows.wait_sent(RATE, 20)
                report = flows.stop()
            note(lab, "a peer's address changes", report, begin, end)
            assert not report.lost(since=end), report.table()
    finally:
        host.ns.ip(f"addr del {new}/24 dev eth0")


# --- an address moves


MOVED = "10.42.200.7"


@pytest.fixture(scope="module")
def flat(built: programs.Programs) -> Iterator[Lab]:
    """Every container an address of its own, no subnets."""
    with judged(Lab(hosts=3, containers=1)) as made:
        for host in made.hosts.values():
            ours = [f"10.42.{host.number}.{i}/32" for i in (1, 2)]
            made.mesh.set(host.id, overlay_ip=ours[0][:-3],
                          prefixes=ours + ([f"{MOVED}/32"] if host.id == "h1" else []))
        made.start(attach=False)
        for container in made.containers.values():
            container.attach("--ip", f"10.42.{container.host.number}.2")
        yield made


def move(lab: Lab, mover: Container, home: Container) -> None:
    """As an orchestrator does: it ends there, the metadata tell, it begins here."""
    mover.detach()
    for host, change in (("h1", list.remove), ("h2", list.append)):
        change(lab.mesh.hosts[host]["prefixes"], f"{MOVED}/32")
    lab.mesh.write()
    lab.wait(lambda: any(route.startswith(f"{MOVED} dev {tunnel_device(lab['h3'], 'h2')}")
                         for route in own_routes(lab["h3"])), 20, "h3 sends to its new host")
    lab.wait(lambda: home.attach("--ip", MOVED, check=False) and home.addresses(), 20,
             "it is at its new host")


@pytest.mark.slow
def test_an_address_moves_to_another_host(flat: Lab) -> None:
    lab, others = flat, {("c2", "c3")} if BY_THE_CLOCK else flat.pairs_of_hosts()
    before = [xfrm_spis(host) for host in lab.hosts.values()]
    mover = lab.add_container(lab["h1"])
    mover.attach("--ip", MOVED)
    pair = ("c3", mover.name)
    with flows_of(lab, others | {pair}) as flows:
        flows.wait_all_arrive(10)
        home = lab.add_container(lab["h2"])
        begin = time.monotonic()
        move(lab, mover, home)
        with Flows(lab.programs, lab.folder, [home], set()) as ear:
            def heard() -> dict[int, float]:
                return ear.log(home.name).received[str(lab.c("c3").ip)]

            lab.wait(heard, 20, "packets reach it there")
            done = time.monotonic()
            flows.wait_sent(RATE, 20)
            report = flows.stop()
            arrived = heard()
            lost = [loss for loss in report.lost(of={pair}) if loss.seq not in arrived]
    add_row("an address moves: to it", sum(begin <= when <= done
                                           for when in report.sent[pair].values()), [len(lost)])
    assert not any(note(lab, "an address moves: the others", report, begin, done, others))
    assert not [loss for loss in lost if loss.time > done], report.table()
    assert [xfrm_spis(host) for host in lab.hosts.values()] == before, "IKE hears nothing of it"
