# SPDX-License-Identifier: GPL-2.0-or-later
"""A vici client of the lab's own, to check what charon has without Sennit's eyes.

Format: strongSwan, src/libcharon/plugins/vici/README.md."""

import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .wait import patient

REQUEST, RESPONSE, UNKNOWN, REGISTER, UNREGISTER, CONFIRM, EVENT_UNKNOWN, EVENT = range(8)
SECTION, SECTION_END, VALUE, LIST, ITEM, LIST_END = range(1, 7)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"yes" if value else b"no"
    return str(value).encode()


def _name(name: str) -> bytes:
    return bytes([len(name)]) + name.encode()


def _value(value: Any) -> bytes:
    data = _bytes(value)
    return struct.pack("!H", len(data)) + data


def encode(message: Mapping[str, Any]) -> bytes:
    out = bytearray()
    for name, value in message.items():
        if isinstance(value, Mapping):
            out += bytes([SECTION]) + _name(name) + encode(value) + bytes([SECTION_END])
        elif isinstance(value, (list, tuple)):
            out += bytes([LIST]) + _name(name)
            for item in value:
                out += bytes([ITEM]) + _value(item)
            out.append(LIST_END)
        else:
            out += bytes([VALUE]) + _name(name) + _value(value)
    return bytes(out)


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def _take(self, size: int) -> bytes:
        part = self._data[self._at:self._at + size]
        self._at += size
        return part

    def _take_name(self) -> str:
        return self._take(self._take(1)[0]).decode()

    def _take_value(self) -> str:
        return self._take(struct.unpack("!H", self._take(2))[0]).decode(errors="replace")

    def _list(self) -> list[str]:
        items = []
        while self._take(1)[0] == ITEM:
            items.append(self._take_value())
        return items

    def section(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._at < len(self._data):
            kind = self._take(1)[0]
            if kind == SECTION_END:
                break
            name = self._take_name()
            if kind == SECTION:
                found[name] = self.section()
            elif kind == LIST:
                found[name] = self._list()
            else:
                found[name] = self._take_value()
        return found


class Vici:
    """One connection to a charon. A context manager."""

    def __init__(self, path: Path, limit: float = 10) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(patient(limit))
        try:
            self._sock.connect(str(path))
        except OSError:
            self._sock.close()
            raise

    def __enter__(self) -> "Vici":
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def _send(self, kind: int, name: str, body: bytes = b"") -> None:
        packet = bytes([kind]) + _name(name) + body
        self._sock.sendall(struct.pack("!I", len(packet)) + packet)

    def _receive(self) -> bytes:
        def exactly(size: int) -> bytes:
            data = b""
            while len(data) < size:
                more = self._sock.recv(size - len(data))
                if not more:
                    raise ConnectionResetError("charon closed the socket")
                data += more
            return data
        return exactly(struct.unpack("!I", exactly(4))[0])

    def request(self, command: str, message: Mapping[str, Any] | None = None,
                event: str | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The reply, and what came before it as `event` (list-sas: "list-sa")."""
        items = []
        if event:
            self._send(REGISTER, event)
            self._receive()
        self._send(REQUEST, command, encode(message or {}))
        while (packet := self._receive())[0] == EVENT:
            items.append(_Decoder(packet[2 + packet[1]:]).section())
        if packet[0] != RESPONSE:
            raise LookupError(f"charon does not know the command {command}")
        return _Decoder(packet[1:]).section(), items

    def list_sas(self) -> list[dict[str, Any]]:
        """Each IKE_SA with its connection's name as "name"."""
        _, items = self.request("list-sas", event="list-sa")
        return [{"name": name, **sa} for item in items for name, sa in item.items()]

    def list_conns(self) -> dict[str, Any]:
        _, items = self.request("list-conns", event="list-conn")
        return {name: conn for item in items for name, conn in item.items()}

    def shared_keys(self) -> list[str]:
        return self.request("get-shared")[0].get("keys", [])

    def terminate(self, **what: Any) -> dict[str, Any]:
        """terminate(ike="sennit-h2"), terminate(child_id=7); by force, without waiting."""
        message = {name.replace("_", "-"): value for name, value in what.items()}
        return self.request("terminate", {**message, "force": True, "timeout": -1})[0]
