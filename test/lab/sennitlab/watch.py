# SPDX-License-Identifier: GPL-2.0-or-later
"""Watches what all hosts say of each other, to show also what did not happen."""

import threading
import time
from typing import NamedTuple

from .host import Host, troubles
from .wait import NOT_YET


class Change(NamedTuple):
    time: float  # time.monotonic()
    host: str
    what: str    # a peer's id, or "healthy"
    before: str
    now: str
    detail: str  # cause and evidence

    def __str__(self) -> str:
        return (f"{self.host} says {self.what}: {self.before} -> {self.now}"
                + (f" ({self.detail})" if self.detail else ""))


class Watch:
    """A thread that asks every host's status again and again. A context manager.

    A host that does not answer changes nothing."""

    def __init__(self, hosts: list[Host], every: float = 0.03) -> None:
        self.changes: list[Change] = []
        self._hosts = hosts
        self._every = every
        self._end = threading.Event()
        self._last: dict[tuple[str, str], str] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _note(self, host: str, what: str, now: str, detail: str) -> None:
        before = self._last.get((host, what))
        self._last[host, what] = now
        if before is not None and before != now:
            self.changes.append(Change(time.monotonic(), host, what, before, now, detail))

    def _look(self) -> None:
        for host in self._hosts:
            try:
                status = host.status()
            except NOT_YET:
                continue
            self._note(host.id, "healthy", str(not troubles(status)),
                       str(status["problems"] or ""))
            for peer in status["peers"]:
                self._note(host.id, peer["id"], peer["state"],
                           f"{peer.get('cause')}: {peer.get('evidence')}")

    def _run(self) -> None:
        while not self._end.wait(self._every):
            self._look()

    def of(self, host: str | None = None, what: str | None = None, now: str | None = None,
           since: float = 0) -> list[Change]:
        return [c for c in list(self.changes)
                if c.time >= since and (host is None or c.host == host)
                and (what is None or c.what == what) and (now is None or c.now == now)]
