#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the metadata of 500 hosts cost: sennit-metadata, and a source that follows it.

    test/bench/metadata.py [--build DIR] [--flat] [--hosts 500] [--containers 10,100]

Prints one line a figure. "whole" is a service without changes and ETags (Rancher's), beside the
CPU that jansson alone needs to load the same documents.
"""

import argparse
import json
import os
import resource
import socket
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse
from urllib.request import Request, urlopen

ROOT = "/2016-07-29"
DOCUMENTS = ("networks", "hosts", "containers")
LIMIT = 60.0


def host_id(i: int) -> str:
    return f"00000000-0000-4000-8000-{i:012d}"


def mesh(hosts: int, containers: int, flat: bool, name: str, moved: int = 0) -> dict[str, Any]:
    """name: of the first host's first container; moved: the second one's has another address."""
    def host(i: int) -> dict[str, Any]:
        net = f"100.{i // 250}.{i % 250}"
        return {"id": host_id(i), "name": f"node{i}", "addresses": [f"192.0.{i // 200}.{i % 200 + 1}"],
                "prefixes": [] if flat else [net + ".0/24"],
                **({"overlay_ip": net + ".254"} if flat else {}),
                "containers": [{"name": name if (i, k) == (0, 0) else f"app-{i}-{k}",
                                "ip": f"{net}.{150 + moved if moved and (i, k) == (1, 0) else 2 + k}"}
                               for k in range(containers)]}
    return {"mesh": "m1", "overlay": "100.0.0.0/12", "hosts": [host(i) for i in range(hosts)]}


def until(condition: Any, what: str) -> Any:
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise SystemExit(f"not within {LIMIT} s: {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> bytes:
    with urlopen(Request(url, headers={"Accept": "application/json"}), timeout=LIMIT) as answer:
        body: bytes = answer.read()
    return body


class Server:
    def __init__(self, build: Path, path: Path) -> None:
        self.path, port = path, free_port()
        self.url = f"http://127.0.0.1:{port}{ROOT}"
        self.process = subprocess.Popen(
            [build / "tools/metadata/sennit-metadata", "--mesh", path, "--max-per-client", "2000",
             "--listen", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
        until(self.version, "it serves")

    def version(self) -> str:
        try:
            return str(json.loads(get(self.url + "/version")))
        except OSError:
            return ""

    def memory(self) -> dict[str, int]:
        text = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {key: int(line.split()[1]) for line in text
                for key in ("VmRSS", "VmHWM") if line.startswith(key)}

    def change(self, new: dict[str, Any]) -> None:
        before = self.version()
        half = self.path.with_suffix(".new")
        half.write_text(json.dumps(new))
        os.replace(half, self.path)
        until(lambda: self.version() != before, "the change is served")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(LIMIT)


class Original(ThreadingHTTPServer):
    """Documents as they are, a long poll on the version, nothing else."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}{ROOT}"
        self.documents: dict[str, bytes] = {}
        self.version = ""
        self.changed = threading.Condition()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, server: Server) -> None:
        self.documents = {name: get(f"{server.url}/{name}") for name in DOCUMENTS}
        with self.changed:
            self.version = server.version()
            self.changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Original

    def do_GET(self) -> None:
        url = urlparse(self.path)
        name = url.path.removeprefix(ROOT + "/")
        if name == "version":
            value = parse_qs(url.query).get("value", [None])[0]
            with self.server.changed:
                if value:
                    self.server.changed.wait_for(lambda: self.server.version != value, 30)
            body: bytes | None = json.dumps(self.server.version).encode()
        else:
            body = self.server.documents.get(name)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args: Any) -> None:
        pass


class Source:
    def __init__(self, build: Path, url: str) -> None:
        self.process = subprocess.Popen([build / "test/bench/source-bench", "source", url,
                                         host_id(0)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def figures(self) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def wait_for_reads(self, n: int) -> dict[str, Any]:
        return dict(until(lambda: (f := self.figures())["reads"] >= n and f, "it has read"))

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(LIMIT)


def show(name: str, **figures: Any) -> None:
    print(name + ":", ", ".join(f"{key} {value}" for key, value in figures.items()), flush=True)


def follow(build: Path, name: str, url: str, change: Any) -> None:
    source = Source(build, url)
    first = source.wait_for_reads(1)
    show(f"{name}, first read", cpu_ms=first["cpu_ms"], rss_kb=first["rss_kb"],
         peak_kb=first["peak_kb"], slowest_turn_ms=first["slowest_turn_ms"])
    costs = []
    for i in range(5):
        before = source.figures()
        change(f"new{i}")
        after = source.wait_for_reads(before["reads"] + 1)
        costs.append(round(after["cpu_ms"] - before["cpu_ms"], 2))
    show(f"{name}, one container's change", cpu_ms=costs, rss_kb=after["rss_kb"],
         peak_kb=after["peak_kb"], snapshots=after["snapshots"],
         slowest_turn_ms=after["slowest_turn_ms"])
    source.stop()


def load(build: Path, folder: Path, documents: dict[str, bytes]) -> float:
    for name, body in documents.items():
        (folder / name).write_bytes(body)
    out = subprocess.run([build / "test/bench/source-bench", "load",
                          *(folder / name for name in documents)], check=True,
                         capture_output=True, text=True).stdout.splitlines()
    total = sum(json.loads(line)["load_ms"] for line in out[:-1])
    show("jansson loads the documents", cpu_ms=round(total, 1),
         peak_kb=json.loads(out[-1])["peak_kb"], bytes=sum(map(len, documents.values())))
    return float(total)


def wait_thousand(server: Server, new: dict[str, Any]) -> None:
    version = server.version()
    port = urlparse(server.url).port
    poll = f"GET {ROOT}/version?wait=true&value={version} HTTP/1.0\r\n\r\n".encode()
    held = []
    for _ in range(1000):
        held.append(socket.create_connection(("127.0.0.1", port)))
        held[-1].sendall(poll)
    time.sleep(0.5)
    memory = server.memory()
    done: list[float] = []

    def collect() -> None:
        for one in held:
            one.recv(4096)
        done.append(time.monotonic())
    thread = threading.Thread(target=collect)
    thread.start()
    half = server.path.with_suffix(".new")
    half.write_text(json.dumps(new))
    begin = time.monotonic()
    os.replace(half, server.path)
    thread.join()
    for one in held:
        one.close()
    show("1000 clients wait", server_rss_kb=memory["VmRSS"],
         answered_all_after_ms=round((done[0] - begin) * 1000))


def run(build: Path, hosts: int, containers: int, flat: bool) -> None:
    print(f"--- {hosts} hosts x {containers} containers{', flat' if flat else ''}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "mesh.json"
        path.write_text(json.dumps(mesh(hosts, containers, flat, "first")))
        server = Server(build, path)
        original = Original()
        show("server, idle", **server.memory())
        follow(build, "changes", server.url,
               lambda new: server.change(mesh(hosts, containers, flat, new)))
        original.take(server)
        load(build, folder, original.documents)

        def change(new: str) -> None:
            server.change(mesh(hosts, containers, flat, new))
            original.take(server)
        follow(build, "whole", original.url, change)
        show("server, documents served", **server.memory())
        wait_thousand(server, mesh(hosts, containers, flat, "last"))
        server.stop()


def main() -> None:
    root = Path(__file__).resolve().parents[2]
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--build", type=Path, default=root / "build")
    args.add_argument("--flat", action="store_true")
    args.add_argument("--hosts", type=int, default=500)
    args.add_argument("--containers", default="10,100")
    options = args.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    for n in options.containers.split(","):
        run(options.build, options.hosts, int(n), options.flat)


if __name__ == "__main__":
    main()
