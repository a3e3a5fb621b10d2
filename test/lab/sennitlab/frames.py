# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames to inject: built by hand, to the byte, right checksums.

Without padding: a bridge trims it, and the frame could not be known again."""

import struct
from ipaddress import IPv4Address, IPv6Address

BROADCAST = b"\xff" * 6
ARP_REQUEST, ARP_REPLY = 1, 2


def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ethernet(target: bytes, source: bytes, kind: int, payload: bytes) -> bytes:
    return target + source + struct.pack("!H", kind) + payload


def vlan(frame: bytes, tag: int, kind: int = 0x8100) -> bytes:
    """The same frame with a tag."""
    return frame[:12] + struct.pack("!HH", kind, tag) + frame[12:]


def ipv4(source: str | IPv4Address, target: str | IPv4Address, proto: int, payload: bytes, *,
         offset: int = 0, more: bool = False, ident: int = 1, ttl: int = 64) -> bytes:
    """offset in bytes (a multiple of 8) and more make it a fragment."""
    fragment = offset // 8 | (0x2000 if more else 0)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, fragment, ttl, proto, 0)
    header += IPv4Address(source).packed + IPv4Address(target).packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def udp(source_port: int, target_port: int, payload: bytes) -> bytes:
    """Without a checksum, which IPv4 allows."""
    return struct.pack("!HHHH", source_port, target_port, 8 + len(payload), 0) + payload


def icmp(kind: int, code: int, rest: bytes, payload: bytes) -> bytes:
    message = struct.pack("!BBH", kind, code, 0) + rest + payload
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def arp(operation: int, sender_mac: bytes, sender: str | IPv4Address, target_mac: bytes,
        target: str | IPv4Address) -> bytes:
    return (struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + sender_mac
            + IPv4Address(sender).packed + target_mac + IPv4Address(target).packed)


# --- IPv6

ALL_NODES, ALL_NODES_MAC = "ff02::1", bytes.fromhex("333300000001")
SOLICITATION, ADVERTISEMENT, ROUTER_ADVERTISEMENT, REDIRECT = 135, 136, 134, 137
SOURCE_MAC, TARGET_MAC = 1, 2  # options of neighbour discovery


def link_local(mac: bytes) -> str:
    """The address that follows from a MAC."""
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe"
                           + mac[3:]))


def ipv6(source: str | IPv6Address, target: str | IPv6Address, proto: int, payload: bytes, *,
         hops: int = 255) -> bytes:
    """With the checksum of UDP and ICMPv6, which has to be right here."""
    addresses = IPv6Address(source).packed + IPv6Address(target).packed
    at = {17: 6, 58: 2}.get(proto)
    if at is not None:
        pseudo = addresses + struct.pack("!II", len(payload), proto)
        total = checksum(pseudo + payload[:at] + b"\0\0" + payload[at + 2:]) or 0xffff
        payload = payload[:at] + struct.pack("!H", total) + payload[at + 2:]
    return struct.pack("!IHBB", 0x60000000, len(payload), proto, hops) + addresses + payload


def icmp6(kind: int, rest: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("!BBH", kind, 0, 0) + rest + payload


def mac_option(kind: int, mac: bytes) -> bytes:
    return struct.pack("!BB", kind, 1) + mac


def neighbour(kind: int, target: str | IPv6Address, option: bytes = b"") -> bytes:
    """A solicitation, or an advertisement that overrides what is known."""
    flags = b"\x20\0\0\0" if kind == ADVERTISEMENT else bytes(4)
    return icmp6(kind, flags, IPv6Address(target).packed + option)


def router_advertisement(lifetime_s: int) -> bytes:
    """Of a default router, without prefixes."""
    return icmp6(ROUTER_ADVERTISEMENT, struct.pack("!BBH", 64, 0, lifetime_s), bytes(8))
