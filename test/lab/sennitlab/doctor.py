# SPDX-License-Identifier: GPL-2.0-or-later
"""`sennit doctor` on a host of the lab, and the services around it that a host asks."""

import json
import shlex
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .host import Host, environment
from .netns import Namespace, run


@dataclass
class Examination:
    code: int
    findings: list[dict[str, Any]]  # that are not ok
    fine: list[dict[str, Any]]
    unseen: list[str]
    took_ms: int

    def of(self, check: str) -> list[dict[str, Any]]:
        return [f for f in self.findings if f["check"] == check]

    def __str__(self) -> str:
        return "\n".join([f"exit {self.code} after {self.took_ms} ms"] +
                         [f"{f['severity']} {f['check']}: {f['seen']}" for f in self.findings] +
                         [f"unseen {u}" for u in self.unseen])


def examine(host: Host, program: Path, *args: str, mounts: tuple[str, ...] = (),
            config: Path | None = None, limit: float = 20) -> Examination:
    """mounts: lines of sh that run first, in the mount namespace of this one process."""
    command = shlex.join([str(program), "--config", str(config or host.config), "doctor", "--json",
                          *args])
    script = "\n".join(["set -e", *mounts, f"exec {command}"])
    done = run(*host.ns.argv("sh", "-c", script), check=False, env=environment(), limit=limit)
    assert done.stdout.startswith("{"), f"exit {done.returncode}: {done.stdout}{done.stderr}"
    result = json.loads(done.stdout)
    every = result["findings"]
    return Examination(done.returncode, [f for f in every if f["severity"] != "ok"],
                       [f for f in every if f["severity"] == "ok"], result["unseen"],
                       result["took_ms"])


class NameServer:
    """Answers every question with one code: 0 is an (empty) answer, 2 SERVFAIL, 5 REFUSED."""

    def __init__(self, ns: Namespace, address: str, code: int = 0) -> None:
        self._socket = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._code = code
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                query, sender = self._socket.recvfrom(512)
            except OSError:
                return
            if len(query) >= 12:
                self._socket.sendto(query[:2] + bytes([0x81, 0x80 | self._code]) + query[4:],
                                    sender)

    def close(self) -> None:
        self._socket.close()


class OddService:
    """A web server that is no metadata service: one status, one body, a Date of its own."""

    def __init__(self, ns: Namespace, address: str, port: int, status: int = 200,
                 body: bytes = b"{}", clock_s: float = 0,
                 certificate: Path | None = None) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response_only(status)
                self.send_header("Date", formatdate(time.time() + clock_s, usegmt=True))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((address, port), Handler, bind_and_activate=False)
        self._server.socket = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._server.socket.bind((address, port))
        if certificate:
            self._server.socket = self._tls(certificate).wrap_socket(self._server.socket,
                                                                     server_side=True)
        self._server.server_activate()
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @staticmethod
    def _tls(certificate: Path) -> ssl.SSLContext:
        """With a certificate that nobody but itself signed."""
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=meta", "-keyout", str(certificate), "-out",
            str(certificate) + ".crt")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(certificate) + ".crt", certificate)
        return context

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
