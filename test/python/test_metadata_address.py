# SPDX-License-Identifier: GPL-2.0-or-later
"""sennit-metadata --add-address: containers reach 169.254.169.250, whose address comes and goes."""

import json
import os
import subprocess
from typing import Any

from test_metadata_server import LIMIT, binary, mesh_of_the_recording, until


class Host:
    """A network namespace with a container behind a bridge-like link, and a server in it."""

    def __init__(self, folder: Any) -> None:
        self.ns, self.container = f"factsh{os.getpid()}", f"factsc{os.getpid()}"
        for name in (self.ns, self.container):
            self.ip("netns", "add", name)
            self.ip("-n", name, "link", "set", "lo", "up")
        self.ip("-n", self.ns, "link", "add", "br0", "type", "veth", "peer", "name", "eth0",
                "netns", self.container)
        self.ip("-n", self.ns, "addr", "add", "10.42.1.1/24", "dev", "br0")
        self.ip("-n", self.container, "addr", "add", "10.42.1.10/24", "dev", "eth0")
        self.ip("-n", self.ns, "link", "set", "br0", "up")
        self.ip("-n", self.container, "link", "set", "eth0", "up")
        self.ip("-n", self.container, "route", "add", "default", "via", "10.42.1.1")
        self.mesh = folder / "mesh.json"
        self.mesh.write_text(json.dumps(mesh_of_the_recording()))
        self.log = folder / "log"

    @staticmethod
    def ip(*argv: str) -> str:
        return subprocess.run(["ip", *argv], check=True, capture_output=True, text=True).stdout

    def start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.ns, binary(), "--mesh", self.mesh, "--add-address"],
                stderr=log)
        until(lambda: self.has_address() and self.ask("version"), "it serves")
        return process

    def has_address(self) -> bool:
        return "169.254.169.250" in self.ip("-n", self.ns, "addr", "show", "lo")

    def ask(self, path: str) -> str:
        code = ("import urllib.request as u; "
                f"print(u.urlopen('http://169.254.169.250/latest/{path}', timeout=3)"
                ".read().decode())")
        return subprocess.run(["ip", "netns", "exec", self.container, "/usr/bin/python3", "-c",
                               code], capture_output=True, text=True, check=False).stdout.strip()

    def close(self) -> None:
        for name in (self.ns, self.container):
            self.ip("netns", "del", name)


def test_containers_reach_the_local_address(tmp_path: Any) -> None:
    host = Host(tmp_path)
    try:
        process = host.start()
        assert host.ask("self/container/primary_ip") == "10.42.1.10"
        assert host.ask("self/host/name") == "h1"
        process.kill()  # its address stays, and the next one knows it as ours
        process.wait(LIMIT)
        assert host.has_address()
        process = host.start()
        process.terminate()
        assert process.wait(LIMIT) == 0
        assert not host.has_address()
        host.ip("-n", host.ns, "addr", "add", "169.254.169.250/32", "dev", "lo")
        process = host.start()
        process.terminate()
        assert process.wait(LIMIT) == 0
        assert host.has_address()
    finally:
        host.close()
