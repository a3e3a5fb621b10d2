# SPDX-License-Identifier: GPL-2.0-or-later
"""The hosts' own addresses: IPv6, several, and changed while everything runs."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import pytest

from sennitlab import Lab, patient
from sennitlab.capture import now_ns
from sennitlab.classify import EXPECTED
from sennitlab.host import Host
from sennitlab.lab import DATAPLANE
from sennitlab.sas import same_tunnel, sas_of, tunnel_of
from sennitlab.wan import GATEWAY, host_address

LAB = {"containers": 1}
V6 = IPv6Address("2001:db8::")


def v6_of(host: Host) -> str:
    return str(V6 + 10 + host.number)


def put(lab: Lab, host: Host, *addresses: str) -> None:
    """What the metadata say are its addresses."""
    lab.mesh.set(host.id, addresses=list(addresses))


@pytest.fixture(autouse=True)
def both_families(lab: Lab) -> Iterator[None]:
    """Every host has an IPv6 address beside the one it is known by; afterwards all is as before."""
    for host in lab.hosts.values():
        host.ns.ip(f"addr replace {v6_of(host)}/64 dev eth0 nodad")
    lab.wait_all_up()
    yield
    for host in lab.hosts.values():
        put(lab, host, str(host.address))
    lab.wait(lambda: all(remote(lab, a, b) == str(b.address) for a, b in pairs(lab)), 20, "IPv4 again")
    lab.wait_all_up(20)


def pairs(lab: Lab) -> list[tuple[Host, Host]]:
    return [(a, b) for a in lab.hosts.values() for b in lab.hosts.values() if a is not b]


def remote(lab: Lab, host: Host, peer: Host) -> str | None:
    """The peer's address in the one tunnel of the pair; None while there is none, or two."""
    found = sas_of(host, peer.id)
    return found[0]["remote-host"] if len(found) == 1 else None


def test_the_underlay_is_ipv6(lab: Lab) -> None:
    since = now_ns()
    for host in lab.hosts.values():
        put(lab, host, v6_of(host))
    lab.wait(lambda: all(remote(lab, a, b) == v6_of(b) for a, b in pairs(lab)), 20, "IPv6 tunnels")
    lab.wait_all_up(20)
    with lab.flows(lab.pairs_of_hosts(), rate=100, echo=True) as flows:
        flows.wait_all_arrive(5)
        flows.wait_sent(200, 10)
        report = flows.stop()
    assert not report.lost(), report.table()
    lab.capture.sync()
    seen = lab.capture.classes(since)
    assert seen["esp-in-udp"] > 100 and not set(seen) - EXPECTED, seen


def drop_ipv4(host: Host) -> None:
    """What comes to IKE and ESP by IPv4 ends here, unseen."""
    host.ns.nft("table ip cut { chain input { type filter hook input priority -400; "
                "udp dport { 500, 4500 } drop; }; }\n")


def address_of(host: Host, peer: Host) -> str:
    return str(host.peers()[peer.id]["address"])


def is_as_wanted(host: Host, peer: Host) -> bool:
    """The tunnel was made with the connection as it is: nothing is about to replace it."""
    with host.vici() as vici:
        wanted, = vici.list_conns()[f"sennit-{peer.id}"]["children"]
    return any(child["name"] == wanted for sa in sas_of(host, peer.id)
               for child in sa.get("child-sas", {}).values())


def test_the_second_address_is_used_when_the_first_fails(lab: Lab) -> None:
    h1, h2, h3 = lab.hosts.values()
    for host in lab.hosts.values():
        put(lab, host, str(host.address), v6_of(host))
    lab.wait(lambda: all(host.peers()[p.id]["paths"] == 2 for host, p in pairs(lab)), 5, "two paths")
    lab.wait_all_up(20)
    assert all(address_of(a, b) == str(b.address) for a, b in pairs(lab)), "the first is the first"
    drop_ipv4(h2)
    try:
        lab.wait(lambda: {remote(lab, h1, h2), remote(lab, h2, h1)} == {v6_of(h1), v6_of(h2)}, 30,
                 "h1 and h2 meet by IPv6")
        lab.wait_all_up(30)
        assert address_of(h1, h3) == str(h3.address), "the others have no reason to change"
        # who of the two was first, the other takes over
        lab.wait(lambda: address_of(h1, h2) == v6_of(h2) and address_of(h2, h1) == v6_of(h1), 20,
                 "both choose what works")
        assert h1.plan() == []
        # a restart goes on by what works
        lab.wait(lambda: same_tunnel(h1, h2) and is_as_wanted(h1, h2) and is_as_wanted(h2, h1), 30,
                 "one tunnel, as both chose it")
        before = sas_of(h1, "h2")[0]["uniqueid"]
        h1.kill()
        h1.start()
        lab.wait_all_up(20)
        assert sas_of(h1, "h2")[0]["uniqueid"] == before and h1.plan() == []
    finally:
        h2.ns.nft("delete table ip cut\n")


def test_the_pair_that_the_other_end_uses_is_taken_over(lab: Lab) -> None:
    h1, h2, _ = lab.hosts.values()
    for host in lab.hosts.values():
        put(lab, host, str(host.address), v6_of(host))
    lab.wait(lambda: all(host.peers()[p.id]["paths"] == 2 for host, p in pairs(lab)), 5, "two paths")
    lab.wait_all_up(20)
    # h1 alone comes back with the other choice
    h1.kill()
    (h1.state_dir / "paths.json").write_text(json.dumps({"sennit_paths": 1, "paths": [
        {"peer": "h2", "local": v6_of(h1), "remote": v6_of(h2)}]}))
    h1.start()
    lab.wait(lambda: remote(lab, h1, h2) == v6_of(h2) and remote(lab, h2, h1) == v6_of(h1), 20,
             "h1's choice is built")
    lab.wait(lambda: address_of(h2, h1) == v6_of(h1), 20, "h2 takes it over")
    lab.wait_all_up(20)
    lab.wait(lambda: remote(lab, h2, h1) == v6_of(h1), 5, "and that is it")
    assert h1.plan() == h2.plan() == []


def test_a_first_address_of_a_family_we_lack_is_passed_over(lab: Lab) -> None:
    h1, h2, _ = lab.hosts.values()
    put(lab, h2, v6_of(h2), str(h2.address))
    lab.wait(lambda: h1.peers()["h2"]["paths"] == 1, 5, "the metadata are read")
    lab.wait_all_up(20)
    lab.wait(lambda: remote(lab, h1, h2) == str(h2.address), 20, "the one tunnel by IPv4")


def one_tunnel_by(lab: Lab, host: Host, address: str) -> bool:
    """Every pair of the host goes by this address, at both ends, and nothing else is left."""
    return all(remote(lab, peer, host) == address and len(sas_of(host, peer.id)) == 1
               for peer in lab.hosts.values() if peer is not host)


def test_a_new_address_beside_the_old_one_costs_nothing(lab: Lab) -> None:
    """The host has both when the metadata say the new one, as in a planned move."""
    h2, new = lab["h2"], str(host_address(40))
    h2.ns.ip(f"addr add {new}/24 dev eth0")
    try:
        with lab.flows(lab.pairs_of_hosts(), rate=100, echo=True) as flows, lab.watch() as watch:
            flows.wait_all_arrive(5)
            begin = time.monotonic()
            put(lab, h2, new)
            lab.wait(lambda: one_tunnel_by(lab, h2, new), 20, "all of h2's tunnels are new")
            print(f"planned: new tunnels, and only those, after {time.monotonic() - begin:.1f} s")
            flows.wait_all_arrive(5)
            report = flows.stop()
        print(f"planned: {report.table()}")
        # the emulated machine may take longer than health waits for an answer
        if DATAPLANE == "libipsec":
            assert not watch.of(now="down"), [str(c) for c in watch.changes]
        assert all(host.plan() == [] for host in lab.hosts.values())
        assert address_of(lab["h1"], h2) == new
        put(lab, h2, str(h2.address))
        lab.wait(lambda: one_tunnel_by(lab, h2, str(h2.address)), 20, "back again")
    finally:
        h2.ns.ip(f"addr del {new}/24 dev eth0")


def shown_at(lab: Lab, host: Host, address: str) -> bool:
    """What both ends say of this host's tunnels."""
    return all(host.peers()[peer.id]["tunnel"]["local_address"] == address ==
               peer.peers()[host.id]["tunnel"]["remote_address"]
               for peer in lab.hosts.values() if peer is not host)


def test_a_new_lease_needs_no_metadata(lab: Lab) -> None:
    """The old address is gone, and nobody but the host itself knows the new one. h2 owns one
    of its tunnels, and not the other."""
    h2, new = lab["h2"], host_address(41)
    old = h2.address
    try:
        with lab.flows(lab.pairs_of_hosts(), rate=100, echo=True) as flows, lab.watch() as watch:
            flows.wait_all_arrive(5)
            begin = time.monotonic()
            lab.wan.readdress("h2", h2.ns, new)
            lab.wait(lambda: all(sas_of(h2, p)[-1]["local-host"] == str(new) for p in ("h1", "h3")),
                     10, "h2 begins from the new address")
            flows.wait_all_arrive(10)
            print(f"new lease: all talk after {time.monotonic() - begin:.1f} s")
            lab.wait(lambda: one_tunnel_by(lab, h2, str(new)), 20, "new tunnels, and only those")
            print(f"new lease: {flows.stop().table()}")
        lab.wait(lambda: shown_at(lab, h2, str(new)), 5, "the status has it")
        assert address_of(lab["h1"], h2) == str(old), "and the metadata have not"
        assert all(host.plan() == [] for host in lab.hosts.values())
        changes = [str(c) for c in watch.changes if patient(1) == 1 or "h2" not in (c.host, c.what)]
        assert not changes, changes
        # a new sennitd takes them for what they are, and its peers do
        voided = lab["h1"].log.read_text().count("older tunnels are void")
        h2.kill()
        h2.start()
        lab.wait_all_up(20)
        # when they have it, that costs nothing
        with lab.flows(lab.pairs_of_hosts(), rate=100, echo=True) as flows:
            flows.wait_all_arrive(5)
            put(lab, h2, str(new))
            lab.wait(lambda: all(address_of(lab[p], h2) == str(new) for p in ("h1", "h3")), 20,
                     "the metadata are read")
            lab.wait(lambda: one_tunnel_by(lab, h2, str(new)) and
                     h2.peers()["h1"]["local_address"] == str(new), 20, "one tunnel each")
            flows.wait_all_arrive(5)
            lost = Counter(loss.pair for loss in flows.stop().lost())
        # the connections have another address: where the kernel carries ESP the moment may show
        assert max(lost.values(), default=0) <= (0 if DATAPLANE == "libipsec" else 3), lost
        assert lab["h1"].log.read_text().count("older tunnels are void") == voided
    finally:
        lab.wan.readdress("h2", h2.ns, old)
        put(lab, h2, str(old))
    lab.wait(lambda: one_tunnel_by(lab, h2, str(old)), 30, "the old one again")
    lab.wait_all_up(20)


@pytest.fixture
def wrong_entry(lab: Lab) -> Iterator[None]:
    """A host that registered by docker0's address, which others have themselves; it comes first."""
    h2 = lab["h2"]
    h2.ns.ip("link add docker0 type bridge", "addr add 172.17.0.1/16 dev docker0",
             "link set docker0 up")
    lab.mesh.add("h0", IPv4Address("172.17.0.1"), "10.42.99.0/24")
    lab.wait(lambda: "h0" in h2.peers(), 10, "the entry is read")
    yield
    lab.mesh.remove("h0")
    h2.ns.ip("link del docker0")
    lab.wait(lambda: "h0" not in h2.peers(), 10, "the entry is gone")


@pytest.mark.parametrize("tunnels_stand", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_wrong_entry_hides_no_move(lab: Lab, wrong_entry: None, tunnels_stand: bool) -> None:
    h2, new = lab["h2"], host_address(43)
    old = h2.address
    if not tunnels_stand:
        lab.wan.cut("h2")
        lab.wait(lambda: not any(h2.peers()[p]["tunnel"] for p in ("h1", "h3")), 30,
                 "no tunnel stands")
    lab.wan.readdress("h2", h2.ns, new)
    try:
        if not tunnels_stand:
            lab.wan.heal("h2")
        lab.wait(lambda: one_tunnel_by(lab, h2, str(new)), 30, "h2's tunnels begin where it is")
    finally:
        lab.wan.readdress("h2", h2.ns, old)
    lab.wait(lambda: one_tunnel_by(lab, h2, str(old)), 30, "the old one again")
    lab.wait_all_up(20)


@pytest.mark.slow
def test_who_is_silent_after_a_move_is_asked_where_it_is(lab: Lab) -> None:
    """What answers at the address that the metadata have, or does not, is somebody else."""
    h1, h2, _ = lab.hosts.values()
    new = host_address(42)
    lab.wan.readdress("h2", h2.ns, new)
    try:
        lab.wait(lambda: one_tunnel_by(lab, h2, str(new)), 20, "new tunnels, and only those")
        drop_ipv4(h2)
        lab.wait(lambda: h1.peers()["h2"]["cause"] == "no-answer" and
                 f"asked {new}:" in h1.peers()["h2"]["evidence"], 15, "asked at the new address")
    finally:
        h2.ns.nft("table ip cut\ndelete table ip cut\n")
        lab.wan.readdress("h2", h2.ns, h2.address)
    lab.wait(lambda: one_tunnel_by(lab, h2, str(h2.address)), 30, "the old one again")
    lab.wait_all_up(20)


@pytest.mark.slow
def test_a_lease_that_is_renewed_is_no_move(lab: Lab) -> None:
    """While there is no other address nothing is done, and the same one goes on."""
    h2 = lab["h2"]
    before = {p: lab.wait(lambda: tunnel_of(h2, p), 20, "one tunnel") for p in ("h1", "h3")}
    h2.ns.ip(f"addr del {h2.address}/24 dev eth0")
    lab.wait(lambda: lab["h1"].states()["h2"] == "down", 10, "it is missed")
    h2.ns.ip(f"addr add {h2.address}/24 dev eth0", f"route replace default via {GATEWAY}")
    lab.wait_all_up(10)
    with lab.flows(lab.pairs_of_hosts(), rate=50, echo=True) as flows:
        flows.wait_all_arrive(10)
    assert {p: tunnel_of(h2, p) for p in before} == before


@pytest.mark.slow
def test_the_first_pair_is_not_gone_back_to(lab: Lab) -> None:
    """What works is kept: a first address that comes and goes costs nothing."""
    h1, h2, _ = lab.hosts.values()
    for host in lab.hosts.values():
        put(lab, host, str(host.address), v6_of(host))
    lab.wait(lambda: all(host.peers()[p.id]["paths"] == 2 for host, p in pairs(lab)), 5, "two paths")
    lab.wait_all_up(20)
    try:
        drop_ipv4(h2)
        lab.wait(lambda: {remote(lab, h1, h2), remote(lab, h2, h1)} == {v6_of(h1), v6_of(h2)}, 30,
                 "h1 and h2 meet by IPv6")
        lab.wait(lambda: address_of(h1, h2) == v6_of(h2) and address_of(h2, h1) == v6_of(h1), 20,
                 "both choose it")
        lab.wait_all_up(30)
        before = lab.wait(lambda: same_tunnel(h1, h2) and is_as_wanted(h1, h2) and
                          is_as_wanted(h2, h1) and tunnel_of(h1, "h2"), 30, "one tunnel")
        with lab.watch() as watch:
            for _ in range(2):
                h2.ns.nft("delete table ip cut\n")
                begin = time.monotonic()
                # longer than a stay by one pair, and than what an SA of IPv4 would take
                lab.wait(lambda: time.monotonic() - begin > patient(6), 7,
                         "the first pair is there")
                lab.wait(lambda: tunnel_of(h1, "h2") == before, 20, "and the other one is kept")
                drop_ipv4(h2)
        assert not watch.changes, [str(c) for c in watch.changes]
    finally:
        h2.ns.nft("table ip cut\ndelete table ip cut\n")
