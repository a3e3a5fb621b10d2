# SPDX-License-Identifier: GPL-2.0-or-later
"""The capture's reader and the clear packet filter, on packets made here."""

import struct
import time
from pathlib import Path

import pytest

from sennitlab import frames, pcap
from sennitlab.classify import ClearFinder, classify

A, B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
H1, H2 = "192.0.2.11", "192.0.2.12"
C1, C2 = "10.42.1.2", "10.42.2.2"
ESP = struct.pack("!II", 0xc0ffee, 1) + bytes(range(64))
finder = ClearFinder("10.42.0.0/16")


def eth(packet: bytes, kind: int = 0x0800) -> bytes:
    return frames.ethernet(B, A, kind, packet)


def udp(source: str, target: str, port: int, payload: bytes) -> bytes:
    return frames.ipv4(source, target, 17, frames.udp(port, port, payload))


INNER = udp(C1, C2, 7000, b"hello")
TCP = struct.pack("!HHIIHHHH", 40000, 80, 1, 1, 0x5010, 100, 0, 0)

CLEAN = {
    "ike": [eth(udp(H1, H2, 500, bytes(28))), eth(udp(H1, H2, 4500, bytes(4) + b"x" * 28))],
    "esp-in-udp": [eth(udp(H1, H2, 4500, ESP))],
    "nat-keepalive": [eth(udp(H1, H2, 4500, b"\xff"))],
    "esp": [eth(frames.ipv4(H1, H2, 50, ESP))],
    "http": [eth(frames.ipv4(H1, "192.0.2.250", 6, TCP))],
    "arp": [eth(frames.arp(1, A, H1, bytes(6), H2), 0x0806)],
    "icmp": [eth(frames.ipv4(H1, H2, 1, frames.icmp(8, 0, bytes(4), b"ping"))),
             eth(frames.ipv4(H1, H2, 1, frames.icmp(3, 1, bytes(4), udp(H2, H1, 500, bytes(8))))),
             eth(frames.ipv4(H1, H2, 1, frames.icmp(3, 3, bytes(4), udp(H2, H1, 53, bytes(8))))),
             eth(frames.ipv4(H1, H2, 1, frames.icmp(3, 3, bytes(4), b"short")))],
    "refusal": [eth(frames.ipv4(H1, H2, 1, frames.icmp(3, 3, bytes(4), udp(H2, H1, port, b""))))
                for port in (500, 4500)],
    "fragment": [eth(frames.ipv4(H1, H2, 17, b"y" * 64, offset=1480))],
    "marker": [eth(udp(H1, H2, 9, bytes(16)))],
    "udp": [eth(udp(H1, H2, 7000, b"hello"))],
    "icmp6": [eth(struct.pack("!IHBB", 6 << 28, 8, 58, 255) + bytes(40), 0x86dd)],
    "ether-88cc": [eth(b"lldp", 0x88cc)],
}
CLEAR = {
    "ip source": eth(udp(C1, H2, 7000, b"x")),
    "ip destination": eth(udp(H1, C2, 7000, b"x")),
    "icmp quote/ip source": eth(frames.ipv4(H2, H1, 1, frames.icmp(3, 1, bytes(4), INNER[:28]))),
    "icmp redirect gateway": eth(frames.ipv4(
        H2, H1, 1, frames.icmp(5, 1, bytes([10, 42, 1, 9]), udp(H1, H2, 500, b"")))),
    "ipip/ip source": eth(frames.ipv4(H1, H2, 4, INNER)),
    "gre/ip source": eth(frames.ipv4(H1, H2, 47, struct.pack("!HH", 0, 0x0800) + INNER)),
    "vxlan/ip source": eth(udp(H1, H2, 4789, bytes(8) + eth(INNER))),
    "arp sender": eth(frames.arp(1, A, C1, bytes(6), H2), 0x0806),
    "arp target": eth(frames.arp(1, A, H1, bytes(6), C2), 0x0806),
    "vlan/ip source": frames.vlan(eth(INNER), 7),
    "vlan/arp sender": frames.vlan(eth(frames.arp(1, A, C1, bytes(6), H2), 0x0806), 7, 0x88a8),
}


@pytest.mark.parametrize("name", CLEAN)
def test_every_class_is_named_and_is_not_clear(name: str) -> None:
    for frame in CLEAN[name]:
        assert classify(frame) == name
        assert finder.clear(frame) is None


@pytest.mark.parametrize("where", CLEAR)
def test_an_overlay_address_in_clear_is_found(where: str) -> None:
    assert finder.clear(CLEAR[where]) == where


def test_a_later_fragment_is_found_by_its_header() -> None:
    assert finder.clear(eth(frames.ipv4(C1, C2, 17, b"z" * 64, offset=1480))) == "ip source"


def test_two_tags_hide_nothing() -> None:
    assert finder.clear(frames.vlan(frames.vlan(eth(INNER), 7), 8, 0x88a8)) == "vlan/ip source"


def test_a_quote_within_a_quote_is_found() -> None:
    error = frames.ipv4(H1, H2, 1, frames.icmp(11, 0, bytes(4), INNER))
    outer = frames.ipv4(H2, H1, 1, frames.icmp(3, 1, bytes(4), error))
    assert finder.clear(eth(outer)) == "icmp quote/icmp quote/ip source"


def test_the_neighbours_of_the_overlay_are_not_overlay() -> None:
    for address in ("10.41.255.255", "10.43.0.0", "42.10.1.2"):
        assert finder.clear(eth(udp(address, H1, 7000, b"x"))) is None


def test_no_cut_frame_raises() -> None:
    for frame in [*CLEAR.values(), *(f for many in CLEAN.values() for f in many)]:
        for size in range(len(frame)):
            classify(frame[:size])
            finder.clear(frame[:size])


def capture_file(path: Path, order: str, magic: int, all_frames: list[bytes]) -> Path:
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, 1)]
    for n, frame in enumerate(all_frames):
        parts += [struct.pack(order + "IIII", 1000 + n, 5, len(frame), len(frame)), frame]
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(("order", "magic", "ns"), [
    ("<", 0xa1b2c3d4, 5000), (">", 0xa1b2c3d4, 5000), ("<", 0xa1b23c4d, 5), (">", 0xa1b23c4d, 5)])
def test_files_of_either_order_and_precision(tmp_path: Path, order: str, magic: int,
                                             ns: int) -> None:
    wanted = [CLEAN["arp"][0], CLEAN["esp"][0]]
    read = list(pcap.packets(capture_file(tmp_path / "p", order, magic, wanted)))
    assert [p.frame for p in read] == wanted
    assert [p.time_ns for p in read] == [1000 * 10**9 + ns, 1001 * 10**9 + ns]
    assert [p.number for p in read] == [1, 2]


def test_a_torn_last_packet_is_left_out(tmp_path: Path) -> None:
    path = capture_file(tmp_path / "p", "<", 0xa1b2c3d4, [CLEAN["arp"][0], CLEAN["esp"][0]])
    path.write_bytes(path.read_bytes()[:-1])
    assert len(list(pcap.packets(path))) == 1
    path.write_bytes(b"")
    assert not list(pcap.packets(path))


def test_what_is_no_capture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_bytes(b"\x0a\x0d\x0d\x0a" + bytes(60))
    with pytest.raises(pcap.NotACapture):
        list(pcap.packets(path))


def test_plaintext_is_found_in_any_wrapping(tmp_path: Path) -> None:
    path = capture_file(tmp_path / "p", "<", 0xa1b2c3d4, [*CLEAN["esp"], eth(INNER), eth(INNER)])
    assert pcap.count(path, b"hello") == 2
    assert pcap.count(path, b"hullo") == 0


def test_a_hundred_thousand_packets_take_seconds(tmp_path: Path) -> None:
    path = capture_file(tmp_path / "p", "<", 0xa1b2c3d4, CLEAN["esp-in-udp"] * 100_000)
    begin = time.process_time()
    assert not any(finder.clear(p.frame) for p in pcap.packets(path))
    assert time.process_time() - begin < 5


# --- an overlay of IPv6

finder6 = ClearFinder("fd42::/32")
C61, C62, H61, H62 = "fd42:0:0:1::2", "fd42:0:0:2::2", "2001:db8::11", "2001:db8::12"


def udp6(source: str, target: str) -> bytes:
    return frames.ipv6(source, target, 17, frames.udp(7000, 7000, b"hello"))


def told(ns: int, source: str, named: str) -> bytes:
    return eth(frames.ipv6(source, H62, 58, frames.neighbour(ns, named)), 0x86dd)


@pytest.mark.parametrize("frame, where", [
    (eth(udp6(C61, H62), 0x86dd), "ip6 source"),
    (eth(udp6(H61, C62), 0x86dd), "ip6 destination"),
    (frames.vlan(eth(udp6(C61, C62), 0x86dd), 5), "vlan/ip6 source"),
    (eth(frames.ipv6(H61, H62, 58, frames.icmp6(1, bytes(4), udp6(C61, C62))), 0x86dd),
     "icmp6 quote/ip6 source"),
    (told(135, H61, C62), "icmp6 target"),
    (told(136, H61, C62), "icmp6 target"),
    (eth(frames.ipv4(H1, H2, 41, udp6(C61, C62))), "6in4/ip6 source"),
    (eth(udp6(H61, H62), 0x86dd), None),
    (told(135, H61, H62), None),
    (eth(udp(H1, H2, 4500, ESP)), None),
])
def test_clear_packets_of_ipv6_are_found(frame: bytes, where: str | None) -> None:
    assert finder6.clear(frame) == where
    assert finder.clear(frame) is None
