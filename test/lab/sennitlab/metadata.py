# SPDX-License-Identifier: GPL-2.0-or-later
"""The metadata of a lab: mesh.json, and sennit-metadata that serves it."""

import json
import os
import signal
import socket
import subprocess
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from .netns import Namespace
from .wait import patient, wait_for

OVERLAY, OVERLAY6 = "10.42.0.0/16", "fd42::/32"
PORT = 80
_EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)


def prefixes_of(overlays: list[str], number: int) -> list[str]:
    """The prefixes of the host of this number, one in each overlay."""
    return [f"fd42:0:0:{number:x}::/64" if overlay == OVERLAY6 else f"10.42.{number}.0/24"
            for overlay in overlays]


class Mesh:
    """mesh.json (src/model/mesh_file.h); every change is written at once, whole."""

    def __init__(self, path: Path, mesh_id: str,
                 overlay: str | list[str] = OVERLAY) -> None:
        self.path = path
        self.overlay = overlay
        self.id = mesh_id
        self.hosts: dict[str, dict[str, Any]] = {}
        self._made = 0

    def write(self) -> None:
        document = {"mesh": self.id, "name": "lab", "overlay": self.overlay,
                    "hosts": list(self.hosts.values())}
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(document, indent=2) + "\n")
        os.replace(new, self.path)

    def add(self, host_id: str, address: IPv4Address, prefix: str, *, write: bool = True,
            **more: Any) -> None:
        """A host; one added later is newer by its `created`."""
        self._made += 1
        created = _EPOCH + timedelta(minutes=self._made)
        self.hosts[host_id] = {
            "id": host_id, "name": f"node-{host_id}", "state": "active",
            "addresses": [str(address)], "prefixes": [prefix],
            "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), **more}
        if write:
            self.write()

    def remove(self, host_id: str) -> dict[str, Any]:
        """The entry, for put_back()."""
        entry = self.hosts.pop(host_id)
        self.write()
        return entry

    def put_back(self, entry: dict[str, Any]) -> None:
        self.hosts[entry["id"]] = entry
        self.write()

    def set(self, host_id: str, **changes: Any) -> None:
        self.hosts[host_id].update(changes)
        self.write()


class MetadataService:
    """sennit-metadata in a namespace of its own."""

    def __init__(self, program: Path, ns: Namespace, address: IPv4Address, mesh: Path,
                 log: Path) -> None:
        self._argv = ns.argv(str(program), "--listen", f"{address}:{PORT}", "--mesh", str(mesh))
        self.ns = ns
        self._address = str(address)
        self.log = log
        self.url = f"http://{address}/2016-07-29"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def _answers(self) -> bool:
        if self.pid is None:
            raise LookupError("sennit-metadata ended: " + self.log.read_text()[-500:])
        with self.ns.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.settimeout(patient(1))
            sock.connect((self._address, PORT))
            return True

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, start_new_session=True)
        wait_for(self._answers, 10, "sennit-metadata listens")

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(sig)
            try:
                self._process.wait(patient(5))
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
