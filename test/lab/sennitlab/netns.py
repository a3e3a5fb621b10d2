# SPDX-License-Identifier: GPL-2.0-or-later
"""A network namespace with a name, as ip-netns(8) keeps them."""

import ctypes
import os
import socket
import subprocess
import threading
from pathlib import Path

from .wait import patient

RUN_NETNS = Path("/run/netns")
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(RuntimeError):
    """A command of the lab itself failed."""


def run(*argv: str, text: str | None = None, check: bool = True,
        limit: float = 60,
        env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, output kept."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True,
                          timeout=patient(limit),
                          errors="replace", env=env,
                          stdin=subprocess.DEVNULL if text is None else None)
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(argv)}: status {done.returncode}\n"
                            f"{done.stdout}{done.stderr}")
    return done


class Namespace:
    def __init__(self, name: str) -> None:
        self.name = name
        self.path = RUN_NETNS / name
        run("ip", "netns", "add", name)
        self.ip("link set lo up")

    @property
    def inode(self) -> int:
        return os.stat(self.path).st_ino

    def delete(self) -> None:
        run("ip", "netns", "del", self.name, check=False)

    def ip(self, *lines: str) -> None:
        """Lines for `ip -batch`, all in one process."""
        run("ip", "-n", self.name, "-batch", "-", text="\n".join(lines) + "\n")

    def ip_json(self, *args: str) -> list[dict]:
        import json
        out = run("ip", "-n", self.name, "-j", *args).stdout
        return json.loads(out or "[]")

    def argv(self, *argv: str) -> list[str]:
        """The command line that runs argv in here (by exec: same pid)."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, *argv: str, text: str | None = None, check: bool = True,
            limit: float = 60) -> subprocess.CompletedProcess[str]:
        return run(*self.argv(*argv), text=text, check=check, limit=limit)

    def nft(self, script: str) -> None:
        self.run("nft", "-f", "-", text=script)

    def socket(self, family: int, kind: int, proto: int = 0) -> socket.socket:
        """A socket of this namespace, for use out here.

        setns(2) moves one thread; the socket stays where it was made."""
        made: list[socket.socket] = []
        failed: list[OSError] = []

        def make() -> None:
            try:
                fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if _libc.setns(fd, CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                finally:
                    os.close(fd)
                made.append(socket.socket(family, kind, proto))
            except OSError as e:
                failed.append(e)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return made[0]
