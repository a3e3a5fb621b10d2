# SPDX-License-Identifier: GPL-2.0-or-later
"""The MTU comes from the underlay, and links and running containers follow it."""

import json
import socket
from collections.abc import Iterator

import pytest

from sennitlab import Lab
from sennitlab.container import Container
from sennitlab.host import Host
from sennitlab.kernel import bridge_of, own_links
from sennitlab.metrics import Page

LAB = {"containers": 1}
NARROW = 1300
# IPv4, UDP, SPI and sequence number, IV, ICV, and two bytes at the end (plan/mtu.c)
OVERHEAD = 20 + 8 + 8 + 8 + 16 + 2
LIBIPSEC_MAX = 1400
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    lab.wait_all_up()
    yield lab["h1"]
    for one in lab.hosts.values():
        one.ns.ip("link set dev eth0 mtu 1500")
    lab.wait(lambda: mtus(lab.c("c1")) == {expected(lab["h1"], 1500)}, 5, "all is as before")
    lab.wait_all_up()


def expected(host: Host, underlay: int) -> int:
    room = (underlay - OVERHEAD + 2) // 4 * 4 - 2
    libipsec = host.status()["dataplane"]["name"] == "libipsec"
    return min(room, LIBIPSEC_MAX) if libipsec else room


def mtus(container: Container) -> set[int]:
    """Of the container's interface, its other end, the bridge and our tunnel links."""
    inside, = container.ns.ip_json("link", "show", "dev", "eth0")
    return {inside["mtu"], *(link["mtu"] for link in own_links(container.host).values())}


def repairs(host: Host) -> float:
    page = Page(host.http("/metrics")[1])
    return sum(page("sennit_reconcile_repairs_total", kind=kind) for kind in ("link", "route"))


def passes(source: Container, target: Container, size: int) -> bool:
    """One IP packet of this size, that must not be fragmented, arrives."""
    payload = bytes(size - 28)
    with target.udp() as there, source.udp() as here:
        here.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        try:
            here.sendto(payload, (str(target.ip), there.getsockname()[1]))
            return there.recv(65536) == payload
        except (OSError, TimeoutError):
            return False


def mss_that_arrives(source: Container, target: Container) -> int:
    """The segment size that a SYN of source offers, as target sees it (RFC 9293 §3.7.1)."""
    with target.raw() as there, source.ns.socket(socket.AF_INET, socket.SOCK_STREAM) as here:
        here.setblocking(False)
        here.connect_ex((str(target.ip), 9))
        while True:
            packet = there.recv(2048)[14:]
            tcp = packet[20:]
            if packet[9:10] == b"\x06" and tcp[13] == 0x02:
                assert tcp[20:22] == b"\x02\x04", "the first option is the MSS"
                return int.from_bytes(tcp[22:24], "big")


def test_a_segment_size_that_does_not_fit_is_lowered(lab: Lab, host: Host) -> None:
    c1, fits = lab.c("c1"), expected(host, 1500)
    c1.ns.ip("link set dev eth0 mtu 1500")
    assert mss_that_arrives(c1, lab.c("c2")) == fits - 40
    c1.ns.ip("link set dev eth0 mtu 1000")
    assert mss_that_arrives(c1, lab.c("c2")) == 960, "a smaller one is let be"
    c1.ns.ip(f"link set dev eth0 mtu {fits}")


def test_an_ordinary_underlay(lab: Lab, host: Host) -> None:
    assert mtus(lab.c("c1")) == {expected(host, 1500)}
    assert passes(lab.c("c1"), lab.c("c2"), expected(host, 1500))
    assert not passes(lab.c("c1"), lab.c("c2"), expected(host, 1500) + 1)


def test_a_running_container_follows_the_underlay_down_and_up(lab: Lab, host: Host) -> None:
    c1, before = lab.c("c1"), repairs(host)
    host.ns.ip(f"link set dev eth0 mtu {NARROW}")
    narrow = expected(host, NARROW)
    lab.wait(lambda: mtus(c1) == {narrow}, 5, f"everything has {narrow}")
    assert passes(c1, lab.c("c2"), narrow)
    assert not passes(c1, lab.c("c2"), narrow + 1)
    # attached now: like those that are there
    extra = lab.add_container(host)
    extra.attach()
    assert mtus(extra) == {narrow}
    host.ns.ip("link set dev eth0 mtu 1500")
    lab.wait(lambda: mtus(c1) | mtus(extra) == {expected(host, 1500)}, 5, "everything is back")
    extra.detach()
    assert host.plan() == []
    assert repairs(host) == before, "nobody has meddled"


def test_what_changed_while_sennitd_was_away_is_made_up_for(lab: Lab, host: Host) -> None:
    c1 = lab.c("c1")
    host.kill()
    host.ns.ip(f"link set dev eth0 mtu {NARROW}")
    host.start()
    lab.wait(lambda: mtus(c1) == {expected(host, NARROW)}, 10, "the container knows")


def test_an_mtu_of_the_containers_owner_stays(lab: Lab, host: Host) -> None:
    c1 = lab.c("c1")
    c1.ns.ip("link set dev eth0 mtu 1000")
    host.ns.ip(f"link set dev eth0 mtu {NARROW}")
    lab.wait(lambda: {link["mtu"] for link in own_links(host).values()}
             == {expected(host, NARROW)}, 5, "the host's side follows")
    host.ns.ip("link set dev eth0 mtu 1500")
    lab.wait(lambda: {link["mtu"] for link in own_links(host).values()}
             == {expected(host, 1500)}, 5, "and back")
    inside, = c1.ns.ip_json("link", "show", "dev", "eth0")
    assert inside["mtu"] == 1000
    c1.ns.ip(f"link set dev eth0 mtu {expected(host, 1500)}")


def test_a_configured_mtu_that_does_not_fit_is_said(lab: Lab, host: Host) -> None:
    host.ns.ip(f"link set dev eth0 mtu {NARROW}")
    settings = host.settings
    lab.configure(host, {**settings, "mtu": 1390})
    host.cli("reload")
    lab.wait(lambda: mtus(lab.c("c1")) == {1390}, 5, "what is configured holds")
    assert "mtu 1390 is more than the 1238" in json.dumps(host.status()["dataplane"]["remarks"])
    assert bridge_of(host) in own_links(host)
    lab.configure(host, settings)
    host.cli("reload")
