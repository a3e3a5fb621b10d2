# SPDX-License-Identifier: GPL-2.0-or-later
"""The way to the service: refused, silent, no name, wrong TLS; and HTTP that is none."""

import gzip
import itertools
import json
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .case import Act, Case, kept, took
from .odd_server import Hangup, Odd, OddServer, Request

if TYPE_CHECKING:
    from .stand import Stand

VERSION, HOSTS = "/version", "/hosts"
HTML = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head></html>\n"
_PORTS = itertools.count(8443)


# --- answers

def odd(path: str, answer: Odd) -> Act:
    def act(stand: "Stand") -> None:
        stand.near.odd[path] = answer
        stand.serve()
    return act


def status(path: str, line: str, headers: str = "", body: bytes = b"no\n") -> Act:
    return odd(path, lambda r: r.answer(body, line, headers))


def body(path: str, data: bytes, headers: str = "") -> Act:
    return odd(path, lambda r: r.answer(data, headers=headers))


def sends(path: str, data: bytes, hang_up: bool = True) -> Act:
    def answer(request: Request) -> None:
        request.send(data)
        if hang_up:
            raise Hangup
    return odd(path, answer)


def endless(path: str, head: bytes, piece: bytes, pause: float = 0) -> Act:
    def answer(request: Request) -> None:
        request.send(head)
        while True:
            request.send(piece)
            if pause:
                time.sleep(pause)
    return odd(path, answer)


def reset(request: Request) -> None:
    request.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.conn.close()
    raise Hangup


def everywhere(answer: Odd) -> Act:
    def act(stand: "Stand") -> None:
        for path in (VERSION, "/changes", HOSTS, "/networks", "/containers", "/self/host"):
            stand.near.odd[path] = answer
        stand.serve()
    return act


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

HTTP = [
    kept("HTTP 401", ("/version: status 401", "metadata.token_file"),
         status(VERSION, "401 Unauthorized", "WWW-Authenticate: Bearer\r\n")),
    kept("HTTP 403", "/version: status 403", status(VERSION, "403 Forbidden")),
    kept("HTTP 404 for the version", "/version: status 404", status(VERSION, "404 Not Found")),
    kept("HTTP 404 for the hosts", "/hosts: status 404", status(HOSTS, "404 Not Found")),
    kept("HTTP 429", "/version: status 429", status(VERSION, "429 Too Many", "Retry-After: 9\r\n")),
    kept("HTTP 500", "/version: status 500", status(VERSION, "500 Internal Server Error")),
    kept("HTTP 503 in the middle", "/hosts: status 503", status(HOSTS, "503 Service Unavailable")),
    kept("HTTP 204", "/hosts: status 204", status(HOSTS, "204 No Content", body=b"")),
    kept("HTTP 206", "/hosts: status 206", status(HOSTS, "206 Partial Content", body=b"[")),
    kept("HTTP 999 of a version 9", "/version: ", sends(VERSION, b"HTTP/9.9 999 \r\n\r\n")),
    kept("redirect, which nobody allowed", ("/version: status 302", "metadata.redirects"),
         status(VERSION, "302 Found", "Location: http://192.0.2.250/\r\n")),
    kept("empty body", "/version: line 1", body(VERSION, b"")),
    kept("version: a number", "/version: not a string, or an empty one", body(VERSION, b"7")),
    kept("version: empty", "/version: not a string, or an empty one", body(VERSION, b'""')),
    kept("version: 2,000 characters", "/version: body over 1024 bytes",
         body(VERSION, json.dumps("x" * 2000).encode())),
    kept("version: endless", "/version: body over 1024 bytes", endless(VERSION, CHUNKED,
                                                                       b"5\r\n\"xxxx\r\n")),
    kept("captive portal", ("/version: an HTML page, not JSON", "proxy"),
         everywhere(lambda r: r.answer(HTML, headers="Content-Type: text/html\r\n"))),
    kept("hosts: endless", "/hosts: body over 16777216 bytes",
         endless(HOSTS, CHUNKED, b"10000\r\n" + b" " * 0x10000 + b"\r\n")),
    kept("hangs up without a word", "/version: Empty reply from server", sends(VERSION, b"")),
    kept("resets the connection", "/version: Recv failure: Connection reset",
         odd(VERSION, reset)),
    kept("torn: Content-Length too long", "bytes remaining to read",
         sends(HOSTS, HEAD + b"Content-Length: 999\r\n\r\n[]")),
    kept("torn: Content-Length too short", "/hosts: ends in the middle",
         sends(HOSTS, HEAD + b'Content-Length: 9\r\n\r\n[{"uuid": "h1"}]', hang_up=False)),
    kept("torn: Content-Length twice", "/version: ",
         sends(VERSION, HEAD + b'Content-Length: 3\r\nContent-Length: 99\r\n\r\n"a"')),
    kept("torn: Content-Length -1", "/version: ",
         sends(VERSION, HEAD + b'Content-Length: -1\r\n\r\n"a"')),
    kept("torn: a chunk's size is no number", "/hosts: ",
         sends(HOSTS, CHUNKED + b"xyz\r\n[]\r\n0\r\n\r\n")),
    kept("torn: a chunk is longer than it says", "/hosts: ",
         sends(HOSTS, CHUNKED + b"1\r\n[{}]\r\n0\r\n\r\n")),
    kept("torn: the last chunk is not there", "/hosts: ", sends(HOSTS, CHUNKED + b"2\r\n[]\r\n")),
    kept("headers of 100 KB", "/version: headers over 65536 bytes",
         sends(VERSION, HEAD + b"X: " + b"x" * 60000 + b"\r\nY: " + b"y" * 60000 + b"\r\n\r\n")),
    kept("100 Continue without end", "/version: headers over 65536 bytes",
         endless(VERSION, b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100)),
    kept("an SSH server", "/version: ", sends(VERSION, b"SSH-2.0-OpenSSH_9.2p1\r\n")),
    kept("zeros", "/version: ", sends(VERSION, bytes(5000))),
    kept("compressed without being asked", "/hosts: not an array",
         body(HOSTS, gzip.compress(b"[]"), "Content-Encoding: gzip\r\n")),
    kept("hosts: trickle", "/hosts: under 1024 bytes a second for 10 s",
         endless(HOSTS, CHUNKED, b"1\r\n \r\n", 0.3), limit=20, long=True),
    kept("hosts: stop in the middle", "/hosts: under 1024 bytes a second for 10 s",
         odd(HOSTS, lambda r: (r.send(CHUNKED + b"1\r\n[\r\n"), time.sleep(60))[0]),
         limit=20, long=True),
    kept("headers trickle", "/version: time-out after 10 s",
         endless(VERSION, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.3), limit=60, long=True),
    took("JSON that says it is a page", (),
         odd(VERSION, lambda r: r.send(
             b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n\"new\""))),
]


# --- the way there

def read_from(make_url: Callable[["Stand"], str], prepare: Act | None = None,
              **metadata: Any) -> Act:
    def act(stand: "Stand") -> None:
        stand.serve(quiet=True)
        if prepare:
            prepare(stand)
        stand.read_from(make_url(stand), **metadata)
    return act


def back(stand: "Stand") -> None:
    stand.heal()
    stand.read_from()


def away(name: str, says: str | tuple[str, ...], act: Act, **more: Any) -> Case:
    return kept(name, says, act, heal=back, **more)


def close(stand: "Stand") -> None:
    stand.near.close()


def open_again(stand: "Stand") -> None:
    stand.near.listen()
    stand.heal()


def blackhole(stand: "Stand") -> None:
    stand.lab.wan.ns.nft("table ip fire {\n chain c {\n type filter hook input priority 0\n"
                         "ip daddr 198.51.100.1 tcp dport 80 drop\n }\n }\n")


def unreachable(stand: "Stand") -> None:
    stand.h1.ns.ip("route replace unreachable 203.0.113.0/24")


def by_name(answer: str | None) -> Act:
    def act(stand: "Stand") -> None:
        stand.dns.answer = answer
    return act


def name_url(stand: "Stand") -> str:
    return stand.near.url.replace("127.0.0.1", "meta.example.test")


def use_far(stand: "Stand") -> None:
    stand.far.tell(lambda: stand.far.documents.update(stand.near.documents))


def warned(stand: "Stand") -> None:
    assert "metadata come from http://192.0.2.250:8180" in stand.log()
    assert "use https://" in stand.log()


def ring(stand: "Stand") -> None:
    stand.near.odd[VERSION] = lambda r: r.answer(
        b"", "302 Found", f"Location: {stand.near.url}{VERSION}\r\n")


def dead_port(_: "Stand") -> str:
    return "http://127.0.0.1:9/latest"


WAY = [
    kept("refused", "connect to 127.0.0.1:8180: Connection refused", close, heal=open_again),
    away("blackholed", "connect to 198.51.100.1:80: time-out after 5 s",
         read_from(lambda _: "http://198.51.100.1/latest", blackhole), limit=12, long=True),
    away("no route", "connect to 203.0.113.1:80: No route to host",
         read_from(lambda _: "http://203.0.113.1/latest", unreachable)),
    away("name not found", "look-up of meta.example.test: no address",
         read_from(name_url, by_name(None))),
    away("name servers silent", "look-up of meta.example.test: time-out after 5 s",
         read_from(name_url, by_name("")), limit=12, long=True),
    away("name leads elsewhere", "connect to meta.example.test:8180: Connection refused",
         read_from(name_url, by_name("127.0.0.9"))),
    away("redirects in a ring", "/version: Maximum (3) redirects followed",
         read_from(lambda s: s.near.url, ring, redirects=3)),
    away("a proxy that is away, asked for", "Failed to connect to 127.0.0.1 port 9",
         read_from(lambda s: s.far.url, use_far, proxy=True)),
    took("by its name", (), read_from(name_url, by_name("127.0.0.1")), heal=back),
    took("far, by plain HTTP", (), read_from(lambda s: s.far.url, use_far), what=warned, heal=back),
    took("the first of two URLs is dead", (),
         read_from(dead_port, urls=["http://127.0.0.1:9/latest", "http://127.0.0.1:8180/2016-07-29"]),
         heal=back),
]


# --- TLS

def openssl(folder: Path, *argv: str) -> None:
    subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)


CA_CONFIG = """
[ca]
default_ca = it
[it]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
x509_extensions = ext
copy_extensions = none
[any]
commonName = supplied
[ext]
subjectAltName = {alt}
"""


def certificate(stand: "Stand", name: str) -> Path:
    """A folder with {name}.pem and .key, signed by the ca.pem that is there (`other`: by none)."""
    folder = stand.lab.folder / "tls"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    if not folder.exists():
        folder.mkdir()
        (folder / "index").touch()
        (folder / "serial").write_text("01\n")
        openssl(folder, "req", "-x509", *key, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key",
                "-out", "ca.pem")
        openssl(folder, "req", "-x509", *key, "-days", "2", "-subj", "/CN=other", "-keyout",
                "unknown.key", "-out", "unknown.pem", "-addext", "subjectAltName=IP:127.0.0.1")
    if not (folder / f"{name}.pem").exists():
        alt = "DNS:elsewhere.example" if name == "elsewhere" else "IP:127.0.0.1"
        (folder / "conf").write_text(CA_CONFIG.format(alt=alt))
        begin, end = {"expired": ("20200101000000Z", "20200201000000Z"),
                      "future": ("20480101000000Z", "20490101000000Z")}.get(
                          name, ("20200101000000Z", "20490101000000Z"))
        openssl(folder, "req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
                f"{name}.csr")
        openssl(folder, "ca", "-batch", "-notext", "-config", "conf", "-cert", "ca.pem",
                "-keyfile", "ca.key", "-startdate", begin, "-enddate", end, "-in", f"{name}.csr",
                "-out", f"{name}.pem")
    return folder


def tls(name: str) -> Act:
    """Reads from a server that has this certificate; ca.pem is believed."""
    def act(stand: "Stand") -> None:
        folder = certificate(stand, name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        stand.serve(quiet=True)
        server = OddServer(stand.near.make_socket, "127.0.0.1", next(_PORTS), context)
        server.documents = stand.near.documents
        server.listen()
        stand.servers.append(server)
        stand.read_from(server.url, ca_file=str(folder / "ca.pem"))
    return act


def https(make_url: Callable[["Stand"], str], prepare: Act | None = None) -> Act:
    return read_from(lambda s: make_url(s).replace("http:", "https:"), prepare)


def mute(stand: "Stand") -> None:
    """Listens, and takes nobody in: the handshake waits."""
    sock = stand.near.make_socket()
    sock.bind(("127.0.0.1", 8442))
    sock.listen(8)
    stand.sockets.append(sock)


TLS = [
    away("TLS: the certificate expired", ("TLS with 127.0.0.1:", "expired"), tls("expired")),
    away("TLS: the certificate is not valid yet, or our clock is wrong",
         ("TLS with 127.0.0.1:", "not yet valid"), tls("future")),
    away("TLS: the certificate is another's", ("TLS with 127.0.0.1:", "subject name"),
         tls("elsewhere")),
    away("TLS: the CA is unknown", ("TLS with 127.0.0.1:", "metadata.ca_file"), tls("unknown")),
    away("TLS: plain HTTP behind https://", ("TLS with 127.0.0.1:8180", "plain HTTP"),
         https(lambda s: s.near.url)),
    away("TLS: the handshake does not end", "TLS with 127.0.0.1:8442: time-out after 5 s",
         https(lambda _: "http://127.0.0.1:8442/latest", mute), limit=12, long=True),
    took("TLS: all is right", (), tls("good"), heal=back),
]

CASES: list[Case] = [*HTTP, *WAY, *TLS]
