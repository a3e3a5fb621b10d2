# SPDX-License-Identifier: GPL-2.0-or-later
"""An overlay of IPv6: what the other suites show of IPv4, with its own ways to cheat."""

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sennitlab import Lab, frames, patient
from sennitlab.capture import now_ns
from sennitlab.classify import EXPECTED
from sennitlab.container import Container
from sennitlab.kernel import bridge_of, tunnel_device
from sennitlab.metadata import OVERLAY6
from sennitlab.netns import Namespace
from sennitlab.tunnel import tunnel_of_h1
from sennitlab.wan import mac_of

LAB = {"containers": 2, "overlay": OVERLAY6}
PORT = 7777
LEGITIMATE, FORGED = b"legitimate", b"forged"
ETH_ALL, ETH_IPV4, ETH_IPV6 = 0x0003, 0x0800, 0x86dd
UDP, ICMP6 = 17, 58


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def udp_packet(source: object, target: object, payload: bytes, port: int = PORT) -> bytes:
    return frames.ipv6(str(source), str(target), UDP, frames.udp(port, PORT, payload))


def clean(lab: Lab) -> None:
    found = lab.capture.clear_packets()
    assert not found, f"{len(found)} in clear: {found[0]}"
    assert lab.capture.plaintext() == 0


# --- what is good


def test_every_container_reaches_every_other(lab: Lab) -> None:
    since = now_ns()
    with lab.flows(rate=50) as flows:
        flows.wait_all_arrive(5)
        flows.wait_sent(100, 10)
        report = flows.stop()
    assert len(report.sent) == 30
    assert not report.lost(), report.table()
    seen = lab.capture.classes(since)
    assert seen["esp-in-udp"] > 100 and not set(seen) - EXPECTED, seen


def test_packets_larger_than_the_tunnel_come_through_in_fragments(lab: Lab) -> None:
    with lab.flows(lab.pairs(across=True), size=3000) as flows:
        flows.wait_all_arrive(5)
        report = flows.stop()
    assert not report.lost(), report.table()


def test_the_path_says_what_it_carries(lab: Lab) -> None:
    """A way to a peer that is narrower than the containers' links: ICMPv6 packet too big."""
    c1, c3, h1 = lab.c("c1"), lab.c("c3"), lab["h1"]
    route = (lab["h2"].prefix, "dev", tunnel_device(h1, "h2"), "proto", "83", "metric", "1024",
             "src", str(c1.gateway))
    h1.ns.run("ip", "-6", "route", "replace", *route, "mtu", "1300")
    try:
        too_large = c1.ns.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s",
                              "1320", str(c3.ip), check=False)
        assert "mtu" in too_large.stdout and "1300" in too_large.stdout, too_large
        assert "mtu 1300" in c1.ns.run("ip", "-6", "route", "get", str(c3.ip)).stdout
    finally:
        h1.ns.run("ip", "-6", "route", "replace", *route)
        c1.ns.run("ip", "-6", "route", "flush", "cache")


def test_neighbours_are_found_again(lab: Lab) -> None:
    """By honest discovery, both ways: the containers' and the host's."""
    c1, c2, c3 = lab.c("c1"), lab.c("c2"), lab.c("c3")
    for ns in (c1.ns, c2.ns, lab["h1"].ns):
        ns.run("ip", "-6", "neigh", "flush", "all")
    assert c1.ping(c2) and c1.ping(c3)
    lab["h1"].ns.run("ip", "-6", "neigh", "flush", "all")
    assert c3.ping(c1), "h1 asks for c1 by its link-local address"


def test_nothing_is_left_to_do(lab: Lab) -> None:
    for host in lab.hosts.values():
        assert host.plan() == [], f"{host.id} still plans {host.plan()}"


def test_the_faces_tell_it(lab: Lab) -> None:
    status = json.loads(lab["h1"].cli("status", "--json").stdout)
    assert status["mesh"]["overlay"] == OVERLAY6
    assert status["host"]["overlay_ip"] == "fd42:0:0:1::1"
    assert {p["overlay_ip"] for p in status["peers"]} == {"fd42:0:0:2::1", "fd42:0:0:3::1"}


# --- from the underlay


@pytest.mark.parametrize("source", ["fd42:0:0:2::2", "fd42:0:0:1::3", "2001:db8::12"])
def test_what_comes_in_clear_from_the_underlay_goes_nowhere(lab: Lab, source: str) -> None:
    target = lab.c("c1")
    frame = frames.ethernet(mac(mac_of(lab["h1"].address)), mac(mac_of(lab["h2"].address)),
                            ETH_IPV6, udp_packet(source, target.ip, FORGED))
    lab.capture.mark_injected(frame)
    with target.udp(PORT) as ear, lab.c("c3").udp() as mouth:
        with lab["h2"].ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            raw.send(frame)
        # by the same wire, so later than the forged one
        mouth.sendto(LEGITIMATE, (str(target.ip), PORT))
        assert ear.recv(99) == LEGITIMATE


# --- from a container

OTHER_MAC = mac("02:11:22:33:44:55")


def forged_by_container(c1: Container, c2: Container, elsewhere: Container) -> dict[str, bytes]:
    """What c1 must not be able to send to its neighbour c2, by name."""
    local, gateway = frames.link_local(c1.mac), c1.gateway
    own = frames.mac_option(frames.TARGET_MAC, c1.mac)
    other = frames.mac_option(frames.TARGET_MAC, OTHER_MAC)

    def frame(packet: bytes, source: bytes = c1.mac) -> bytes:
        return frames.ethernet(c2.mac, source, ETH_IPV6, packet)

    def udp(source: object) -> bytes:
        return frame(udp_packet(source, c2.ip, FORGED))

    def icmp(source: object, message: bytes) -> bytes:
        return frame(frames.ipv6(str(source), str(c2.ip), ICMP6, message))

    return {
        "another's address": udp("fd42:0:0:1::200"),
        "an address of another host": udp(elsewhere.ip),
        "the gateway's address": udp(gateway),
        "an address outside": udp("2001:db8::7"),
        "another's link-local address": udp(frames.link_local(c2.mac)),
        "no address": udp("::"),
        "another MAC": frame(udp_packet(c1.ip, c2.ip, FORGED), OTHER_MAC),
        "tagged": frames.vlan(udp("fd42:0:0:1::200"), 5),
        "tagged, with its own address": frames.vlan(udp(c1.ip), 5),
        "IPv4": frames.ethernet(c2.mac, c1.mac, ETH_IPV4, frames.ipv4(
            "10.42.1.2", "10.42.1.3", UDP, frames.udp(PORT, PORT, FORGED))),
        "advertises the gateway": icmp(c1.ip, frames.neighbour(136, gateway, own)),
        "advertises the gateway, link-local": icmp(local, frames.neighbour(136, gateway, own)),
        "advertises the gateway, no option": icmp(c1.ip, frames.neighbour(136, gateway)),
        "advertises another MAC": icmp(c1.ip, frames.neighbour(136, c1.ip, other)),
        "advertises two MACs": icmp(c1.ip, frames.neighbour(136, c1.ip, own + other)),
        "asks with another MAC": icmp(c1.ip, frames.neighbour(
            135, c2.ip, frames.mac_option(frames.SOURCE_MAC, OTHER_MAC))),
        "asks as the gateway": icmp(gateway, frames.neighbour(
            135, c2.ip, frames.mac_option(frames.SOURCE_MAC, c1.mac))),
        "advertises a router": icmp(local, frames.router_advertisement(1800)),
        "redirects": icmp(local, frames.icmp6(137, bytes(4), elsewhere.ip.packed + c1.ip.packed)),
        "asks for a router": icmp(local, frames.icmp6(133, bytes(4))),
        "asks for listeners": icmp(local, frames.icmp6(130, struct.pack("!HH", 1000, 0), bytes(20))),
        "answers by DHCPv6": frame(udp_packet(local, c2.ip, FORGED, 547)),
    }


NAMES = ("another's address", "an address of another host", "the gateway's address",
         "an address outside", "another's link-local address", "no address", "another MAC",
         "tagged", "tagged, with its own address", "IPv4", "advertises the gateway",
         "advertises the gateway, link-local", "advertises the gateway, no option",
         "advertises another MAC", "advertises two MACs", "asks with another MAC",
         "asks as the gateway", "advertises a router", "redirects", "asks for a router",
         "asks for listeners", "answers by DHCPv6")


def heard_of(c1: Container, c2: Container, frame: bytes) -> list[bytes]:
    """What comes to c2 of this frame and a good one behind it."""
    good = frames.ethernet(c2.mac, c1.mac, ETH_IPV6, udp_packet(c1.ip, c2.ip, LEGITIMATE))
    with c2.raw() as ear, c1.raw() as mouth:
        mouth.send(frame)
        mouth.send(good)
        heard = [ear.recv(2000)]
        while good not in heard:
            heard.append(ear.recv(2000))
    return heard


@pytest.mark.parametrize("name", NAMES)
def test_a_container_is_nobody_else_to_its_neighbour(lab: Lab, name: str) -> None:
    c1, c2 = lab.c("c1"), lab.c("c2")
    forged = forged_by_container(c1, c2, lab.c("c3"))
    assert set(forged) == set(NAMES)
    heard = heard_of(c1, c2, forged[name])
    assert forged[name] not in heard
    # a packet socket hears what was behind a tag
    assert not name.startswith("tagged") or forged[name][:12] + forged[name][16:] not in heard


@pytest.mark.parametrize("kind, option", [(135, 1), (135, None), (136, 2), (136, None)])
def test_a_container_may_ask_and_answer_for_itself(lab: Lab, kind: int, option: int | None) -> None:
    c1, c2 = lab.c("c1"), lab.c("c2")
    options = frames.mac_option(option, c1.mac) if option else b""
    for source in (str(c1.ip), frames.link_local(c1.mac)):
        packet = frames.ipv6(source, str(c2.ip), ICMP6, frames.neighbour(
            kind, c2.ip if kind == frames.SOLICITATION else source, options))
        frame = frames.ethernet(c2.mac, c1.mac, ETH_IPV6, packet)
        assert frame in heard_of(c1, c2, frame)


@pytest.mark.parametrize("source", ["fd42:0:0:1::200", "fd42:0:0:3::2", "2001:db8::11"])
def test_a_container_is_nobody_else_across_the_tunnel(lab: Lab, source: str) -> None:
    c1, c3 = lab.c("c1"), lab.c("c3")
    bridge, = lab["h1"].ns.ip_json("link", "show", "dev", bridge_of(lab["h1"]))
    with c3.udp(PORT) as ear, c1.raw() as raw, c1.udp() as mouth:
        raw.send(frames.ethernet(mac(bridge["address"]), c1.mac, ETH_IPV6,
                                 udp_packet(source, c3.ip, FORGED)))
        mouth.sendto(LEGITIMATE, (str(c3.ip), PORT))
        assert ear.recv(99) == LEGITIMATE


# --- from a peer


@pytest.mark.parametrize("source", ["fd42:0:0:1::3", "2001:db8::12", "fe80::1"])
def test_a_tunnel_brings_what_is_of_the_peers_only(lab: Lab, source: str) -> None:
    target = str(lab.c("c1").ip)
    with tunnel_of_h1(lab, ETH_IPV6) as send, lab.c("c1").udp(PORT) as ear:
        send(udp_packet(source, target, FORGED))
        send(udp_packet("fd42:0:0:2::2", target, LEGITIMATE))
        assert ear.recv(99) == LEGITIMATE


@pytest.mark.parametrize("target", ["fd42:0:0:3::2", "2001:db8::13"])
def test_what_a_tunnel_brings_leaves_by_no_other_way(lab: Lab, target: str) -> None:
    """Neither to another peer nor to the outside."""
    own = str(lab.c("c1").ip)
    with tunnel_of_h1(lab, ETH_IPV6) as send, lab.c("c1").udp(PORT) as ear, \
            lab["h1"].ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                socket.htons(ETH_ALL)) as sniffer:
        send(udp_packet("fd42:0:0:2::2", target, FORGED))
        send(udp_packet("fd42:0:0:2::2", own, LEGITIMATE))
        assert ear.recv(99) == LEGITIMATE
        sniffer.settimeout(patient(2))
        payload = b""
        while LEGITIMATE not in payload or where[2] != socket.PACKET_OUTGOING:
            payload, where = sniffer.recvfrom(2000)
            assert FORGED not in payload or where[2] != socket.PACKET_OUTGOING, where


# --- while tunnels are missing (the lab's end judges the capture, too)


def test_traffic_while_tunnels_are_torn_down_by_force(lab: Lab) -> None:
    with lab.flows(lab.pairs(across=True), rate=100) as flows:
        flows.wait_all_arrive(5)
        for name in ("h1", "h2", "h3"):
            with lab[name].vici() as vici:
                for sa in vici.list_sas():
                    vici.terminate(ike_id=sa["uniqueid"])
        flows.wait_sent(50, 10)
        flows.wait_all_arrive(20)
        flows.stop()
    clean(lab)


def test_a_restart_loses_no_packet(lab: Lab) -> None:
    h1 = lab["h1"]
    with lab.flows(lab.pairs_of_hosts(), rate=100) as flows:
        flows.wait_all_arrive(5)
        h1.kill()
        flows.wait_sent(50, 10)
        h1.start()
        h1.wait_answers()
        lab.wait_all_up(20)
        lab.wait(lambda: h1.plan() == [], 10, "nothing is left to do")
        flows.wait_sent(50, 10)
        report = flows.stop()
    assert not report.lost(), report.table()


def test_one_host_cut_is_one_host_down(lab: Lab) -> None:
    with lab.flows(lab.pairs(across=True), rate=100) as flows:
        flows.wait_all_arrive(5)
        lab.wan.cut("h2")
        try:
            lab.wait(lambda: lab["h1"].states()["h2"] == "down" and
                     lab["h3"].states()["h2"] == "down", 10, "h2 is down")
            flows.wait_sent(100, 10)
            assert lab["h1"].states()["h3"] == "up" and lab["h3"].states()["h1"] == "up"
            assert lab["h1"].is_well()
        finally:
            lab.wan.heal("h2")
        lab.wait_all_up(20)
        report = flows.stop()
    others = {p for p in report.sent if "c3" not in p and "c4" not in p}
    assert others and not report.lost(of=others), report.table()
    clean(lab)


# --- what is no business of ours


ASK_NETFILTER = "net.bridge.bridge-nf-call-ip6tables"


@contextmanager
def bridge_of_others(lab: Lab) -> Iterator[tuple[Namespace, Namespace]]:
    """On h1, with two stations. Where the kernel has br_netfilter, it shows the guard what they
    say to each other; where it has not, there is nothing to be seen."""
    h1, ends = lab["h1"], (Namespace(f"sl{lab.tag}-o1"), Namespace(f"sl{lab.tag}-o2"))
    before = h1.ns.run("sysctl", "-n", ASK_NETFILTER, check=False).stdout.strip()
    if before:
        h1.ns.run("sysctl", "-qw", f"{ASK_NETFILTER}=1")
    try:
        h1.ns.ip("link add others0 type bridge", "link set others0 up")
        for i, end in enumerate(ends, 1):
            h1.ns.ip(f"link add others0p{i} type veth peer name eth0 netns {end.name}",
                     f"link set others0p{i} master others0 up")
            end.ip("link set eth0 up", f"address add 2001:db8:9::{i}/64 dev eth0 nodad")
        yield ends
    finally:
        if before:
            h1.ns.run("sysctl", "-qw", f"{ASK_NETFILTER}={before}")
        h1.ns.run("ip", "link", "del", "others0", check=False)
        for end in ends:
            end.delete()


def test_bridges_of_others_go_on_carrying_ipv6(lab: Lab) -> None:
    """What only passes a bridge is not forwarded by the host, though netfilter is asked."""
    with bridge_of_others(lab) as (one, _):
        lab.wait(lambda: one.run("ping", "-n", "-c", "1", "-W", "1", "2001:db8:9::2",
                                 check=False).returncode == 0, 10, "bridged IPv6 passes")


def test_a_link_of_others_in_a_group_of_ours_is_named(lab: Lab) -> None:
    h1 = lab["h1"]
    bridge, = h1.ns.ip_json("link", "show", "dev", bridge_of(h1))

    def named() -> bool:
        return "others1 is not ours" in json.dumps(h1.status())

    h1.ns.ip("link add others1 type veth peer name others2", f"link set others1 group {bridge['group']}")
    try:
        lab.wait(named, 10, "the status names it")
    finally:
        h1.ns.ip("link del others1")
    lab.wait(lambda: not named(), 10, "it is named no more")
