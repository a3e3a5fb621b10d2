# SPDX-License-Identifier: GPL-2.0-or-later
"""Rancher's metadata API (2016-07-29) for one host, by a server that can be wrong."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sennitlab import patient

ROOT = "/2016-07-29"
MAX_HEAD = 64 * 1024
TLS_HELLO = b"\x16\x03"


class Request:
    def __init__(self, conn: socket.socket, head: str) -> None:
        self.conn = conn
        lines = head.split("\r\n")
        target = urlsplit(lines[0].split(" ")[1])
        self.path = unquote(target.path).removeprefix(ROOT)
        self.query = {key: values[0] for key, values in
                      parse_qs(target.query, keep_blank_values=True).items()}
        self.headers = {name.strip().lower(): value.strip() for name, _, value in
                        (line.partition(":") for line in lines[1:] if line)}

    def send(self, data: bytes) -> None:
        self.conn.sendall(data)

    def answer(self, body: bytes, status: str = "200 OK", headers: str = "",
               length: int | None = None) -> None:
        size = len(body) if length is None else length
        self.send(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}"
                  f"Content-Length: {size}\r\n\r\n".encode() + body)


class Hangup(Exception):
    """The server ends the connection, at once."""


Odd = Callable[[Request], None]


class OddServer:
    """`documents` are served as they are (str and bytes raw); `odd` goes before them."""

    def __init__(self, make_socket: Callable[[], socket.socket], address: str, port: int,
                 tls: ssl.SSLContext | None = None) -> None:
        self.make_socket = make_socket
        self._where = address, port
        self._tls = tls
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{address}:{port}{ROOT}"
        self.documents: dict[str, Any] = {}
        self.changes: Callable[[str], bytes] | None = None  # the answer to /changes?since=
        self.odd: dict[str, Odd] = {}
        self.etags: dict[str, str] = {}
        self.version = "v0"
        self.seen: list[tuple[str, dict[str, str]]] = []  # path and query
        self._news = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._listener: socket.socket | None = None

    # --- what it says

    def tell(self, change: Callable[[], None]) -> None:
        """Runs the change and lets those who wait look anew."""
        with self._news:
            change()
            self._news.notify_all()

    def wait_asked(self, path: str, limit: float = 10) -> None:
        """Until the path is asked for, from now on."""
        since = len(self.seen)
        end = time.monotonic() + patient(limit)
        with self._news:
            while not any(p == path for p, _ in self.seen[since:]):
                if not self._news.wait(max(0, end - time.monotonic())):
                    raise AssertionError(f"{path} was not asked for within {limit:g} s")

    # --- whether it answers

    def listen(self) -> None:
        assert self._listener is None
        self._listener = self.make_socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self._where)
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def hang_up(self) -> None:
        """Ends every connection; it still listens."""
        for conn in list(self._connections):
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.tell(lambda: None)

    def close(self) -> None:
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.hang_up()

    # --- at work

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn: socket.socket) -> None:
        raw = conn
        self._connections.add(raw)
        try:
            if self._tls:
                conn = self._tls.wrap_socket(conn, server_side=True)
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    more = conn.recv(4096)
                    if not more or len(rest) > MAX_HEAD:
                        return
                    rest += more
                    if rest.startswith(TLS_HELLO):
                        conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        return
                head, _, rest = rest.partition(b"\r\n\r\n")
                self._answer(Request(conn, head.decode("latin-1")))
        except (OSError, Hangup, ValueError):
            pass
        finally:
            self._connections.discard(raw)
            conn.close()

    def _wait_for_news(self, request: Request) -> Odd | None:
        """For a long poll: until there is another version, or something odd."""
        known = request.query.get("value", request.query.get("since"))
        end = time.monotonic() + min(float(request.query.get("maxWait", 0)), 120)
        with self._news:
            while (request.query.get("wait") == "true" and known == self.version and
                   request.path not in self.odd and
                   not (request.path == "/changes" and self.changes is None)):
                if request.conn.fileno() < 0 or not self._news.wait(end - time.monotonic()):
                    break
            return self.odd.get(request.path)

    def _answer(self, request: Request) -> None:
        with self._news:
            self.seen.append((request.path, request.query))
            self._news.notify_all()
        odd = self._wait_for_news(request)
        if odd:
            odd(request)
        elif request.path == "/version":
            request.answer(json.dumps(self.version).encode())
        elif request.path == "/changes" and self.changes:
            request.answer(self.changes(request.query["since"]))
        elif request.path in self.documents:
            self._document(request)
        else:
            request.answer(b"Not found", "404 Not Found")

    def _document(self, request: Request) -> None:
        etag = self.etags.get(request.path)
        headers = f"ETag: {etag}\r\n" if etag else ""
        if etag and request.headers.get("if-none-match") == etag:
            request.send(f"HTTP/1.1 304 Not Modified\r\n{headers}\r\n".encode())
            return
        document = self.documents[request.path]
        if isinstance(document, str):
            document = document.encode()
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        request.answer(body, headers=headers)
