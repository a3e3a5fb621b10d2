# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames to inject: built by hand, to the byte, right checksums.

Without padding: a bridge trims it, and the frame could not be known again."""

import struct
from ipaddress import IPv4Address

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
