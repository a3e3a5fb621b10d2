# SPDX-License-Identifier: GPL-2.0-or-later
"""Each way in which packets would leak or be believed: how many do with the guard and without.

All daemons are stopped (SIGSTOP) meanwhile, so nothing is repaired: what holds is what
stands in the kernel. The guard is taken out from outside, there is no switch for it.
"""

import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from sennitlab import Lab, frames, programs, wait_for
from sennitlab.capture import now_ns
from sennitlab.container import Container
from sennitlab.kernel import bridge_of, tunnel_device
from sennitlab.wan import OUTSIDE, mac_of

PACKETS = 10
PORT = 7778
ETH_IPV4, ETH_ARP = 0x0800, 0x0806
FORGED, LAST = b"forged", b"last"
UNREACHABLE = "unreachable 10.42.0.0/16"
rows: list[str] = []


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def udp(source: str, target: str, payload: bytes = FORGED) -> bytes:
    return frames.ipv4(source, target, 17, frames.udp(PORT, PORT, payload))


# --- what leaves in clear: counted on the underlay


def in_clear(lab: Lab, act: Callable[[], object]) -> int:
    since = now_ns()
    act()
    return len(lab.capture.clear_packets(injected=True, since_ns=since))


def ping(container: Container, target: str) -> None:
    container.ns.run("ping", "-n", "-q", "-c", str(PACKETS), "-i", "0.1", "-W", "1", target,
                     check=False)


def interface_down(lab: Lab) -> int:
    host, device = lab["h1"], tunnel_device(lab["h1"], "h2")
    route = f"{lab['h2'].prefix} dev {device} proto 83 scope link src {lab.c('c1').gateway}"
    host.ns.ip(f"link set {device} down")
    try:
        return in_clear(lab, lambda: ping(lab.c("c1"), str(lab.c("c2").ip)))
    finally:
        host.ns.ip(f"link set {device} up", f"route replace {route}")


def interface_gone(lab: Lab) -> int:
    host, device = lab["h1"], tunnel_device(lab["h1"], "h2")
    link, = host.ns.ip_json("-d", "link", "show", "dev", device)
    number = link["linkinfo"]["info_data"]["if_id"]
    route = f"{lab['h2'].prefix} dev {device} proto 83 scope link src {lab.c('c1').gateway}"
    host.ns.ip(f"link del {device}")
    try:
        return in_clear(lab, lambda: ping(lab.c("c1"), str(lab.c("c2").ip)))
    finally:
        host.ns.ip(f"link add {device} mtu {link['mtu']} group {link['group']} type xfrm "
                     f"if_id {number}",
                   f"link set {device} alias {link['ifalias']} up", f"route add {route}")


def own_address_of_the_host(lab: Lab) -> int:
    """A packet of the host without an overlay source: the answer comes by the underlay."""
    host = lab["h1"]
    return in_clear(lab, lambda: host.ns.run(
        "ping", "-n", "-q", "-c", str(PACKETS), "-i", "0.1", "-W", "1", "-I", str(host.address),
        str(lab.c("c2").ip), check=False))


def not_translated(lab: Lab) -> int:
    """Packets that conntrack calls invalid leave with the container's own address."""
    c1 = lab.c("c1")
    bridge, = lab["h1"].ns.ip_json("link", "show", "dev", bridge_of(lab["h1"]))
    # a TCP segment whose header says it is shorter than a header can be
    broken = frames.ipv4(str(c1.ip), str(OUTSIDE), 6, bytes(12) + b"\x10\x10" + bytes(6))

    def act() -> None:
        with c1.raw() as raw:
            for _ in range(PACKETS):
                raw.send(frames.ethernet(mac(bridge["address"]), c1.mac, ETH_IPV4, broken))
        c1.ns.run("ping", "-n", "-q", "-c", "1", "-W", "1", str(OUTSIDE), check=False)

    return in_clear(lab, act)


# --- who is believed: counted at a container's ear


def heard(lab: Lab, ear: Container, act: Callable[[], None], last: Callable[[], object]) -> int:
    """How many forged packets arrive; last() sends honest ones by the same way."""
    count = 0
    with ear.udp(PORT) as sock:
        act()
        sock.settimeout(0.5)

        def done() -> bool:
            nonlocal count
            last()
            try:
                while (data := sock.recv(99)) != LAST:
                    count += data == FORGED
            except TimeoutError:
                return False
            return True

        wait_for(done, 10, f"{ear.name} hears the honest one", lab.describe)
    return count


def through_tunnel(lab: Lab, source: str, target: str, payload: bytes = FORGED,
                   times: int = PACKETS) -> None:
    """As h2 would send it, past its own guard, to h1."""
    with lab["h2"].ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as raw:
        for _ in range(times):
            raw.sendto(udp(source, target, payload), (tunnel_device(lab["h2"], "h1"), ETH_IPV4))


def foreign_source(lab: Lab) -> int:
    """h2 sends with an address of h3."""
    c1, c2, c3 = (lab.c(name) for name in ("c1", "c2", "c3"))
    return heard(lab, c1, lambda: through_tunnel(lab, str(c3.ip), str(c1.ip)),
                 lambda: through_tunnel(lab, str(c2.ip), str(c1.ip), LAST, 1))


def relay(lab: Lab) -> int:
    """h2 sends to h3 by way of h1."""
    c2, c3 = lab.c("c2"), lab.c("c3")

    def last() -> None:
        with c2.udp() as mouth:
            mouth.sendto(LAST, (str(c3.ip), PORT))

    return heard(lab, c3, lambda: through_tunnel(lab, str(c2.ip), str(c3.ip)), last)


def from_the_underlay(lab: Lab) -> int:
    c1, c2 = lab.c("c1"), lab.c("c2")
    frame = frames.ethernet(mac(mac_of(lab["h1"].address)), mac(mac_of(lab["h2"].address)),
                            ETH_IPV4, udp(str(lab["h2"].address), str(c1.ip)))

    def act() -> None:
        with lab["h2"].ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            for _ in range(PACKETS):
                raw.send(frame)

    return heard(lab, c1, act, lambda: through_tunnel(lab, str(c2.ip), str(c1.ip), LAST, 1))


def neighbours_address(lab: Lab) -> int:
    """A container sends with the address of another on its host."""
    c1, c2 = lab.c("c1"), lab.c("c2")
    bridge, = lab["h1"].ns.ip_json("link", "show", "dev", bridge_of(lab["h1"]))

    def send(source: str, payload: bytes, times: int) -> None:
        with c1.raw() as raw:
            for _ in range(times):
                raw.send(frames.ethernet(mac(bridge["address"]), c1.mac, ETH_IPV4,
                                         udp(source, str(c2.ip), payload)))

    return heard(lab, c2, lambda: send("10.42.1.99", FORGED, PACKETS),
                 lambda: send(str(c1.ip), LAST, 1))


def neighbours_address_by_arp(lab: Lab) -> int:
    """A container says that the address of another on its host is at its MAC."""
    c1, h1 = lab.c("c1"), lab["h1"]
    name = bridge_of(h1)
    bridge, = h1.ns.ip_json("link", "show", "dev", name)

    def frame(address: str) -> bytes:
        to = mac(bridge["address"])
        return frames.ethernet(to, c1.mac, ETH_ARP, frames.arp(
            frames.ARP_REPLY, c1.mac, address, to, str(c1.gateway)))

    count = 0
    with h1.ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as ear, c1.raw() as raw:
        ear.bind((name, ETH_ARP))
        ear.settimeout(10)
        for _ in range(PACKETS):
            raw.send(frame("10.42.1.99"))
        raw.send(frame(str(c1.ip)))
        while (data := ear.recv(99)) != frame(str(c1.ip)):
            count += data == frame("10.42.1.99")
    return count


@dataclass(frozen=True)
class Hole:
    name: str
    count: Callable[[Lab], int]


HOLES = [
    Hole("the peer's interface goes down: by the default route", interface_down),
    Hole("the peer's interface is deleted: by the default route", interface_gone),
    Hole("a packet of the host without overlay source: its answer", own_address_of_the_host),
    Hole("an INVALID packet of a container: not translated", not_translated),
    Hole("a peer sends with another's address", foreign_source),
    Hole("a peer relays through this host to a third", relay),
    Hole("clear packets from the underlay reach a container", from_the_underlay),
    Hole("a container sends with its neighbour's address", neighbours_address),
    Hole("a container claims its neighbour's address by ARP", neighbours_address_by_arp),
]


# --- with and without


@pytest.fixture(scope="module")
def bare(built: programs.Programs) -> Iterator[Lab]:
    """A lab whose capture nobody judges: it is to show packets in clear."""
    with Lab(containers=1) as made:
        made.start()
        made.c("c1").wait_ping(made.c("c2"))
        made.c("c2").wait_ping(made.c("c3"))
        yield made
    print("\n".join([f"\n{'of ' + str(PACKETS) + ' packets':60} without  with the guard", *rows]))


def take_guard_out(lab: Lab) -> None:
    for host in lab.hosts.values():
        # what translates containers' addresses for the outside is no guard and stays
        host.ns.nft("".join(f"flush chain inet sennit {chain}\n"
                            for chain in ("prerouting", "forward", "postrouting"))
                    + "delete table bridge sennit\n")
        host.ns.run("ip", "route", "del", *UNREACHABLE.split())


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.count.__name__)
def test_the_guard_closes_the_hole(bare: Lab, hole: Hole) -> None:
    lab = bare
    for host in lab.hosts.values():
        host.signal(signal.SIGSTOP)
    try:
        guarded = hole.count(lab)
        take_guard_out(lab)
        without = hole.count(lab)
    finally:
        for host in lab.hosts.values():
            host.signal(signal.SIGCONT)
    lab.wait(lambda: all(host.plan() == [] for host in lab.hosts.values()), 15, "all is repaired")
    rows.append(f"{hole.name:60} {without:7} {guarded:15}")
    assert without > 0, "not a hole: the test shows nothing"
    assert guarded == 0
