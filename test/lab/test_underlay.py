# SPDX-License-Identifier: GPL-2.0-or-later
"""The hosts' own addresses: IPv6, several, and changed while everything runs."""

from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from sennitlab import Lab
from sennitlab.capture import now_ns
from sennitlab.classify import EXPECTED
from sennitlab.host import Host
from sennitlab.sas import sas_of

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
        assert address_of(h1, h2) == v6_of(h2) and h1.plan() == []
        # a restart goes on by what works
        before = sas_of(h1, "h2")[0]["uniqueid"]
        h1.kill()
        h1.start()
        lab.wait_all_up(20)
        assert sas_of(h1, "h2")[0]["uniqueid"] == before and h1.plan() == []
    finally:
        h2.ns.nft("delete table ip cut\n")


def test_a_first_address_of_a_family_we_lack_is_passed_over(lab: Lab) -> None:
    h1, h2, _ = lab.hosts.values()
    put(lab, h2, v6_of(h2), str(h2.address))
    lab.wait(lambda: h1.peers()["h2"]["paths"] == 1, 5, "the metadata are read")
    lab.wait_all_up(20)
    assert remote(lab, h1, h2) == str(h2.address)
