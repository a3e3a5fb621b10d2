# SPDX-License-Identifier: GPL-2.0-or-later
"""What went over the underlay, from before the first daemon to after the last."""

import re
import signal
import socket
import subprocess
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from . import pcap
from .classify import PORT_MARKER, ClearFinder, classify
from .netns import Namespace, run
from .wait import patient, wait_for
from .wan import BRIDGE, GATEWAY, UNDERLAY

# More than any packet here but what the kernel segments later. The ring has slots of
# this size: those of the largest possible (0) it would have but 256 of.
SNAPLEN = "9216"
# The mark in the payload of sennit-flows (flows.c).
PLAINTEXT_MARK = b"SENNIT-FLOW-PLAINTEXT-MARK"


class Clear(NamedTuple):
    """A packet that shows overlay traffic."""
    number: int
    time_ns: int
    where: str
    frame: bytes

    def __str__(self) -> str:
        return f"packet {self.number} ({self.where}): {self.frame[:64].hex()}"


class Capture:
    """tcpdump on the wan's bridge: promiscuous, so it sees what the bridge forwards,
    and what is dropped there by a fault."""

    def __init__(self, wan: Namespace, folder: Path, overlays: list[str]) -> None:
        self.path = folder / "wan.pcap"
        self._overlays = overlays
        self._ns = wan
        self._messages = folder / "tcpdump.log"
        self._injected: set[bytes] = set()
        self._judged = pcap.GLOBAL_HEADER  # up to here drain() was
        with self._messages.open("w") as err:
            self._process = subprocess.Popen(
                wan.argv("tcpdump", "-i", BRIDGE, "-n", "-U", "--immediate-mode", "-s", SNAPLEN,
                         "-B", "65536", "-Z", "root", "-w", str(self.path)),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
        wait_for(lambda: "listening on" in self._messages.read_text(), 10, "tcpdump listens",
                 self._messages.read_text)
        self.sync()

    def sync(self) -> None:
        """Returns when all that was sent before is in the file; after stop() it is."""
        if self._process.poll() is not None:
            return
        nonce = uuid.uuid4().bytes
        tail = bytearray()
        with self._ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, \
                self.path.open("rb") as file:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.bind((str(GATEWAY), 0))
            file.seek(max(0, self.path.stat().st_size - (1 << 16)))

            def arrived() -> bool:
                # again at each look: a bridge without a carrier yet drops it
                sock.sendto(nonce, (str(UNDERLAY.broadcast_address), PORT_MARKER))
                tail.extend(file.read())
                return nonce in tail

            wait_for(arrived, 10, "the marker is in the capture")

    def stop(self) -> None:
        if self._process.poll() is not None:
            return
        self.sync()
        self._process.send_signal(signal.SIGINT)
        self._process.wait(patient(10))

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def dropped(self) -> int:
        """Packets that tcpdump missed (known after stop())."""
        found = re.search(r"(\d+) packets? dropped by kernel", self._messages.read_text())
        return int(found[1]) if found else 0

    def mark_injected(self, frame: bytes) -> None:
        """The test is about to send this frame itself: not Sennit's doing."""
        self._injected.add(frame)

    def packets(self, since_ns: int = 0) -> list[pcap.Packet]:
        self.sync()
        return [p for p in pcap.packets(self.path) if p.time_ns >= since_ns]

    def classes(self, since_ns: int = 0) -> Counter[str]:
        return Counter(classify(p.frame) for p in self.packets(since_ns))

    def clear_packets(self, injected: bool = False, since_ns: int = 0) -> list[Clear]:
        """Every packet with an overlay address in clear; those of the tests only if asked."""
        finder = ClearFinder(*self._overlays)
        found = []
        for p in self.packets(since_ns):
            where = finder.clear(p.frame)
            if where and (injected or p.frame not in self._injected):
                found.append(Clear(p.number, p.time_ns, where, p.frame))
        return found

    def drain(self) -> tuple[int, list[Clear]]:
        """Judges what came since the last call and gives its room on the disk back: how many
        packets, and those in clear or with the payload of sennit-flows readable."""
        self.sync()
        finder, found, count = ClearFinder(*self._overlays), [], 0
        for p in pcap.packets(self.path, self._judged):
            count += 1
            self._judged = p.end
            where = finder.clear(p.frame)
            if not where and PLAINTEXT_MARK in p.frame:
                where = "payload"
            if where and p.frame not in self._injected:
                found.append(Clear(p.number, p.time_ns, where, p.frame))
        # tcpdump goes on at its offset: the file gets a hole, not another size
        run("fallocate", "--punch-hole", "--offset", "4096", "--length",
            str(max(self._judged - 4096, 1)), str(self.path))
        return count, found

    def plaintext(self) -> int:
        """How often the payload of sennit-flows stands in the file readable, in whatever wrapping."""
        self.sync()
        return pcap.count(self.path, PLAINTEXT_MARK)


def now_ns() -> int:
    """The clock of the capture's times."""
    return time.time_ns()
