# SPDX-License-Identifier: GPL-2.0-or-later
"""Inputs at the limits, of the kinds that a parser could be slow with."""

import json
import struct

SUBNET = "io.rancher.network.per_host_subnet.subnet"


def objects(size: int) -> bytes:
    """One object of so many bytes, of many keys."""
    return json.dumps({f"k{i:06}": i % 10 for i in range(size // 12)},
                      separators=(",", ":")).encode()[:size]


def nested(size: int) -> bytes:
    return b"[" * (size // 2) + b"]" * (size // 2)


def wide(size: int) -> bytes:
    return b"[" + b"1," * (size // 2 - 2) + b"1]"


def any_json(size: int) -> dict[str, bytes]:
    return {"keys": objects(size), "nested": nested(size), "wide": wide(size),
            "text": b'"' + b"\\u00e9" * (size // 6 - 1) + b'"'}


def attachments() -> dict[str, bytes]:
    items = [{"id": f"{i:08x}00000000", "ifname": "eth0", "address": f"10.42.{i >> 8}.{i & 255}/16",
              "mac": "02:5a:0a:2a:01:07", "netns": [4, i], "created_ms": i, "label": "l" * 128,
              "ready": True} for i in range(1024)]
    return {"full": json.dumps({"sennit_attachments": 1, "last": None,
                                "attachments": items}).encode()}


def sysctls() -> dict[str, bytes]:
    records = [{"path": f"net/ipv4/conf/x{i}/rp_filter", "old": "0", "ours": "1"}
               for i in range(256)]
    return {"full": json.dumps({"version": 1, "sysctls": records}).encode(), **any_json(128 << 10)}


def section(name: str, *inside: bytes) -> bytes:
    return bytes([1, len(name)]) + name.encode() + b"".join(inside) + b"\x02"


def value(name: str, text: str) -> bytes:
    return bytes([3, len(name)]) + name.encode() + struct.pack(">H", len(text)) + text.encode()


def items(name: str, *texts: str) -> bytes:
    return (bytes([4, len(name)]) + name.encode() +
            b"".join(b"\x05" + struct.pack(">H", len(t)) + t.encode() for t in texts) + b"\x06")


def vici() -> dict[str, bytes]:
    values = b"".join(value(f"k{i:05}", "") for i in range(50000))
    return {
        "values": values,
        "sections": b"".join(section("a") for _ in range(65000)),
        "children": section("sennit-h2", value("uniqueid", "1"), value("state", "ESTABLISHED"),
                            section("child-sas", *(section(f"c{i}") for i in range(50000)))),
        "keys": items("keys", *(f"sennit-h{i}-0123456789abcdef" for i in range(15000))),
        "keys-of-one": items("keys", *(f"sennit-h2-{i:016x}" for i in range(15000))),
        "sa": section("sennit-h2", values[:500000]),
    }


def entries() -> dict[str, bytes]:
    host = {"uuid": "h1", "state": "active", "agent_ip": "192.0.2.1", "labels": {}}
    return {f"entry-{name}": b"[" + text + b"]" for name, text in any_json(2000).items()} | {
        "hosts": json.dumps([{**host, "uuid": f"h{i}", "agent_ip": f"192.0.2.{i}"}
                             for i in range(64)]).encode()}


def requests() -> dict[str, bytes]:
    head = b"GET /latest?%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n"
    return {
        "query": head % (b"&" * 16000, b"A: b"),
        "escapes": head % (b"value=" + b"%41" * 5300, b"A: b"),
        "ranges": head % (b"a", b"Accept: " + b"*/*," * 4000),
        "qualities": head % (b"a", b"Accept: " + b"text/plain;q=.1," * 1000),
        "headers": head % (b"a", b"a:\r\n" * 4000 + b"A: b"),
        "segments": b"GET " + b"/a" * 8000 + b" HTTP/1.0\r\n\r\n",
        "lines": b"\r\n" * 8000,
        "pipeline": b"GET / HTTP/1.0\n\n" * 1000,
    }


def args_of(verb: str) -> dict[str, bytes]:
    return {f"{verb}-{name}": b'{"verb":"%s","args":{"label":%s}}' % (verb.encode(), text)
            for name, text in any_json(60000).items()}


HEAVY = {
    "attachments": attachments,
    "charon_answers": vici,
    "config": lambda: any_json(1 << 20) | {
        "listen": json.dumps({"http": {"listen": ["127.0.0.1:1"] * 60000}}).encode()},
    "ctl": lambda: any_json(64 << 10),
    "http": lambda: {"lines": b"\n" * 8191, "fields": b"GET / HTTP/1.1\n" + b"a:b\n" * 2000,
                     "words": b"G " * 4000 + b"\n\n"},
    "identity": lambda: any_json(4096),
    "metadata_request": requests,
    "rancher_changes": lambda: {"one-entry": b'{"version":"2","hosts":{"added":[%s]},'
                                             b'"containers":{}}' % objects(256 << 10)},
    "rancher_entries": entries,
    "secret": lambda: {"lines": b"\n" * 4096, "comments": b"#\n" * 2048},
    "sysctls": sysctls,
    "token": lambda: {"long": b"a" * 4096},
    "verbs": lambda: args_of("attach") | args_of("kick") | args_of("detach"),
    "vici": vici,
}
