# SPDX-License-Identifier: GPL-2.0-or-later
"""An hour of random change, outage and drift with ten hosts: all stays as it was.

    pytest --long test/lab/test_soak.py          an hour
    SENNIT_SOAK_SECONDS=300 …                    five minutes
    SENNIT_SOAK_SEED=7 …                         the same events again
    SENNIT_SOAK_LOG=FILE …                       where the events and the result go

Without --long a short walk with three hosts shows that the machinery works."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from sennitlab import Lab, bound, census, programs
from sennitlab.mischief import OTHER, SPARE
from sennitlab.soak import Soak

HOUR = 3600
SHORT = 5
WARM_UP = 0.15           # of the time
# After the warm-up. charon's is not our code: its threads' heaps fill for a long time (measured
# 1.5 kB/s after five minutes of this, and falling); the bound is for what would not end.
RSS_GROWTH_KB = {"sennitd": 1024, "charon": 6144}
# Of the passes. All namespaces of a machine share the kernel's lock of links and routes: who makes
# and removes namespaces beside makes a pass wait for it now and then.
SLOW_SHARE = 0.02


@pytest.fixture(scope="module")
def lab(built: programs.Programs, long: bool) -> Iterator[Lab]:
    hosts = 10 if long else 3
    made = Lab(hosts=hosts, containers=1, settings={"log": {"level": "info"}})
    try:
        made.prepare_spare(SPARE, hosts + 1)
        addresses = {name: host.address + OTHER for name, host in made.hosts.items()}
        made.make_neighbours_permanent(addresses)
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def soak(lab: Lab, long: bool) -> Soak:
    seed = int(os.environ.get("SENNIT_SOAK_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"SENNIT_SOAK_SEED={seed}")
    names = list(lab.hosts)
    log = Path(os.environ.get("SENNIT_SOAK_LOG", lab.folder / "soak.log"))
    return Soak(lab, seed, log, quiet=set(names[:len(names) // 3]),
                half=set(names[:len(names) // 2]), round_of=(12, 24) if long else (5, 7))


def table(soak: Soak, before: dict, after: dict) -> str:  # type: ignore[type-arg]
    rows = [f"{'host':6} {'process':8} {'same':>5} {'RSS kB':>7} {'after':>7} {'grown':>6} "
            f"{'fds':>4} {'after':>5} {'threads':>7} {'after':>5}"]
    for name in before:
        for what in ("sennitd", "charon"):
            a, b = before[name][what], after[name][what]
            rows.append(f"{name:6} {what:8} {'yes' if a.pid == b.pid else 'no':>5} {a.rss_kb:7} "
                        f"{b.rss_kb:7} {b.rss_kb - a.rss_kb:6} {a.fds:4} {b.fds:5} "
                        f"{a.threads:7} {b.threads:5}")
        sizes = {kind: len(lines) for kind, lines in after[name]["objects"].items()}
        rows.append(f"{name:6} objects  " + " ".join(f"{k}={n}" for k, n in sizes.items()))
    rows.append(f"{soak.events} events: " + ", ".join(
        f"{count} {what}" for what, count in soak.counts.most_common()))
    rows.append(f"{len(soak.settle_times)} times settled, median {median(soak.settle_times):.1f} s,"
                f" longest {max(soak.settle_times):.1f} s; {soak.packets} packets on the underlay, "
                f"none in clear")
    passes, slow, slowest = soak.all_turns()
    rows.append(f"{passes} passes, {slow} turns over 20 ms, the slowest {slowest} ms")
    return "\n".join(rows)


def judge(before: dict, after: dict) -> list[str]:  # type: ignore[type-arg]
    """What is not as it was."""
    found = []
    for name in before:
        found += [f"{name}: {line}" for line in census.differences(
            before[name]["objects"], after[name]["objects"])]
        for what, limit in RSS_GROWTH_KB.items():
            a, b = before[name][what], after[name][what]
            gone, come = Counter(a.kinds) - Counter(b.kinds), Counter(b.kinds) - Counter(a.kinds)
            # the one connection to the metadata service comes and goes
            if (gone + come) - Counter({"socket:": 1}):
                found.append(f"{name}: {what} has other descriptors: gone {dict(gone)}, "
                             f"come {dict(come)}")
            if b.rss_kb > a.rss_kb + limit:
                found.append(f"{name}: {what} grew from {a.rss_kb} to {b.rss_kb} kB")
    return found


def steady(lab: Lab) -> dict:  # type: ignore[type-arg]
    """Two in a row that are the same: connections of the lab itself last a moment."""
    last = census.take(lab.hosts)

    def same() -> bool:
        nonlocal last
        before, last = last, census.take(lab.hosts)
        return not judge(before, last)
    lab.wait(same, 30, "two censuses in a row are the same", step=1)
    return last


@pytest.mark.slow
def test_all_stays_as_it_was(lab: Lab, soak: Soak, long: bool,
                             capsys: pytest.CaptureFixture[str]) -> None:
    seconds = float(os.environ.get("SENNIT_SOAK_SECONDS", HOUR if long else SHORT))
    soak.settle()
    soak.check()
    begin = time.monotonic()
    while True:
        soak.round()
        if time.monotonic() >= begin + WARM_UP * seconds:
            break
    before = steady(lab)
    while time.monotonic() < begin + seconds:
        soak.round()
    after = steady(lab)
    found = judge(before, after)
    text = table(soak, before, after)
    soak.say("result\n" + text + "\n" + "\n".join(found))
    with capsys.disabled():
        print("\n" + text)
    assert not found, "\n".join(found)
    assert not lab.sanitizer_reports()
    turns = soak.all_turns()
    assert turns.slow <= bound(SLOW_SHARE * turns.passes + 2), turns
