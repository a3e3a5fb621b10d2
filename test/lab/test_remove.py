# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that the metadata took away is out within a second; a new one of its address is in."""

import time

from sennitlab import Lab, bound, patient
from sennitlab.sas import sas_of

OUT_BOUND = patient(1.0)
IN_BOUND = bound(5.0)
RATE = 50


def assert_out(lab: Lab, removed: float, flows, name: str) -> None:
    """Nothing of h3 came through that was sent later than the bound, nor is there any SA."""
    lab.wait(lambda: time.monotonic() > removed + OUT_BOUND, 2, "the bound is over")
    for other in ("h1", "h2"):
        assert not sas_of(lab[other], name), f"{other} still has an SA with {name}"
    # a few seconds in which it may try what it likes
    flows.wait_sent(5 * RATE, 30)
    for other in ("h1", "h2"):
        assert not sas_of(lab[other], name), f"{name} came back to {other}"
        assert name not in lab[other].states()
    report = flows.report()
    own = {c.name for c in lab.of_host("h3")}
    for pair, arrived in report.arrived.items():
        if len(own & set(pair)) == 1:
            late = [seq for seq in arrived if report.sent[pair].get(seq, 0) > removed + OUT_BOUND]
            assert not late, f"{pair}: {len(late)} packets came through after the removal"


def test_a_removed_host_is_out(lab: Lab) -> None:
    with lab.flows(lab.pairs(across=True), rate=RATE) as flows:
        flows.wait_all_arrive(5)
        entry = lab.mesh.remove("h3")
        try:
            assert_out(lab, time.monotonic(), flows, "h3")
        finally:
            lab.mesh.put_back(entry)
        lab.wait_all_up(30)
        flows.wait_all_arrive(10)
        report = flows.stop()
    assert not report.lost(of=lab.pairs(without=["h3"])), report.table()


def test_a_removed_host_is_out_also_when_it_alone_missed_the_news(lab: Lab) -> None:
    with lab.flows(lab.pairs(across=True), rate=RATE) as flows:
        flows.wait_all_arrive(5)
        lab.wan.part("h3", "meta")
        try:
            entry = lab.mesh.remove("h3")
            assert_out(lab, time.monotonic(), flows, "h3")
        finally:
            lab.mesh.put_back(entry)
            lab.wan.join("h3", "meta")
        lab.wait_all_up(30)
        flows.wait_all_arrive(10)


def test_states_that_are_no_peers(lab: Lab) -> None:
    """inactive and the like stay peers; the entry itself decides, not its mood."""
    for state in ("inactive", "reconnecting", "disconnected", "active"):
        with lab.watch("h1", "h2") as watch:
            lab.mesh.set("h3", state=state)
            lab.mesh.set("h2", name=f"renamed-{state}")
            lab.wait(lambda: lab["h1"].peers()["h2"]["name"] == f"renamed-{state}", 5,
                     "the news are there")
            assert lab["h1"].states()["h3"] == "up"
        assert not watch.of(what="h3"), [str(c) for c in watch.changes]


def test_a_host_that_comes_again_under_a_new_id_is_up(lab: Lab) -> None:
    """Deployed anew: same address, nothing kept, its old entry still there."""
    host = lab["h3"]
    for c in lab.of_host("h3"):
        c.detach()
    host.end()
    host.cli("cleanup", "--force")
    lab.hosts["h3b"] = lab.hosts.pop("h3")
    host.id = "h3b"
    lab.configure(host, {"host": {"id": "h3b"}})
    lab.mesh.add("h3b", host.address, host.prefix)
    begin = time.monotonic()
    host.start()
    lab.wait_all_up(20)
    took = time.monotonic() - begin
    print(f"a host of a new id is up {took:.1f} s after its start")
    assert took <= IN_BOUND, f"up after {took:.1f} s"
    for other in ("h1", "h2"):
        status = lab[other].status()
        assert "h3" not in {p["id"] for p in status["peers"]}
        gone, = [g for g in status["gone"] if g["id"] == "h3"]
        assert gone["replaced_by"] == "h3b"
    for c in lab.of_host("h3b"):
        c.attach()
        lab.c("c1").wait_ping(c)
