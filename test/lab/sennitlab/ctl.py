# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's control socket, spoken here a second time (src/ctl/ctl.h).

A path is no part of a network namespace: the socket is reached from outside,
without a process, often enough to measure with."""

import json
import socket
import struct
from pathlib import Path
from typing import Any

from .wait import patient

MAX_MESSAGE = 8 << 20


class Refused(RuntimeError):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


def _receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(min(size - len(data), 1 << 16))
        if not more:
            raise ConnectionResetError("the daemon closed its end")
        data += more
    return data


def call(path: Path, verb: str, limit: float = 5, **args: Any) -> Any:
    """The result, or Refused; OSError when nobody answers."""
    message = json.dumps({"verb": verb, "args": args}).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(patient(limit))
        sock.connect(str(path))
        sock.sendall(struct.pack("!I", len(message)) + message)
        size, = struct.unpack("!I", _receive(sock, 4))
        if size > MAX_MESSAGE:
            raise ValueError(f"a reply of {size} bytes")
        reply = json.loads(_receive(sock, size))
    if not reply["ok"]:
        raise Refused(reply["error"]["code"], reply["error"]["text"])
    return reply.get("result")
