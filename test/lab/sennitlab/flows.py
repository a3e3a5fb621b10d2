# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbered packets between containers: starts sennit-flows, reads its logs (flows.c)."""

import os
import signal
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from .container import Container
from .programs import Programs
from .wait import PATIENCE, Unmet, patient, wait_for

Pair = tuple[str, str]  # names of containers: from, to
_LOGS = iter(range(1_000_000))


@dataclass
class Loss:
    """A number of a pair that did not come through."""
    pair: Pair
    seq: int
    time: float  # time.monotonic() when it was sent
    error: str = ""

    def __str__(self) -> str:
        return f"{self.pair[0]}->{self.pair[1]} #{self.seq}{' ' + self.error if self.error else ''}"


@dataclass
class Log:
    """The events of one container: target or source (address) -> number -> time in s."""
    sent: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    received: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    answered: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    errors: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))


def parse(path: Path) -> Log:
    log = Log()
    tables = {"S": log.sent, "R": log.received, "A": log.answered}
    with path.open() as file:
        for line in file:
            words = line.split()
            if not line.endswith("\n") or len(words) < 4 or words[0] == "#":
                continue
            what, when, who, seq = words[0], int(words[1]) / 1e6, words[2], int(words[3])
            if what in tables:
                tables[what][who][seq] = when
            else:
                log.errors[who][seq] = os.strerror(int(words[4]))
                if what == "X":
                    log.sent[who][seq] = when
    return log


@dataclass
class Report:
    """Who sent what to whom, and what became of it."""
    sent: dict[Pair, dict[int, float]]
    arrived: dict[Pair, dict[int, float]]
    errors: dict[Pair, dict[int, str]]

    def lost(self, since: float = 0, until: float = float("inf"),
             of: set[Pair] | None = None) -> list[Loss]:
        """All losses of what was sent in that time, errors included."""
        found = []
        for pair, sent in self.sent.items():
            if of is not None and pair not in of:
                continue
            found += [Loss(pair, seq, when, self.errors[pair].get(seq, ""))
                      for seq, when in sent.items()
                      if since <= when <= until and seq not in self.arrived[pair]]
        return sorted(found, key=lambda loss: loss.time)

    def count(self) -> int:
        return sum(len(sent) for sent in self.sent.values())

    def longest_gap(self, pair: Pair, since: float = 0, until: float = float("inf")) -> float:
        """Seconds between two arrivals that follow each other."""
        times = sorted(t for t in self.arrived[pair].values() if since <= t <= until)
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)

    def table(self) -> str:
        rows = [f"{'pair':>10} {'sent':>7} {'arrived':>7} {'lost':>6} {'gap ms':>7} errors"]
        for pair, sent in sorted(self.sent.items()):
            lost = sum(seq not in self.arrived[pair] for seq in sent)
            rows.append(f"{'>'.join(pair):>10} {len(sent):>7} {len(sent) - lost:>7} {lost:>6} "
                        f"{self.longest_gap(pair) * 1000:>7.0f} {len(self.errors[pair])}")
        return "\n".join(rows)


class Flows:
    """Every container sends to its targets until stop(). A context manager.

    rate: packets a second to each target, where a machine is given more time less.
    version: 4 or 6 where containers have both. pairs None: each to every other. echo: what is asked is answered, so a loss
    of either way counts for the asker's pair."""

    def __init__(self, programs: Programs, folder: Path, containers: list[Container],
                 pairs: set[Pair] | None = None, *, rate: int = 20, size: int = 64,
                 echo: bool = False, port: int = 7000, version: int | None = None) -> None:
        self._echo = echo
        self._address = {c.name: str(c.ip_of(version) if version else c.ip) for c in containers}
        if pairs is None:
            pairs = {(a.name, b.name) for a in containers for b in containers if a is not b}
        self.pairs = pairs
        number = next(_LOGS)
        self._logs = {c.name: folder / f"flows-{number}-{c.name}.log" for c in containers}
        self._processes: list[subprocess.Popen[bytes]] = []
        options = [f"--port={port}", f"--rate={max(rate / PATIENCE, 1):.0f}", f"--size={size}"]
        options += ["--echo"] if echo else []
        options += ["--ipv6"] if any(":" in a for a in self._address.values()) else []
        for c in containers:
            targets = [self._address[b] for a, b in sorted(pairs) if a == c.name]
            self._processes.append(subprocess.Popen(
                [str(programs.flows), f"--netns={c.ns.path}", f"--log={self._logs[c.name]}",
                 *options, *targets], stdin=subprocess.DEVNULL))
        wait_for(lambda: all("# ready" in log.read_text() for log in self._logs.values()), 10,
                 "every sennit-flows listens")
        self._signal(signal.SIGUSR2)

    def __enter__(self) -> "Flows":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _signal(self, sig: signal.Signals) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(sig)

    def _stopped(self) -> bool:
        return all(p.poll() is not None or "# stopped" in self._logs[n].read_text()
                   for n, p in zip(self._logs, self._processes))

    def stop(self, settle: float = 1.0) -> Report:
        """Stops the sending, gives what is on its way `settle` seconds at most, ends."""
        ended = [p.args for p in self._processes if p.poll() is not None]
        if self._processes:
            now = time.monotonic()
            self._signal(signal.SIGUSR1)
            # one that sends on while another has ended would count a loss of its own making
            wait_for(self._stopped, 10, "every sennit-flows stopped sending", step=0.02)
            try:
                # what was lost long ago does not come any more: only the last second counts
                wait_for(lambda: not self.report().lost(since=now - 1), settle, "all arrived",
                         step=0.05)
            except Unmet:
                pass
            self.kill(signal.SIGTERM)
        assert not ended, f"sennit-flows ended by itself: {ended}"
        return self.report()

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> None:
        self._signal(sig)
        for process in self._processes:
            process.wait(patient(5))
        self._processes = []

    def log(self, name: str) -> Log:
        """Of one container, as of now: also what comes of pairs that are not of these flows."""
        return parse(self._logs[name])

    def report(self) -> Report:
        """As of now."""
        logs = {name: parse(path) for name, path in self._logs.items()}
        sent, arrived, errors = {}, {}, {}
        for a, b in self.pairs:
            to, source = self._address[b], self._address[a]
            sent[a, b] = dict(logs[a].sent[to])
            arrived[a, b] = dict(logs[a].answered[to] if self._echo else logs[b].received[source])
            errors[a, b] = dict(logs[a].errors[to])
        return Report(sent, arrived, errors)

    def wait_all_arrive(self, limit: float, of: set[Pair] | None = None) -> None:
        """Until each pair had a packet through that was sent from now on."""
        since = time.monotonic()
        pairs = self.pairs if of is None else of

        def missing() -> list[Pair]:
            now = self.report()
            return [p for p in pairs if not any(now.sent[p].get(seq, 0) >= since
                                                for seq in now.arrived[p])]

        wait_for(lambda: not missing(), limit, "every pair has packets through",
                 lambda: f"without: {missing()}", step=0.1)

    def wait_sent(self, count: int, limit: float) -> None:
        """Until each pair has sent so many more packets: traffic as a clock, which goes
        slower as the rate does."""
        count = max(int(count / PATIENCE), 1)
        goal = {p: len(s) + count for p, s in self.report().sent.items()}
        wait_for(lambda: all(len(s) >= goal[p] for p, s in self.report().sent.items()), limit,
                 f"{count} more packets sent", step=0.1)
