# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads capture files (pcap, Ethernet): fast enough for some 100,000 packets."""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GLOBAL_HEADER = 24
RECORD_HEADER = 16
LINKTYPE_ETHERNET = 1
# magic of the file as it stands there: byte order of all that follows, ns per unit of time
MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1),
}


class NotACapture(ValueError):
    pass


class Packet(NamedTuple):
    number: int  # from 1, as wireshark counts
    time_ns: int
    frame: bytes
    end: int = 0  # of its record, in the file


def packets(path: Path, start: int = GLOBAL_HEADER) -> Iterator[Packet]:
    """Every whole packet of the file; a torn last one (still being written) ends it.

    start: where a packet's record begins, as Packet.end says of the one before."""
    if path.stat().st_size < GLOBAL_HEADER:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] not in MAGICS:
            raise NotACapture(f"{path}: unknown magic {data[:4].hex()}")
        order, unit = MAGICS[data[:4]]
        linktype, = struct.unpack_from(order + "I", data, 20)
        if linktype & 0xffff != LINKTYPE_ETHERNET:
            raise NotACapture(f"{path}: link type {linktype}, not Ethernet")
        record = struct.Struct(order + "IIII")
        at, number, size = start, 0, len(data)
        while at + RECORD_HEADER <= size:
            seconds, fraction, kept, _ = record.unpack_from(data, at)
            at += RECORD_HEADER
            if at + kept > size:
                return
            number += 1
            yield Packet(number, seconds * 1_000_000_000 + fraction * unit, data[at:at + kept],
                         at + kept)
            at += kept


def count(path: Path, needle: bytes) -> int:
    """How often these bytes stand anywhere in the file: finds plaintext in any wrapping."""
    if path.stat().st_size == 0:
        return 0
    found = at = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        while (at := data.find(needle, at)) >= 0:
            found += 1
            at += len(needle)
    return found
