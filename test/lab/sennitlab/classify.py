# SPDX-License-Identifier: GPL-2.0-or-later
"""What a frame of the underlay is, and whether it shows overlay traffic in clear.

"In clear" is an overlay address anywhere an address can stand outside ESP:
in an IP header (of every fragment too: each has its own), in the packet that
an ICMP error quotes, in an ARP packet or one of neighbour discovery, in what a tunnel without encryption
(IPIP, 6in4, GRE, VXLAN) carries, behind VLAN tags.
"""

import struct
from ipaddress import ip_network

ETH_HEADER = 14
ETH_IPV4, ETH_ARP, ETH_IPV6 = 0x0800, 0x0806, 0x86dd
ETH_TAGS = (0x8100, 0x88a8, 0x9100)
ETH_TEB = 0x6558  # Ethernet in GRE
ICMP_REDIRECT = 5
ICMP_QUOTES = (3, 4, ICMP_REDIRECT, 11, 12)
ICMP6_QUOTES, ICMP6_NAMES = (1, 2, 3, 4), (135, 136, 137)
PROTO_ICMP, PROTO_IPIP, PROTO_TCP, PROTO_UDP = 1, 4, 6, 17
PROTO_IPV6, PROTO_GRE, PROTO_ESP, PROTO_ICMP6 = 41, 47, 50, 58
PORT_IKE, PORT_NATT, PORT_VXLAN, PORT_MARKER, PORT_HTTP = 500, 4500, 4789, 9, 80
MAX_DEPTH = 8

# What the underlay of a healthy mesh carries; anything else deserves a look. A
# refusal is what a host answers whose charon has just ended.
EXPECTED = frozenset({"ike", "esp-in-udp", "nat-keepalive", "esp", "http", "arp", "icmp6", "igmp",
                      "marker", "refusal"})

_u16 = struct.Struct("!H").unpack_from


def _payload(frame: bytes) -> tuple[int, int, bool]:
    """Ethertype behind any VLAN tags, where its payload begins, whether there was a tag."""
    at, tagged = 12, False
    while at + 2 <= len(frame):
        kind, = _u16(frame, at)
        if kind not in ETH_TAGS:
            return kind, at + 2, tagged
        at, tagged = at + 4, True
    return 0, len(frame), tagged


def _classify_udp(frame: bytes, at: int, end: int) -> str:
    if at + 8 > len(frame):
        return "udp"
    source, target = struct.unpack_from("!HH", frame, at)
    ports = (source, target)
    if PORT_NATT in ports:
        body = frame[at + 8:end]
        if body == b"\xff":
            return "nat-keepalive"
        return "ike" if body[:4] == bytes(4) else "esp-in-udp"
    if PORT_IKE in ports:
        return "ike"
    return "marker" if target == PORT_MARKER else "udp"


def _is_refusal(frame: bytes, at: int) -> bool:
    """ICMP port unreachable for IKE or ESP in UDP; what it quotes is judged elsewhere."""
    quoted = at + 8
    if frame[at:at + 2] != b"\x03\x03" or quoted + 20 > len(frame):
        return False
    udp = quoted + (frame[quoted] & 15) * 4
    return (frame[quoted + 9] == PROTO_UDP and udp + 4 <= len(frame) and
            _u16(frame, udp + 2)[0] in (PORT_IKE, PORT_NATT))


def _classify_ipv4(frame: bytes, at: int) -> str:
    if at + 20 > len(frame):
        return "short"
    header = (frame[at] & 15) * 4
    total, = _u16(frame, at + 2)
    if _u16(frame, at + 6)[0] & 0x1fff:
        return "fragment"
    proto, body = frame[at + 9], at + header
    if proto == PROTO_UDP:
        return _classify_udp(frame, body, at + total)
    if proto == PROTO_TCP and body + 4 <= len(frame):
        return "http" if PORT_HTTP in struct.unpack_from("!HH", frame, body) else "tcp"
    if proto == PROTO_ICMP and _is_refusal(frame, body):
        return "refusal"
    return {PROTO_ESP: "esp", PROTO_ICMP: "icmp", PROTO_IPIP: "ipip", PROTO_GRE: "gre",
            2: "igmp"}.get(proto, f"proto-{proto}")


def _classify_ipv6(frame: bytes, at: int) -> str:
    if at + 40 > len(frame):
        return "short"
    proto, body = frame[at + 6], at + 40
    if proto == PROTO_UDP:
        return _classify_udp(frame, body, body + _u16(frame, at + 4)[0])
    # hop-by-hop (0) is what MLD reports begin with
    return {PROTO_ESP: "esp", PROTO_ICMP6: "icmp6", 0: "icmp6"}.get(proto, "ipv6")


def classify(frame: bytes) -> str:
    """A word for the frame: "ike", "esp-in-udp", "http", "arp", "icmp", …"""
    kind, at, _ = _payload(frame)
    if kind == ETH_IPV4:
        return _classify_ipv4(frame, at)
    if kind == ETH_ARP:
        return "arp"
    if kind == ETH_IPV6:
        return _classify_ipv6(frame, at)
    return f"ether-{kind:04x}"


class ClearFinder:
    """clear(frame) says where a frame shows an address of an overlay, or None."""

    def __init__(self, *overlays: str) -> None:
        """One of IPv4, of IPv6, or of each."""
        networks = [ip_network(overlay) for overlay in overlays]
        self._networks = {n.max_prefixlen // 8: (int(n.netmask), int(n.network_address))
                          for n in networks}

    def _is_overlay(self, data: bytes, at: int, size: int = 4) -> bool:
        """The address of so many bytes there is one of an overlay."""
        if size not in self._networks or at + size > len(data):
            return False
        mask, network = self._networks[size]
        return int.from_bytes(data[at:at + size], "big") & mask == network

    def clear(self, frame: bytes) -> str | None:
        kind, at, tagged = _payload(frame)
        found = self._by_ethertype(frame, kind, at, 0)
        return f"vlan/{found}" if found and tagged else found

    def _by_ethertype(self, data: bytes, kind: int, at: int, depth: int) -> str | None:
        if depth > MAX_DEPTH:
            return None
        if kind == ETH_IPV4:
            return self._ipv4(data, at, depth)
        if kind == ETH_IPV6:
            return self._ipv6(data, at, depth)
        if kind == ETH_ARP:
            if self._is_overlay(data, at + 14):
                return "arp sender"
            if self._is_overlay(data, at + 24):
                return "arp target"
        return None

    def _ipv4(self, data: bytes, at: int, depth: int) -> str | None:
        if at + 20 > len(data):
            return None
        if self._is_overlay(data, at + 12):
            return "ip source"
        if self._is_overlay(data, at + 16):
            return "ip destination"
        if _u16(data, at + 6)[0] & 0x1fff:
            return None  # a later fragment: no header of what it carries
        return self._carried(data, data[at + 9], at + (data[at] & 15) * 4, depth)

    def _ipv6(self, data: bytes, at: int, depth: int) -> str | None:
        if at + 40 > len(data):
            return None
        if self._is_overlay(data, at + 8, 16):
            return "ip6 source"
        if self._is_overlay(data, at + 24, 16):
            return "ip6 destination"
        return self._carried(data, data[at + 6], at + 40, depth)

    def _carried(self, data: bytes, proto: int, at: int, depth: int) -> str | None:
        if proto == PROTO_ICMP:
            return self._icmp(data, at, depth)
        if proto == PROTO_ICMP6:
            return self._icmp6(data, at, depth)
        if proto == PROTO_IPIP:
            return self._inner("ipip", self._by_ethertype(data, ETH_IPV4, at, depth + 1))
        if proto == PROTO_IPV6:
            return self._inner("6in4", self._by_ethertype(data, ETH_IPV6, at, depth + 1))
        if proto == PROTO_GRE:
            return self._inner("gre", self._gre(data, at, depth))
        if proto == PROTO_UDP and at + 4 <= len(data) and _u16(data, at + 2)[0] == PORT_VXLAN:
            return self._inner("vxlan", self.clear(data[at + 16:]) if depth < 2 else None)
        return None

    def _icmp(self, data: bytes, at: int, depth: int) -> str | None:
        if at >= len(data) or data[at] not in ICMP_QUOTES:
            return None
        if data[at] == ICMP_REDIRECT and self._is_overlay(data, at + 4):
            return "icmp redirect gateway"
        return self._inner("icmp quote", self._by_ethertype(data, ETH_IPV4, at + 8, depth + 1))

    def _icmp6(self, data: bytes, at: int, depth: int) -> str | None:
        """Errors quote, and neighbour discovery and redirects name a target."""
        if at >= len(data):
            return None
        if data[at] in ICMP6_NAMES and self._is_overlay(data, at + 8, 16):
            return "icmp6 target"
        if data[at] not in ICMP6_QUOTES:
            return None
        return self._inner("icmp6 quote", self._by_ethertype(data, ETH_IPV6, at + 8, depth + 1))

    def _gre(self, data: bytes, at: int, depth: int) -> str | None:
        if at + 4 > len(data):
            return None
        flags, kind = struct.unpack_from("!HH", data, at)
        # checksum, key and sequence number are there when their bit is set
        body = at + 4 + 4 * sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
        if kind == ETH_TEB:
            return self.clear(data[body:]) if depth < 2 else None
        return self._by_ethertype(data, kind, body, depth + 1)

    @staticmethod
    def _inner(wrapping: str, found: str | None) -> str | None:
        return f"{wrapping}/{found}" if found else None
