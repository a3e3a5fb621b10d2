# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts behind NAT: who builds the tunnel, and what a new mapping costs.

    h1, h5	on the underlay
    h2		behind a router that forwards UDP 500 and 4500 to it; the metadata have the
		router's address, and do not say that it is one (a cloud's public address)
    h3, h4	behind one router that forwards nothing; the metadata have their own addresses
		and say `nat`

Both routers give every flow a port at random.
"""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from conftest import judged
from sennitlab import Lab
from sennitlab.doctor import examine
from sennitlab.host import Host
from sennitlab.lab import DATAPLANE
from sennitlab.programs import Programs
from sennitlab.router import Router
from sennitlab.sas import same_tunnel, tunnel_of


class Stand(NamedTuple):
    lab: Lab
    router: Router
    cloud: Router

    @property
    def outside(self) -> list[Host]:
        return [self.lab["h1"], self.lab["h2"], self.lab["h5"]]

    @property
    def inside(self) -> list[Host]:
        return [self.lab["h3"], self.lab["h4"]]


@pytest.fixture(scope="module")
def stand(built: Programs) -> Iterator[Stand]:
    with judged(Lab(hosts=1, containers=1)) as lab:
        router, cloud = lab.add_router(9), lab.add_router(8)
        router.hide()
        h2 = lab.add_host_behind(cloud, "h2", 2)
        cloud.hide(forward_to=h2.address)
        lab.add_container(h2)
        lab.mesh.hosts["h2"]["addresses"] = [str(cloud.address)]
        for name, number in (("h3", 3), ("h4", 4)):
            lab.add_container(lab.add_host_behind(router, name, number))
            lab.mesh.hosts[name]["nat"] = True
        lab.add_container(lab.add_host("h5", 5))
        lab.mesh.write()
        lab.start()
        yield Stand(lab, router, cloud)


def tunnel(host: Host, peer: str) -> dict[str, Any]:
    """As the status shows it; LookupError while there is none."""
    found = host.peers()[peer]["tunnel"]
    if found is None:
        raise LookupError(f"{host.id} has no tunnel with {peer}")
    return found


def everybody_talks(lab: Lab) -> None:
    with lab.flows(lab.pairs_of_hosts(), rate=50, echo=True) as flows:
        flows.wait_all_arrive(10)


def test_who_is_behind_nat_builds_the_tunnels(stand: Stand) -> None:
    """Whoever has the smaller id; two behind one router meet by their own addresses."""
    stand.lab.wait(lambda: all(tunnel(a, b.id) for a in stand.lab.hosts.values()
                               for b in stand.lab.hosts.values() if a is not b), 20, "all tunnels")
    for host in stand.outside:
        for peer in stand.inside:
            seen = tunnel(host, peer.id)
            assert not seen["initiator"] and not host.peers()[peer.id]["owner"]
            assert seen["remote_address"] == str(stand.router.address)
            assert seen["remote_port"] not in (500, 4500)
            assert tunnel(peer, host.id)["initiator"]
    assert tunnel(stand.lab["h3"], "h4")["remote_address"] == str(stand.lab["h4"].address)
    assert all(host.plan() == [] for host in stand.lab.hosts.values())
    everybody_talks(stand.lab)


def test_new_mappings_are_followed(stand: Stand) -> None:
    """The router forgets all it knew: the tunnels stay, by other ports."""
    lab = stand.lab
    before = {(a.id, b.id): lab.wait(
        lambda: (tunnel_of(a, b.id), tunnel(a, b.id)["remote_port"]), 30, "one tunnel")
        for a in stand.outside for b in stand.inside}
    with lab.flows(lab.pairs(across=True), rate=50) as flows, lab.watch() as watch:
        flows.wait_all_arrive(10)
        begin = time.monotonic()
        stand.router.forget()
        for a in stand.outside:
            for b in stand.inside:
                lab.wait(lambda: tunnel(a, b.id)["remote_port"] != before[a.id, b.id][1], 20,
                         f"{a.id} has the new port of {b.id}")
        flows.wait_all_arrive(10)
        print(f"new mappings: all talk after {time.monotonic() - begin:.1f} s")
        report = flows.stop()
    print(report.table())
    lab.wait_all_up(20)
    for (a, b), (old, _) in before.items():
        # libipsec needs new keys for a new port, the kernel does not
        now = tunnel_of(lab[a], b)
        assert now == old if DATAPLANE == "xfrm" else now[:2] == old[:2], "the same SAs"
    asked = [str(c) for c in watch.of(now="down") if "its ports" in c.detail
             and lab[c.host] in stand.outside and lab[c.what] in stand.inside]
    assert not asked, "nobody asks a router"
    assert all(host.plan() == [] for host in lab.hosts.values())


def test_an_address_that_is_the_routers_needs_no_word(stand: Stand) -> None:
    """h2 sends from the address that it has, and is reached at the one that it is known by."""
    lab, h1, h2 = stand.lab, stand.lab["h1"], stand.lab["h2"]
    assert tunnel(h2, "h1")["local_address"] == str(h2.address)
    assert h2.peers()["h1"]["local_address"] is None, "any"
    assert tunnel(h1, "h2")["initiator"], "the smaller id can"
    assert tunnel(h1, "h2")["remote_address"] == str(stand.cloud.address)
    for host in stand.inside:
        assert tunnel(host, "h2")["remote_address"] == str(stand.cloud.address)


@pytest.mark.slow
def test_without_forwarding_the_other_end_begins(stand: Stand) -> None:
    """10 to 15 s after it missed the tunnel: the smaller id outside cannot, and does not know
    it. The kernel's SAs of the dead charon carry meanwhile."""
    lab, h1, h2 = stand.lab, stand.lab["h1"], stand.lab["h2"]
    stand.cloud.hide()
    try:
        new_charon(lab, h1, [h2])
        lab.wait(lambda: tunnel(h2, "h1")["initiator"], 10, "h2 began it")
        lab.wait(lambda: h1.plan() == h2.plan() == [], 10, "and that is it")
    finally:
        stand.cloud.hide(forward_to=h2.address)
    lab.wait_all_up(40)


def test_the_doctor_does_not_ask_a_router(stand: Stand) -> None:
    """What it says is no answer of the host behind it."""
    for host in stand.outside:
        seen = examine(host, stand.lab.programs.sennit)
        assert not seen.of("peers"), str(seen)
        assert any("2 peers are behind NAT" in f["seen"] for f in seen.fine), seen.fine


def test_rekeying_keeps_the_tunnels(stand: Stand) -> None:
    lab = stand.lab
    with lab.flows(lab.pairs_of_hosts(), rate=50) as flows:
        flows.wait_all_arrive(10)
        for outside in stand.outside:
            for host, peer in ((outside, "h3"), (lab["h3"], outside.id)):
                old = lab.wait(lambda: tunnel_of(host, peer), 30, "one tunnel")
                with host.vici() as vici:
                    vici.request("rekey", {"ike": f"sennit-{peer}"})
                lab.wait(lambda: tunnel_of(host, peer).spi_initiator != old.spi_initiator, 20,
                         f"{host.id} has a new IKE_SA with {peer}")
        flows.wait_all_arrive(10)
        report = flows.stop()
    assert not report.lost(), report.table()
    lab.wait_all_up(20)


def new_charon(lab: Lab, host: Host, others: list[Host]) -> None:
    """Kills it, and waits for a new tunnel with each of these."""
    pid = host.charon_pid()
    assert pid
    old = {peer.id: lab.wait(lambda: tunnel_of(host, peer.id), 30, f"a tunnel with {peer.id}")
           for peer in others}
    os.kill(pid, signal.SIGKILL)
    begin = time.monotonic()
    for peer in others:
        lab.wait(lambda: tunnel_of(host, peer.id).spi_initiator != old[peer.id].spi_initiator and
                 same_tunnel(host, peer), 40, f"a new tunnel with {peer.id}")
    print(f"{host.id}: tunnels {time.monotonic() - begin:.1f} s after its charon was killed")


@pytest.mark.slow
def test_a_new_address_inside_is_followed(stand: Stand) -> None:
    """The router's network gives h3 another address; outside that is another port at most."""
    lab, h3 = stand.lab, stand.lab["h3"]
    old, new = h3.address, stand.router.net.network_address + 77
    peers = [peer for peer in lab.hosts.values() if peer is not h3]

    def all_from(address: object) -> bool:
        return all(tunnel(h3, p.id)["local_address"] == str(address) and same_tunnel(h3, p)
                   for p in peers)

    lab.wait(lambda: all_from(old), 30, "one tunnel each")
    for there, gone in ((new, old), (old, new)):
        with lab.flows(lab.pairs_of_hosts(), rate=50, echo=True) as flows:
            flows.wait_all_arrive(10)
            begin = time.monotonic()
            h3.ns.ip(f"addr del {gone}/24 dev eth0", f"addr add {there}/24 dev eth0",
                     f"route replace default via {stand.router.gateway}")
            lab.wait(lambda: all(tunnel(h3, p.id)["local_address"] == str(there) for p in peers),
                     20, "h3 begins from there")
            flows.wait_all_arrive(10)
            print(f"new address inside: all talk after {time.monotonic() - begin:.1f} s")
            print(flows.stop().table())
        lab.wait(lambda: all_from(there), 30, "one tunnel each, and no other")
        lab.wait_all_up(20)


@pytest.mark.parametrize("where", ["inside", pytest.param("outside", marks=pytest.mark.slow)])
def test_a_new_charon_gets_its_tunnels(stand: Stand, where: str) -> None:
    lab = stand.lab
    host = lab["h3" if where == "inside" else "h1"]
    new_charon(lab, host, [peer for peer in lab.hosts.values() if peer is not host])
    lab.wait_all_up(40)
    everybody_talks(lab)


def test_silence_behind_nat_is_no_refusal(stand: Stand) -> None:
    """The router refuses what it has no mapping for; that says nothing of the host behind it."""
    lab, h1, h3 = stand.lab, stand.lab["h1"], stand.lab["h3"]
    with lab.watch("h1", "h5", "h4") as watch:
        h3.ns.ip("link set dev eth0 down")
        try:
            for host in stand.outside:
                lab.wait(lambda: host.peers()["h3"]["cause"] == "no-answer", 15,
                         f"{host.id} says no-answer")
                assert "asked" not in host.peers()["h3"]["evidence"]
        finally:
            h3.ns.ip("link set dev eth0 up", f"route add default via {stand.router.gateway}")
        lab.wait_all_up(40)
    # a slow machine may miss an answer, but finds nothing wrong
    colour = [str(c) for c in watch.changes if c.what != "h3" and "none:" not in c.detail]
    assert not colour, colour
    assert h1.plan() == []
