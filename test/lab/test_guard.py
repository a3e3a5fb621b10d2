# SPDX-License-Identifier: GPL-2.0-or-later
"""Promises 1 and 2 by packets: nothing leaves in clear, nobody is believed who is not."""

import os
import signal
import socket

import pytest

from sennitlab import Lab, frames, patient
from sennitlab.host import Host
from sennitlab.kernel import bridge_of, tunnel_device
from sennitlab.lab import DATAPLANE
from sennitlab.tunnel import tunnel_of_h1
from sennitlab.wan import OUTSIDE, mac_of

PORT = 7777
LEGITIMATE = b"legitimate"
FORGED = b"forged"
ETH_ALL, ETH_IPV4 = 0x0003, 0x0800


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def udp_frame(target_mac: bytes, source_mac: bytes, source: str, target: str) -> bytes:
    return frames.ethernet(target_mac, source_mac, 0x0800, frames.ipv4(
        source, target, 17, frames.udp(PORT, PORT, FORGED)))


# --- from the underlay


@pytest.mark.parametrize("source", ["10.42.2.2", "10.42.1.3", "192.0.2.12", "198.51.100.1"])
def test_what_comes_in_clear_from_the_underlay_goes_nowhere(lab: Lab, source: str) -> None:
    target = lab.c("c1")
    frame = udp_frame(mac(mac_of(lab["h1"].address)), mac(mac_of(lab["h2"].address)), source,
                      str(target.ip))
    lab.capture.mark_injected(frame)
    with target.udp(PORT) as ear, lab.c("c3").udp() as mouth:
        with lab["h2"].ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            raw.send(frame)
        # by the same wire, so later than the forged one
        mouth.sendto(LEGITIMATE, (str(target.ip), PORT))
        assert ear.recv(99) == LEGITIMATE


def test_nobody_on_the_host_hears_what_comes_in_clear(lab: Lab) -> None:
    """To h1's own overlay address, where its daemons may listen."""
    gateway = str(lab.c("c1").gateway)
    frame = udp_frame(mac(mac_of(lab["h1"].address)), mac(mac_of(lab["h2"].address)),
                      str(lab["h2"].address), gateway)
    lab.capture.mark_injected(frame)
    with lab["h1"].ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear, \
            lab.c("c3").udp() as mouth:
        ear.settimeout(patient(2))
        ear.bind((gateway, PORT))
        with lab["h2"].ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            raw.send(frame)
        mouth.sendto(LEGITIMATE, (gateway, PORT))
        assert ear.recv(99) == LEGITIMATE


def test_the_bridge_address_is_no_door_either(lab: Lab) -> None:
    """h1's own overlay address, asked in clear from the underlay, does not answer."""
    gateway = str(lab.c("c1").gateway)
    request = frames.ipv4(str(lab["h2"].address), gateway, 1,
                          frames.icmp(8, 0, b"\x12\x34\x00\x01", b"knock"))
    frame = frames.ethernet(mac(mac_of(lab["h1"].address)), mac(mac_of(lab["h2"].address)),
                            0x0800, request)
    lab.capture.mark_injected(frame)
    with lab["h2"].ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL)) as raw:
        raw.bind(("eth0", ETH_ALL))
        raw.send(frame)
    lab.c("c1").wait_ping(lab.c("c3"))
    replies = [p for p in lab.capture.packets() if b"knock" in p.frame and p.frame != frame]
    assert not replies


# --- from a container


def forged_by_container(lab: Lab) -> dict[str, bytes]:
    """What c1 must not be able to send to its neighbour c2, by name."""
    c1, c2 = lab.c("c1"), lab.c("c2")
    other_mac = mac("02:11:22:33:44:55")
    gateway = str(c1.gateway)
    return {
        "another's address": udp_frame(c2.mac, c1.mac, "10.42.1.200", str(c2.ip)),
        "an address of another host": udp_frame(c2.mac, c1.mac, str(lab.c("c3").ip), str(c2.ip)),
        "the gateway's address": udp_frame(c2.mac, c1.mac, gateway, str(c2.ip)),
        "an address outside": udp_frame(c2.mac, c1.mac, "198.51.100.7", str(c2.ip)),
        "another MAC": udp_frame(c2.mac, other_mac, str(c1.ip), str(c2.ip)),
        "ARP for another": frames.ethernet(c2.mac, c1.mac, 0x0806, frames.arp(
            frames.ARP_REPLY, c1.mac, gateway, c2.mac, str(c2.ip))),
        "ARP with another MAC": frames.ethernet(c2.mac, c1.mac, 0x0806, frames.arp(
            frames.ARP_REPLY, other_mac, str(c1.ip), c2.mac, str(c2.ip))),
        "tagged": frames.vlan(udp_frame(c2.mac, c1.mac, "10.42.1.200", str(c2.ip)), 5),
    }


NAMES = ("another's address", "an address of another host", "the gateway's address",
         "an address outside", "another MAC", "ARP for another", "ARP with another MAC", "tagged")


@pytest.mark.parametrize("name", NAMES)
def test_a_container_is_nobody_else_to_its_neighbour(lab: Lab, name: str) -> None:
    c1, c2 = lab.c("c1"), lab.c("c2")
    frame = forged_by_container(lab)[name]
    good = udp_frame(c2.mac, c1.mac, str(c1.ip), str(c2.ip))
    with c2.raw() as ear, c1.raw() as mouth:
        mouth.send(frame)
        mouth.send(good)
        heard = [ear.recv(2000)]
        while good not in heard:
            heard.append(ear.recv(2000))
    assert frame not in heard


@pytest.mark.parametrize("source", ["10.42.1.200", "10.42.3.2", "10.42.2.3", "192.0.2.11"])
def test_a_container_is_nobody_else_across_the_tunnel(lab: Lab, source: str) -> None:
    c1, c3 = lab.c("c1"), lab.c("c3")
    bridge, = lab["h1"].ns.ip_json("link", "show", "dev", bridge_of(lab["h1"]))
    gateway_mac = mac(bridge["address"])
    with c3.udp(PORT) as ear, c1.raw() as raw, c1.udp() as mouth:
        raw.send(udp_frame(gateway_mac, c1.mac, source, str(c3.ip)))
        mouth.sendto(LEGITIMATE, (str(c3.ip), PORT))
        assert ear.recv(99) == LEGITIMATE


# --- from a peer


def udp_packet(source: str, target: str, payload: bytes) -> bytes:
    return frames.ipv4(source, target, 17, frames.udp(PORT, PORT, payload))


@pytest.mark.parametrize("source", ["10.42.1.3", "192.0.2.12", "198.51.100.1"])
def test_a_tunnel_brings_what_is_of_the_peers_only(lab: Lab, source: str) -> None:
    """Whatever charon lets through: neither ours, nor what is not of the overlay."""
    target = str(lab.c("c1").ip)
    with tunnel_of_h1(lab, ETH_IPV4) as send, lab.c("c1").udp(PORT) as ear:
        send(udp_packet(source, target, FORGED))
        send(udp_packet("10.42.2.2", target, LEGITIMATE))
        assert ear.recv(99) == LEGITIMATE


@pytest.mark.parametrize("target", ["10.42.3.2", "192.0.2.13", "198.51.100.1"])
def test_what_a_tunnel_brings_leaves_by_no_other_way(lab: Lab, target: str) -> None:
    """Neither to another peer nor to the outside."""
    own = str(lab.c("c1").ip)
    with tunnel_of_h1(lab, ETH_IPV4) as send, lab.c("c1").udp(PORT) as ear, \
            lab["h1"].ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                socket.htons(ETH_ALL)) as sniffer:
        send(udp_packet("10.42.2.2", target, FORGED))
        send(udp_packet("10.42.2.2", own, LEGITIMATE))
        assert ear.recv(99) == LEGITIMATE
        sniffer.settimeout(patient(2))
        payload = b""
        while LEGITIMATE not in payload or where[2] != socket.PACKET_OUTGOING:
            payload, where = sniffer.recvfrom(2000)
            assert FORGED not in payload or where[2] != socket.PACKET_OUTGOING, where


@pytest.mark.skipif(DATAPLANE == "libipsec", reason="goes by the policy, not by the route")
def test_nobody_relays_from_peer_to_peer(lab: Lab) -> None:
    """h2 and h3 do not hear each other; h1 hears both and must not stand in."""
    c3, c5 = lab.c("c3"), lab.c("c5")
    ends = c3.ip.packed + c5.ip.packed
    # both ways, and more specific than sennit's
    by_h1 = ((lab["h2"], c5.ip), (lab["h3"], c3.ip))
    lab.wan.part("h2", "h3")
    try:
        for host, target in by_h1:
            host.ns.ip(f"route add {target} dev {tunnel_device(host, 'h1')}")
        with lab["h1"].ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                 socket.htons(ETH_ALL)) as sniffer:
            sniffer.settimeout(patient(5))
            assert not c3.ping(c5)
            packets = (sniffer.recv(2000) for _ in range(1000))
            assert any(packet[12:20] == ends for packet in packets), "it came to h1"
    finally:
        for host, target in by_h1:
            host.ns.run("ip", "route", "del", str(target), check=False)
        lab.wan.join("h2", "h3")
        lab.wait_all_up(30)


# --- connections


def table_of(host: Host) -> str:
    return host.ns.run("nft", "list", "table", "inet", "sennit").stdout


SERVICE = "10.99.0.1"
OTHERS = f"""table ip others {{
    chain services {{
        type nat hook prerouting priority dstnat
        ip daddr {SERVICE} dnat to TARGET
    }}
}}
"""


def test_connections_are_tracked_while_others_have_rules(lab: Lab) -> None:
    """Alone sennit has no use for the overlay's; who translates addresses has."""
    h1, c1, c3 = lab["h1"], lab.c("c1"), lab.c("c3")
    assert "notrack" in table_of(h1)
    h1.ns.nft(OTHERS.replace("TARGET", str(c3.ip)))
    try:
        lab.wait(lambda: "notrack" not in table_of(h1), 5, "the overlay is tracked")
        with c1.udp() as asking, c3.udp(PORT) as answering:
            asking.sendto(b"question", (SERVICE, PORT))
            _, asker = answering.recvfrom(99)
            answering.sendto(b"answer", asker)
            assert asking.recvfrom(99) == (b"answer", (SERVICE, PORT))
    finally:
        h1.ns.nft("delete table ip others\n")
    lab.wait(lambda: "notrack" in table_of(h1), 5, "the overlay is not tracked any more")
    c1.wait_ping(c3)


def test_containers_reach_the_outside_while_the_overlay_is_not_tracked(lab: Lab) -> None:
    assert "notrack" in table_of(lab["h1"])
    lab.c("c1").wait_ping(OUTSIDE)


IKE_PORTS = (500, 4500)


def test_a_container_takes_no_port_of_charons(lab: Lab) -> None:
    """Else what a peer sends to that port would be taken for an answer to the container."""
    for port in IKE_PORTS:
        with lab.c("c1").udp(port) as asking, \
                lab.wan.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as answering:
            answering.bind((str(OUTSIDE), port))
            answering.settimeout(patient(5))
            asking.sendto(b"question", (str(OUTSIDE), port))
            _, asker = answering.recvfrom(99)
            assert asker[0] == str(lab["h1"].address) and asker[1] not in IKE_PORTS
            answering.sendto(b"answer", asker)
            assert asking.recvfrom(99) == (b"answer", (str(OUTSIDE), port))


def test_a_container_sends_no_esp_in_the_name_of_its_host(lab: Lab) -> None:
    c1 = lab.c("c1")
    with c1.ns.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ESP) as esp, \
            c1.udp() as asking, \
            lab.wan.ns.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ESP) as ear, \
            lab.wan.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as answering:
        answering.bind((str(OUTSIDE), PORT))
        answering.settimeout(patient(5))
        esp.sendto(bytes(range(32)), (str(OUTSIDE), 0))
        asking.sendto(b"question", (str(OUTSIDE), PORT))
        assert answering.recv(99) == b"question"
        ear.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                assert bytes(range(32)) not in ear.recv(2000)


# --- while tunnels are missing (the lab's end judges the capture)


def clean(lab: Lab) -> None:
    found = lab.capture.clear_packets()
    assert not found, f"{len(found)} in clear: {found[0]}"
    assert lab.capture.plaintext() == 0


def test_a_route_of_others_does_not_lead_past_the_tunnel(lab: Lab) -> None:
    """More specific than ours, straight to the peer's underlay address."""
    h1, c1, c3 = lab["h1"], lab.c("c1"), lab.c("c3")
    source = str(c1.gateway)
    h1.ns.ip(f"route add {c3.ip}/32 via {lab['h2'].address}")
    try:
        assert not c1.ping(c3)
        for options in ((), ("-I", source)):
            h1.ns.run("ping", "-n", "-c", "1", "-W", "1", *options, str(c3.ip), check=False)
    finally:
        h1.ns.ip(f"route del {c3.ip}/32 via {lab['h2'].address}")
    clean(lab)


def test_traffic_while_tunnels_are_torn_down_by_force(lab: Lab) -> None:
    with lab.flows(lab.pairs(across=True), rate=100) as flows:
        flows.wait_all_arrive(5)
        for _ in range(3):
            for name in ("h1", "h2", "h3"):
                with lab[name].vici() as vici:
                    for sa in vici.list_sas():
                        vici.terminate(ike_id=sa["uniqueid"])
            flows.wait_sent(50, 10)
        flows.wait_all_arrive(15)
        flows.stop()
    clean(lab)


def test_traffic_while_charon_is_killed(lab: Lab) -> None:
    with lab.flows(lab.pairs(across=True), rate=100) as flows:
        flows.wait_all_arrive(5)
        for name in ("h1", "h2"):
            pid = lab[name].charon_pid()
            assert pid
            os.kill(pid, signal.SIGKILL)
            lab.wait(lambda: lab[name].charon_pid() not in (None, pid), 10, "a new charon")
        lab.wait_all_up(20)
        flows.wait_all_arrive(15)
        flows.stop()
    clean(lab)


def test_traffic_while_charon_and_sennitd_are_both_dead(lab: Lab) -> None:
    with lab.flows(lab.pairs(across=True), rate=100) as flows:
        flows.wait_all_arrive(5)
        pid = lab["h1"].charon_pid()
        assert pid
        lab["h1"].kill()
        os.kill(pid, signal.SIGKILL)
        flows.wait_sent(100, 10)
        lab["h1"].start()
        lab.wait_all_up(20)
        flows.wait_all_arrive(15)
        flows.stop()
    clean(lab)


def test_traffic_while_a_host_is_silent(lab: Lab) -> None:
    with lab.flows(lab.pairs(across=True), rate=100) as flows:
        flows.wait_all_arrive(5)
        lab.wan.cut("h2")
        try:
            lab.wait(lambda: lab["h1"].states()["h2"] == "down", 10, "h2 is down")
            flows.wait_sent(200, 10)
        finally:
            lab.wan.heal("h2")
        lab.wait_all_up(20)
        flows.stop()
    clean(lab)


def test_the_filter_finds_a_packet_in_clear(lab: Lab) -> None:
    frame = udp_frame(frames.BROADCAST, mac(mac_of(lab["h1"].address)), "10.42.1.2", "10.42.2.2")
    lab.capture.mark_injected(frame)
    with lab["h1"].ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        raw.send(frame)
    assert frame in [c.frame for c in lab.capture.clear_packets(injected=True)]
