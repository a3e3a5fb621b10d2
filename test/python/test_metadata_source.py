# SPDX-License-Identifier: GPL-2.0-or-later
"""The HTTP source (in the program of test/bench) before a server that a test can make odd."""

import http.client
import json
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from test_metadata_product import big_mesh
from test_metadata_server import LIMIT, ROOT, Mesh, Service, start, until

__all__ = ["start"]

Start = Callable[..., Service]
BENCH = Path(os.environ.get("SENNIT_BUILD", "build")) / "test/bench/source-bench"


class Front(ThreadingHTTPServer):
    """Hands on to a sennit-metadata, and notes what was asked."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, service: Service | None, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.service = service
        self.seen: list[tuple[str, dict[str, str], int]] = []
        self.odd: Callable[[Handler], bool] = lambda _: False
        self.has_changes = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.base = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_address[1]}"
        self.url = self.base + ROOT
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass

    def asked(self, path: str) -> list[tuple[dict[str, str], int]]:
        return [(headers, status) for seen, headers, status in self.seen
                if seen.partition("?")[0] == ROOT + path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front

    def do_GET(self) -> None:
        if self.server.odd(self):
            return
        if not self.server.has_changes and "/changes" in self.path:
            self.answer(404, {}, b"Not found\n")
            return
        assert self.server.service
        conn = http.client.HTTPConnection("127.0.0.1", self.server.service.port, timeout=150)
        try:
            conn.request("GET", self.path, headers={
                key: self.headers[key] for key in ("Accept", "If-None-Match")
                if key in self.headers})
            got = conn.getresponse()
            body = got.read()
        except OSError:
            self.close_connection = True
            return
        etag = {"ETag": got.headers["ETag"]} if "ETag" in got.headers else {}
        self.answer(got.status, etag, body)

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.server.seen.append((self.path, dict(self.headers), status))
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Source:
    def __init__(self, folder: Path, *urls: str, **variables: str) -> None:
        self.log_path = folder / "source.log"
        env = {"SENNIT_METADATA_" + key.upper(): value for key, value in variables.items()}
        inherited = {key: value for key, value in os.environ.items()
                     if not key.startswith("SENNIT_")}
        if len(urls) > 1:
            env["SENNIT_METADATA_URLS"] = ",".join(urls)
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [BENCH, "source", urls[0], "h0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, text=True, env={**inherited, **env})

    def figures(self) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def reads(self, n: int) -> None:
        until(lambda: self.figures()["reads"] >= n, f"{n} readings\n" + self.log())

    def snapshots(self, n: int) -> None:
        until(lambda: self.figures()["snapshots"] >= n, f"{n} snapshots")

    def log(self) -> str:
        return self.log_path.read_text()

    def says(self, text: str, limit: float = LIMIT) -> None:
        until(lambda: text in self.log(), f"it says {text}", limit)

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(LIMIT) in (0, 1, 2)


Follow = Callable[..., Source]


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    started: list[Source] = []

    def one(*urls: str, **variables: str) -> Source:
        started.append(Source(tmp_path, *urls, **variables))
        return started[-1]
    yield one
    for source in started:
        source.end()


@pytest.fixture
def fronts() -> Iterator[Callable[..., Front]]:
    made: list[Front] = []

    def one(*args: Any) -> Front:
        made.append(Front(*args))
        return made[-1]
    yield one
    for front in made:
        front.shutdown()
        front.server_close()


Fronts = Callable[..., Front]


def moved(shift: int) -> Mesh:
    """A mesh of four hosts; the subnet of one follows the number."""
    mesh = big_mesh(4, 3)
    mesh["hosts"][3]["prefixes"] = [f"100.9.{shift}.0/24"]
    mesh["hosts"][3]["containers"] = []
    return mesh


# --- changes and ETags


def test_changes_are_enough(start: Start, fronts: Fronts, follow: Follow) -> None:
    service = start(mesh=moved(0))
    front = fronts(service)
    source = follow(front.url)
    source.reads(1)
    for n in range(1, 4):
        service.write(moved(n))
        source.snapshots(n + 1)
    assert len(front.asked("/hosts")) == len(front.asked("/containers")) == 1
    assert source.figures()["torn"] == 0
    assert source.log() == ""


def test_a_restarted_server_is_read_by_what_changed(start: Start, fronts: Fronts,
                                                    follow: Follow) -> None:
    front = fronts(start(mesh=moved(0)))
    source = follow(front.url)
    source.reads(1)
    assert front.service
    front.service.stop()
    until(lambda: source.log(), "the outage is said")
    front.service = start(mesh=moved(0))
    source.reads(2)
    # nothing changed but the version: nothing is sent again
    assert [status for _, status in front.asked("/containers")] == [200, 304]
    assert source.figures()["snapshots"] == 1
    front.service.stop()
    front.service = start(mesh=moved(1))
    source.snapshots(2)
    assert [status for _, status in front.asked("/hosts")] == [200, 304, 200]
    assert [status for _, status in front.asked("/containers")][:2] == [200, 304]
    front.service.write(moved(2))
    source.snapshots(3)
    assert len(front.asked("/hosts")) == 3  # by changes again


def test_history_overflow_is_read_whole(start: Start, fronts: Fronts, follow: Follow) -> None:
    service = start(mesh=big_mesh(50, 1))
    front = fronts(service)
    source = follow(front.url)
    source.reads(1)
    service.write(big_mesh(50, 100))
    source.reads(2)
    assert len(front.asked("/containers")) == 2
    assert source.log() == ""


def test_a_service_without_changes_is_polled_by_version(start: Start, fronts: Fronts,
                                                        follow: Follow) -> None:
    service = start(mesh=moved(0))
    front = fronts(service)
    front.has_changes = False
    source = follow(front.url)
    source.reads(1)
    service.write(moved(1))
    source.snapshots(2)
    assert len(front.asked("/changes")) == 1
    assert [status for _, status in front.asked("/containers")][0] == 200
    assert source.log() == ""


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b'{"version": 7}', b'{"version": "x"}',
    b'{"version": "x", "hosts": {"added": 1}, "containers": {}}',
    b'{"version": "x", "hosts": {"removed": [1]}, "containers": {}}',
    b'{"self": "*", "version": "x", "hosts": {"removed": ["h1"]}, "containers": {}}'])
def test_changes_that_are_none_change_nothing(start: Start, fronts: Fronts, follow: Follow,
                                              body: bytes) -> None:
    front = fronts(start(mesh=moved(0)))

    def odd(handler: Handler) -> bool:
        if "/changes" in handler.path:
            handler.answer(200, {}, body)
        return "/changes" in handler.path
    front.odd = odd
    source = follow(front.url)
    if b'"*"' in body:  # host.id goes before what it says of us: the removal counts
        source.snapshots(2)
        return
    source.says("/changes: ")
    source.reads(2)
    assert source.figures()["snapshots"] == 1
    assert len(front.asked("/changes")) == 1


# --- TLS, token, redirects, URLs


def openssl(folder: Path, *argv: str) -> None:
    subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a throw-away CA (ca.pem), and two certificates of its own."""
    folder = tmp_path_factory.mktemp("ca")
    for name in ("ca", "other"):
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
                f"{name}.pem")
    for name, alt in (("good", "IP:127.0.0.1"), ("wrong", "DNS:elsewhere.example")):
        (folder / "ext").write_text(f"subjectAltName={alt}\n")
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", f"{name}.pem")
    return folder


def test_tls_is_checked(start: Start, fronts: Fronts, follow: Follow, ca: Path) -> None:
    front = fronts(start(mesh=moved(0)), (ca / "good.pem", ca / "good.key"))
    source = follow(front.url, ca_file=str(ca / "ca.pem"))
    source.reads(1)
    assert front.service
    front.service.write(moved(1))
    source.snapshots(2)


@pytest.mark.parametrize(("cert", "trusted"), [("good", "other"), ("good", None), ("wrong", "ca"),
                                               ("good", "none")])
def test_wrong_tls_is_refused(start: Start, fronts: Fronts, follow: Follow, ca: Path, cert: str,
                              trusted: str | None) -> None:
    front = fronts(start(mesh=moved(0)), (ca / f"{cert}.pem", ca / f"{cert}.key"))
    variables = {"ca_file": str(ca / f"{trusted}.pem")} if trusted else {}
    source = follow(front.url, **variables)
    source.says("TLS with 127.0.0.1:")
    assert source.figures()["reads"] == 0
    assert front.seen == []


def token_file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "token"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_the_token_is_sent(start: Start, fronts: Fronts, follow: Follow, ca: Path,
                           tmp_path: Path) -> None:
    front = fronts(start(mesh=moved(0)), (ca / "good.pem", ca / "good.key"))

    def odd(handler: Handler) -> bool:
        if handler.headers.get("Authorization") == "Bearer s3cret.t0ken":
            return False
        handler.answer(401, {}, b"no\n")
        return True
    front.odd = odd
    path = token_file(tmp_path, "other\n")
    source = follow(front.url, ca_file=str(ca / "ca.pem"), token_file=path)
    source.says("status 401")
    token_file(tmp_path, "s3cret.t0ken\n")  # another is taken without a restart
    source.reads(1)
    assert "s3cret" not in source.log()


@pytest.mark.parametrize(("text", "mode", "says"), [
    ("x", 0o640, "chmod 600"), ("", 0o600, "empty"), ("a b", 0o600, "visible"),
    ("a\nb", 0o600, "visible"), ("x" * 5000, 0o600, "too long"), (None, 0o600, "No such file")],
    ids=["mode", "empty", "space", "lines", "long", "none"])
def test_odd_token_files_are_refused(start: Start, fronts: Fronts, follow: Follow, tmp_path: Path,
                                     text: str | None, mode: int, says: str) -> None:
    front = fronts(start(mesh=moved(0)))
    path = str(tmp_path / "none") if text is None else token_file(tmp_path, text, mode)
    source = follow(front.url, token_file=path)
    source.says(says)
    assert front.seen == []


def test_a_token_does_not_go_over_the_network_in_clear(follow: Follow, tmp_path: Path) -> None:
    source = follow("http://192.0.2.1/latest", token_file=token_file(tmp_path, "x"))
    assert source.process.wait(LIMIT) == 1
    assert "plain HTTP" in source.log()


def redirect_to(base: Callable[[], str]) -> Callable[[Handler], bool]:
    def odd(handler: Handler) -> bool:
        handler.answer(302, {"Location": base() + handler.path}, b"")
        return True
    return odd


def test_redirects_are_followed_when_they_may(start: Start, fronts: Fronts, follow: Follow,
                                              tmp_path: Path) -> None:
    front, door = fronts(start(mesh=moved(0))), fronts(None)
    door.odd = redirect_to(lambda: front.base)
    source = follow(door.url)
    source.says("status 302")
    assert front.seen == []
    source.end()  # or it asks on beside the next one, without a token
    follow(door.url, redirects="1", token_file=token_file(tmp_path, "x")).reads(1)
    assert all("Authorization" in headers for _, headers, _ in door.seen[-3:])
    assert not any("Authorization" in headers for _, headers, _ in front.seen)


def test_redirects_are_bounded_and_stay_with_tls(start: Start, fronts: Fronts, follow: Follow,
                                                 ca: Path) -> None:
    ring = fronts(None)
    ring.odd = redirect_to(lambda: ring.base)
    source = follow(ring.url, redirects="3")
    source.says("redirects")
    assert len(ring.seen) % 4 == 0
    front, door = fronts(start(mesh=moved(0))), fronts(None, (ca / "good.pem", ca / "good.key"))
    door.odd = redirect_to(lambda: front.base)
    follow(door.url, redirects="3", ca_file=str(ca / "ca.pem")).says("http")
    assert front.seen == []


def test_the_next_url_is_tried(start: Start, fronts: Fronts, follow: Follow) -> None:
    one, two = fronts(start(mesh=moved(0))), fronts(start(mesh=moved(1)))
    source = follow("http://127.0.0.1:1/latest", one.url, two.url)
    source.says("connect to 127.0.0.1:1")
    source.snapshots(1)
    assert two.seen == []
    assert one.service
    one.service.stop()
    source.snapshots(2)
    assert [h for h, _ in two.asked("/hosts") if "If-None-Match" in h] == []


# --- streams


def test_a_stream_that_trickles_is_cut(start: Start, fronts: Fronts, follow: Follow) -> None:
    front = fronts(start(mesh=moved(0)))
    gone = threading.Event()

    def odd(handler: Handler) -> bool:
        if not handler.path.endswith("/containers"):
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b" ")
                time.sleep(0.2)
        except OSError:
            gone.set()
        return True
    front.odd = odd
    source = follow(front.url)
    source.says("/containers: under 1024 bytes a second for 10 s", 20)
    assert gone.wait(LIMIT)
    assert source.figures()["reads"] == 0


@pytest.mark.parametrize(("body", "says"), [
    (b"[" * 100000, "nested deeper than 32"),
    (b'[{"a":"' + b"x" * 300000, "over 262144 bytes"),
    (b"[" + b"{}," * 70000 + b"{}]", "65536"),
    (b"[1,2", "ends in the middle"), (b'[{"a":1,"a":2}]', "/containers/0: line 1"),
    (b"{}", "not an array"), (b"[{}] []", "something comes after"),
], ids=["deep", "long", "many", "cut", "double", "object", "rest"])
def test_odd_streams_are_refused(start: Start, fronts: Fronts, follow: Follow, body: bytes,
                                 says: str) -> None:
    front = fronts(start(mesh=moved(0)))
    asked: list[int] = []

    def odd(handler: Handler) -> bool:
        if not handler.path.endswith("/containers") or asked:
            return False
        asked.append(1)
        handler.answer(200, {"ETag": '"odd"'}, body)
        return True
    front.odd = odd
    source = follow(front.url)
    source.says(says)
    source.snapshots(1)  # and the next reading is not spoilt by it
    assert front.asked("/containers")[-1][0].get("If-None-Match") is None
