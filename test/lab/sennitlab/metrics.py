# SPDX-License-Identifier: GPL-2.0-or-later
"""A page of /metrics, read."""

import re
from collections.abc import Iterable

SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Page:
    def __init__(self, text: str) -> None:
        self.text = text
        self._samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            key = name, frozenset(LABEL.findall(labels or ""))
            assert key not in self._samples, f"twice: {line}"
            self._samples[key] = float(value)

    def get(self, name: str, **labels: str) -> float | None:
        return self._samples.get((name, frozenset(labels.items())))

    def __call__(self, name: str, **labels: str) -> float:
        value = self.get(name, **labels)
        assert value is not None, f"no {name} {labels}"
        return value

    def samples(self) -> Iterable[tuple[tuple[str, frozenset[tuple[str, str]]], float]]:
        """((name, labels), value) of all."""
        return self._samples.items()

    def series_of(self, peer: str) -> int:
        return sum(("peer", peer) in labels for _, labels in self._samples)
