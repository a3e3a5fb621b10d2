# SPDX-License-Identifier: GPL-2.0-or-later
"""A long time of random change, outage and drift, and what must hold all along.

    warm-up rounds | census A | rounds … | census B         B is to be as A

A round: some events one upon the other, each with its own end (a cut is healed,
a daemon started again); then everything is ended that still lasts, the mesh is
what it was at the begin, it settles, and the invariants are checked. The seed
decides what happens, as far as it does not depend on how fast the mesh is.

Some hosts are left whole (`quiet`): their sennitd and charon live from begin
to end, so that what leaks a little at a time is seen."""

import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from . import census
from .container import Container
from .lab import Lab
from .host import Host
from .mischief import WEIGHTS, Lasting, Mischief
from .sas import Tunnel

SETTLE = 90.0           # seconds in which a mesh that is left alone is whole again
PAUSE = (0.2, 2.5)      # seconds between events


class Broken(AssertionError):
    """An invariant did not hold."""


class Turns(NamedTuple):
    """Of one process, as it said last."""
    passes: int
    slow: int
    slowest_ms: int


@dataclass
class Soak(Mischief):
    lab: Lab
    seed: int
    log_path: Path
    quiet: set[str]           # hosts whose processes are left alone
    half: set[str]            # hosts whose sennitd is left alone
    round_of: tuple[int, int] = (12, 24)  # events
    counts: Counter[str] = field(default_factory=Counter)
    turns: dict[tuple[str, int], Turns] = field(default_factory=dict)
    settle_times: list[float] = field(default_factory=list)
    packets: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.began = time.monotonic()
        self.lasting: list[Lasting] = []
        self.visitors: list[Container] = []
        self.resident = {c.host.id: (c, c.ip) for c in self.lab.containers.values()}
        self.busy: set[str] = set()  # hosts that are cut, stopped or away
        self.events = 0
        self.spares = 0
        self.base = {name: dict(entry) for name, entry in self.lab.mesh.hosts.items()}
        self._log = self.log_path.open("w", buffering=1)
        self.say(f"seed {self.seed}, hosts {len(self.lab.hosts)}")

    # --- the log

    def say(self, text: str) -> None:
        self._log.write(f"{time.monotonic() - self.began:8.2f} {text}\n")

    # --- rounds

    def _end_due(self, all_of_them: bool = False) -> None:
        while due := [e for e in self.lasting if all_of_them or e.until <= self.events]:
            for one in due:
                self.lasting.remove(one)
                self.say(f"    {one.what}")
                one.end()
            if not all_of_them:
                return

    def event(self) -> None:
        self.events += 1
        self._end_due()
        what, = self.random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
        told = getattr(self, what.replace(" ", "_").lower())()
        if told:
            self.counts[what] += 1
            self.say(f"{self.events:5} {what}: {told}")
        begin, pause = time.monotonic(), self.random.uniform(*PAUSE)
        self.lab.wait(lambda: time.monotonic() >= begin + pause, pause + 5, "the pause", step=0.05)

    def round(self) -> None:
        for _ in range(self.random.randint(*self.round_of)):
            self.event()
        self._end_due(all_of_them=True)
        for container in list(self.visitors):
            self._leave(container, False)
        self.settle()
        self.check()

    # --- settling

    def _residents(self) -> None:
        """A veth that drift took away is the container's end, too: it is made again."""
        for container, address in self.resident.values():
            if container.host.pid is not None and container.addresses() != [address]:
                container.attach("--ip", str(address))

    def tunnels(self) -> None:
        """Exactly one a pair, the same at both ends; ValueError when not."""
        sas = {name: host.sas() for name, host in self.lab.hosts.items()}

        def of(host: str, peer: str) -> Tunnel:
            mine = [sa for sa in sas[host] if sa.get("remote-id") == peer
                    or sa["name"] == f"sennit-{peer}"]
            children = [c for sa in mine for c in sa.get("child-sas", {}).values()]
            if len(mine) != 1 or len(children) != 1:
                raise ValueError(f"{host} has {len(mine)} IKE_SAs and {len(children)} CHILD_SAs "
                                 f"with {peer}")
            return Tunnel(mine[0]["initiator-spi"], mine[0]["responder-spi"],
                          children[0]["spi-in"], children[0]["spi-out"])
        for a in sas:
            if len(sas[a]) != len(sas) - 1:
                raise ValueError(f"{a} has {len(sas[a])} IKE_SAs for {len(sas) - 1} peers")
            for b in sas:
                if a < b and of(a, b).mirrored() != of(b, a):
                    raise ValueError(f"{a} and {b} hold different tunnels")

    def settled(self) -> bool:
        if not self.lab.everybody_up():
            raise ValueError("not all are up")
        for host in self.lab.hosts.values():
            status, text = host.http("/healthz")
            # a machine that stood still is told for a while, and nobody's fault here
            if status != 200 and not all(line.startswith("stalled:")
                                         for line in text.splitlines()):
                raise ValueError(f"{host.id} is not healthy: {text}")
            if host.plan():
                raise ValueError(f"{host.id} has to do: {host.plan()}")
        self.tunnels()
        return True

    def settle(self) -> None:
        begin = time.monotonic()
        self.say("--- settles")
        # whoever was away makes its wires first: a container is attached to a daemon that answers
        for host in self.lab.hosts.values():
            host.wait_answers(SETTLE)
        with self._not_refused("attach"):
            self._residents()
        try:
            self.lab.wait(self.settled, SETTLE, f"settled (seed {self.seed}, event {self.events})",
                          step=0.3)
        except AssertionError:
            self._keep_pages()
            raise
        self._residents()
        took = time.monotonic() - begin
        self.settle_times.append(took)
        self.say(f"--- settled in {took:.1f} s")

    def _keep_pages(self) -> None:
        """For whoever looks into it, beside the log: what each host wrote and says."""
        for host in self.lab.hosts.values():
            with self._not_refused("pages"):
                (host.folder / "failed.metrics").write_text(host.http("/metrics")[1])
                (host.folder / "failed.sas").write_text("\n".join(map(str, host.sas())))
                (host.folder / "failed.status").write_text(str(host.status()))
        kept = self.log_path.with_suffix(".failed")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.lab.folder, kept, ignore=shutil.ignore_patterns(
            "*.pcap", "*.sock", "*.vici", "secret*"))
        self.say(f"--- kept: {kept}")

    # --- invariants

    def look_at_turns(self, host: Host) -> None:
        """Before its process ends, or when all is settled."""
        with self._not_refused("status"):
            status = host.status()
            assert host.pid
            self.turns[host.id, host.pid] = Turns(status["apply"]["passes"],
                                                  status["loop"]["slow_turns"],
                                                  status["loop"]["slowest_turn_ms"])

    def all_turns(self) -> Turns:
        """Of all processes that were."""
        every = self.turns.values()
        return Turns(sum(t.passes for t in every), sum(t.slow for t in every),
                     max((t.slowest_ms for t in every), default=0))

    def check(self) -> None:
        count, clear = self.lab.capture.drain()
        self.packets += count
        if clear:
            raise Broken(f"{len(clear)} packets in clear, the first: {clear[0]}")
        for host in self.lab.hosts.values():
            self.look_at_turns(host)
        passes, slow, slowest = self.all_turns()
        rss = {}
        for name, host in self.lab.hosts.items():
            charon = host.charon_pid()
            assert host.pid and charon
            rss[name] = census.proc.facts(host.pid).rss_kb, census.proc.facts(charon).rss_kb
        self.say(f"--- checked: {count} packets; {passes} passes, {slow} turns over 20 ms, the "
                 f"slowest {slowest} ms")
        self.say("--- rss " + " ".join(f"{n}={a}/{b}" for n, (a, b) in rss.items()))
