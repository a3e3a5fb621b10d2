# SPDX-License-Identifier: GPL-2.0-or-later
"""A name server that knows one thing, or nothing, or does not answer."""

import socket
import struct
import threading

QTYPE_A = 1


class OddDns:
    """answer: the IPv4 address of every name; None: NXDOMAIN; "": silence."""

    def __init__(self, sock: socket.socket, address: str) -> None:
        self.answer: str | None = None
        self._sock = sock
        self._sock.bind((address, 53))
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._sock.close()

    def _run(self) -> None:
        while True:
            try:
                query, who = self._sock.recvfrom(4096)
            except OSError:
                return
            if self.answer != "" and len(query) > 16:
                try:
                    self._sock.sendto(self._reply(query), who)
                except OSError:
                    pass

    def _reply(self, query: bytes) -> bytes:
        end = query.index(0, 12) + 5
        question = query[12:end]
        kind, = struct.unpack("!H", question[-4:-2])
        records = b""
        if self.answer and kind == QTYPE_A:
            records = struct.pack("!HHHIH", 0xc00c, QTYPE_A, 1, 0, 4) + \
                socket.inet_aton(self.answer)
        flags = 0x8180 if self.answer else 0x8183
        return query[:2] + struct.pack("!HHHHH", flags, 1, 1 if records else 0, 0, 0) + \
            question + records
