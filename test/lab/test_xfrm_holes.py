# SPDX-License-Identifier: GPL-2.0-or-later
"""Each way in which packets would leak or be believed: how many do with the guard and without.

All daemons are stopped (SIGSTOP) meanwhile, or dead where the row says so, and nothing is
repaired: what holds is what stands in the kernel. The guard is taken out from outside, there
is no switch for it.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from sennitlab import Lab, frames, patient, proc, programs, wait_for
from sennitlab.capture import now_ns
from sennitlab.container import Container
from sennitlab.host import Host
from sennitlab.kernel import bridge_of, own_links, own_routes, own_tables, tunnel_device
from sennitlab.sas import sas_of, tunnel_of
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


def ping(place: Container | Host, target: str, *options: str) -> None:
    place.ns.run("ping", "-n", "-q", "-c", str(PACKETS), "-i", "0.1", "-W", "1", *options, target,
                 check=False)


def ping_peer(lab: Lab) -> int:
    """A container of h1 sends to one of h2, whatever there is between them."""
    return in_clear(lab, lambda: ping(lab.c("c1"), str(lab.c("c2").ip)))


def interface_down(lab: Lab) -> int:
    host, device = lab["h1"], tunnel_device(lab["h1"], "h2")
    route = f"{lab['h2'].prefix} dev {device} proto 83 scope link src {lab.c('c1').gateway}"
    host.ns.ip(f"link set {device} down")
    try:
        return ping_peer(lab)
    finally:
        host.ns.ip(f"link set {device} up", f"route replace {route}")


def interface_gone(lab: Lab) -> int:
    host, device = lab["h1"], tunnel_device(lab["h1"], "h2")
    link, = host.ns.ip_json("-d", "link", "show", "dev", device)
    number = link["linkinfo"]["info_data"]["if_id"]
    route = f"{lab['h2'].prefix} dev {device} proto 83 scope link src {lab.c('c1').gateway}"
    host.ns.ip(f"link del {device}")
    try:
        return ping_peer(lab)
    finally:
        host.ns.ip(f"link add {device} mtu {link['mtu']} group {link['group']} type xfrm "
                     f"if_id {number}",
                   f"link set {device} alias {link['ifalias']} up", f"route add {route}")


def own_address_of_the_host(lab: Lab) -> int:
    """A packet of the host without an overlay source: the answer comes by the underlay."""
    host = lab["h1"]
    return in_clear(lab, lambda: ping(host, str(lab.c("c2").ip), "-I", str(host.address)))


def while_reloaded(lab: Lab) -> int:
    """SIGHUP again and again, each time the guard's text is another one: it is replaced. The
    host's own packets, as above, would get their answers in the moments between."""
    h1, settings = lab["h1"], lab["h1"].settings
    sender = ["ping", "-n", "-q", "-i", "0.01", "-I", str(h1.address), str(lab.c("c2").ip)]
    if len(own_tables(h1)) < 2:
        return own_address_of_the_host(lab)  # it would come back
    since = now_ns()
    h1.signal(signal.SIGCONT)
    with subprocess.Popen(h1.ns.argv(*sender), stdout=subprocess.DEVNULL) as flood:
        try:
            for masquerade in (False, True) * 3:
                before = own_tables(h1)
                lab.configure(h1, {**settings, "masquerade": masquerade})
                h1.signal(signal.SIGHUP)
                lab.wait(lambda: own_tables(h1) != before, 10, "the guard is another")
        finally:
            flood.kill()
            h1.signal(signal.SIGSTOP)
            lab.configure(h1, settings)
    return len(lab.capture.clear_packets(injected=True, since_ns=since))


def while_rekeyed(lab: Lab) -> int:
    h1 = lab["h1"]

    def act() -> None:
        for what in ("child", "ike"):
            before = tunnel_of(h1, "h2")
            with h1.vici() as vici:
                child, = vici.list_conns()["sennit-h2"]["children"]
                vici.request("rekey", {what: {"child": child, "ike": "sennit-h2"}[what]})
            ping(lab.c("c1"), str(lab.c("c2").ip))
            lab.wait(lambda: tunnel_of(h1, "h2") != before, 10, f"new keys of the {what}")

    return in_clear(lab, act)


def charon_hangs_up(lab: Lab) -> int:
    """SIGHUP: it reads its settings again."""
    pid = lab["h1"].charon_pid()
    assert pid
    proc.send(pid, signal.SIGHUP)
    return ping_peer(lab)


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


def past_rp_filter(lab: Lab) -> int:
    """The same, and the kernel is told to look (it does not, of what came by ESP)."""
    paths = [f"/proc/sys/net/ipv4/conf/{name}/rp_filter"
             for name in ("all", tunnel_device(lab["h1"], "h2"))]
    before = [lab["h1"].ns.run("cat", path).stdout.strip() for path in paths]

    def write(*values: str) -> None:
        for path, value in zip(paths, values, strict=True):
            lab["h1"].ns.run("sh", "-c", f"echo {value} >{path}")

    write("1", "1")
    try:
        return foreign_source(lab)
    finally:
        write(*before)


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


def mac_of_bridge(lab: Lab) -> bytes:
    bridge, = lab["h1"].ns.ip_json("link", "show", "dev", bridge_of(lab["h1"]))
    return mac(bridge["address"])


def as_neighbour(lab: Lab) -> int:
    """A container sends through the tunnel with the address of another on its host."""
    c1, c2 = lab.c("c1"), lab.c("c2")

    def send(source: str, payload: bytes, times: int) -> None:
        with c1.raw() as raw:
            for _ in range(times):
                raw.send(frames.ethernet(mac_of_bridge(lab), c1.mac, ETH_IPV4,
                                         udp(source, str(c2.ip), payload)))

    return heard(lab, c2, lambda: send(str(lab.c("c4").ip), FORGED, PACKETS),
                 lambda: send(str(c1.ip), LAST, 1))


def as_host(lab: Lab) -> int:
    """A container sends to its neighbour with the address of their host."""
    c1, c4 = lab.c("c1"), lab.c("c4")

    def send(source: str, payload: bytes, times: int) -> None:
        with c1.raw() as raw:
            for _ in range(times):
                raw.send(frames.ethernet(c4.mac, c1.mac, ETH_IPV4,
                                         udp(source, str(c4.ip), payload)))

    return heard(lab, c4, lambda: send(str(c1.gateway), FORGED, PACKETS),
                 lambda: send(str(c1.ip), LAST, 1))


def claims(lab: Lab, ear: socket.socket, to: bytes, address: str) -> int:
    """How often the ear hears that this address is at c1's MAC; c1 says so by ARP."""
    c1 = lab.c("c1")

    def frame(said: str) -> bytes:
        return frames.ethernet(to, c1.mac, ETH_ARP, frames.arp(
            frames.ARP_REPLY, c1.mac, said, to, str(c1.gateway)))

    count = 0
    ear.settimeout(patient(10))
    with c1.raw() as raw:
        for _ in range(PACKETS):
            raw.send(frame(address))
        raw.send(frame(str(c1.ip)))
        while (data := ear.recv(99)) != frame(str(c1.ip)):
            count += data == frame(address)
    return count


def as_neighbour_by_arp(lab: Lab) -> int:
    """A container tells its host that its neighbour's address is at its own MAC."""
    h1 = lab["h1"]
    with h1.ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as ear:
        ear.bind((bridge_of(h1), ETH_ARP))
        return claims(lab, ear, mac_of_bridge(lab), str(lab.c("c4").ip))


def as_host_by_arp(lab: Lab) -> int:
    """A container tells its neighbour that the gateway is at its own MAC."""
    with lab.c("c4").raw(ETH_ARP) as ear:
        return claims(lab, ear, lab.c("c4").mac, str(lab.c("c1").gateway))


# --- moments: what the daemons are while packets are counted


@contextmanager
def stopped(lab: Lab, *names: str) -> Iterator[None]:
    """Every sennitd stands still, or these."""
    hosts = [lab[name] for name in names or lab.hosts]
    for host in hosts:
        host.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for host in hosts:
            host.signal(signal.SIGCONT)


@contextmanager
def without_sennitd(lab: Lab, end: Callable[[Host], object]) -> Iterator[None]:
    end(lab["h1"])
    try:
        with stopped(lab, "h2", "h3"):
            yield
    finally:
        lab["h1"].start()
        lab["h1"].wait_answers()


@contextmanager
def started(lab: Lab) -> Iterator[None]:
    """h1 after a boot, its sennitd has come as far as the guard: others have the names of its
    links."""
    host = lab["h1"]
    devices = [tunnel_device(host, peer) for peer in ("h2", "h3")]
    host.end()
    host.ns.nft("delete table inet sennit\ndelete table bridge sennit\n")
    host.ns.ip(f"route del {UNREACHABLE}", *(f"link del {device}" for device in devices),
               *(f"link add {device} type dummy" for device in devices))
    host.start()
    lab.wait(lambda: len(own_tables(host)) == 2 and UNREACHABLE in "".join(own_routes(host)), 10,
             "the guard stands")
    assert not set(devices) & set(own_links(host))
    try:
        with stopped(lab):
            yield
    finally:
        host.ns.ip(*(f"link del {device}" for device in devices))


@contextmanager
def removed(lab: Lab) -> Iterator[None]:
    """h2 is no host of the mesh any more."""
    entry = lab.mesh.remove("h2")
    try:
        for name in ("h1", "h3"):
            lab.wait(lambda: "h2" not in lab[name].states() and not lab[name].plan(), 20,
                     f"h2 is no peer of {name}")
        with stopped(lab):
            yield
    finally:
        lab.mesh.put_back(entry)


@contextmanager
def without_charon(lab: Lab, sig: signal.Signals) -> Iterator[None]:
    with stopped(lab):
        pid = lab["h1"].charon_pid()
        assert pid
        proc.send(pid, sig)
        lab.wait(lambda: not proc.is_alive(pid), 10, "charon ended")
        yield


@contextmanager
def charon_again(lab: Lab) -> Iterator[None]:
    """A new charon runs, and nobody has told it of peers yet."""
    host = lab["h1"]
    path = os.readlink(f"/proc/{host.charon_pid()}/exe")
    conf = host.run_dir / "strongswan.conf"
    with without_charon(lab, signal.SIGKILL), subprocess.Popen(
            host.ns.argv("env", f"STRONGSWAN_CONF={conf}", path),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as charon:
        try:
            lab.wait(lambda: host.sas() == [], 10, "a new charon answers")
            yield
        finally:
            charon.kill()


@contextmanager
def given_up(lab: Lab) -> Iterator[None]:
    """h2 is cut off, and charon of h1 has no SA with it any more."""
    h1 = lab["h1"]
    lab.wan.cut("h2")
    try:
        lab.wait(lambda: not any(sa["state"] == "ESTABLISHED" for sa in sas_of(h1, "h2")), 60,
                 "charon gives h2 up")
        with stopped(lab):
            yield
    finally:
        lab.wan.heal("h2")


@dataclass(frozen=True)
class Hole:
    name: str
    count: Callable[[Lab], int]
    moment: Callable[[Lab], AbstractContextManager[None]] = stopped
    # whatever the guard does, the interface of a peer carries nothing but by an SA
    closed_twice: bool = False

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


HOLES = [
    Hole("the peer's interface goes down: by the default route", interface_down),
    Hole("the peer's interface is deleted: by the default route", interface_gone),
    Hole("the same, and sennitd ended (SIGTERM)", interface_gone,
         lambda lab: without_sennitd(lab, Host.stop)),
    Hole("the same, and sennitd crashed (SIGKILL)", interface_down,
         lambda lab: without_sennitd(lab, Host.kill)),
    Hole("sennitd starts: no tunnel has an interface yet", ping_peer, started),
    Hole("the peer was removed: by the default route", ping_peer, removed),
    Hole("a packet of the host without overlay source: its answer", own_address_of_the_host),
    Hole("the same while sennitd is reloaded", while_reloaded),
    Hole("an INVALID packet of a container: not translated", not_translated),
    Hole("a peer sends with another's address", foreign_source),
    Hole("the same, and rp_filter is on", past_rp_filter),
    Hole("a peer relays through this host to a third", relay),
    Hole("clear packets from the underlay reach a container", from_the_underlay),
    Hole("a container sends with its neighbour's address", as_neighbour),
    Hole("a container sends with its host's address", as_host),
    Hole("a container claims its neighbour's address by ARP", as_neighbour_by_arp),
    Hole("a container claims its host's address by ARP", as_host_by_arp),
    Hole("charon rekeys child and IKE_SA", while_rekeyed, closed_twice=True),
    Hole("charon is reloaded (SIGHUP)", charon_hangs_up, closed_twice=True),
    Hole("charon ends (SIGTERM)", ping_peer,
         lambda lab: without_charon(lab, signal.SIGTERM), closed_twice=True),
    Hole("charon crashes (SIGKILL)", ping_peer,
         lambda lab: without_charon(lab, signal.SIGKILL), closed_twice=True),
    Hole("charon starts", ping_peer, charon_again, closed_twice=True),
    Hole("dead peer detection gives up", ping_peer, given_up, closed_twice=True),
]


# --- with and without


@pytest.fixture(scope="module")
def bare(built: programs.Programs) -> Iterator[Lab]:
    """A lab whose capture nobody judges: it is to show packets in clear. h1 has c1 and c4."""
    with Lab(containers=1) as made:
        made.add_container(made["h1"])
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


def settle(lab: Lab) -> None:
    lab.wait(lambda: all(host.plan() == [] for host in lab.hosts.values()), 15, "all is repaired")
    lab.wait_all_up(30)


@pytest.mark.parametrize("hole", HOLES, ids=str)
def test_the_guard_closes_the_hole(bare: Lab, hole: Hole) -> None:
    lab = bare
    with hole.moment(lab):
        guarded = hole.count(lab)
        take_guard_out(lab)
        without = hole.count(lab)
    settle(lab)
    rows.append(f"{hole.name:60} {without:7} {guarded:15}")
    if hole.closed_twice:
        assert without == 0
    else:
        assert without > 0, "not a hole: the test shows nothing"
    assert guarded == 0
