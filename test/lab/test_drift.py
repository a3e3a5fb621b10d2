# SPDX-License-Identifier: GPL-2.0-or-later
"""Each object removed or changed from outside: seconds to repair, packets lost meanwhile.

    pytest [--long] test/lab/test_drift.py
    SENNIT_DRIFT_TABLE=FILE …            where the table goes, too

Two flows of 100 packets a second run all the while: to a container of another
host and to one of the same host. Foreign objects stand beside ours."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sennitlab import Lab, bound
from sennitlab.drift import ALONE, CHARON, IKE, KERNEL, SLOW, Drift, Scene
from sennitlab.flows import Flows
from sennitlab.foreign import Foreign
from sennitlab.host import Host
from sennitlab.metrics import Page

RATE = 100
AWAY, NEAR = ("c1", "c3"), ("c1", "c2")
KINDS = ("table", "sysctl", "link", "address", "route", "key", "conn")
LAB = {"hosts": 2, "containers": 2}


@dataclass
class Row:
    drift: Drift
    begin: float
    seconds: float
    end: float
    repairs: dict[str, int]


class Table:
    """What was measured; what was lost is counted at the end, from the flows' logs."""

    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self.rows: list[Row] = []

    def text(self) -> str:
        report = self.flows.report()
        lines = [f"{'object':24} {'change':44} {'seconds':>7} {'lost':>5} {'near':>5}  counted"]
        for row in self.rows:
            lost = [len(report.lost(row.begin, row.end, {pair})) for pair in (AWAY, NEAR)]
            counted = ", ".join(f"{kind} {n}" for kind, n in row.repairs.items() if n)
            lines.append(f"{row.drift.what:24} {row.drift.change:44} {row.seconds:7.2f} "
                         f"{lost[0]:5} {lost[1]:5}  {counted}")
        return "\n".join(lines)


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Scene:
    return Scene(lab, lab["h1"], lab.c("c1"), "h2")


@pytest.fixture(scope="module")
def foreign(scene: Scene) -> Foreign:
    return Foreign(scene)


@pytest.fixture(scope="module")
def table(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Table]:
    with lab.flows({AWAY, NEAR}, rate=RATE, echo=True) as flows:
        flows.wait_all_arrive(5)
        made = Table(flows)
        yield made
        flows.stop()
        text = made.text()
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n" + text)
    if path := os.environ.get("SENNIT_DRIFT_TABLE"):
        Path(path).write_text(text + "\n")


def repairs(host: Host) -> dict[str, int]:
    page = Page(host.http("/metrics")[1])
    return {kind: int(page("sennit_reconcile_repairs_total", kind=kind)) for kind in KINDS}


def settle(lab: Lab, scene: Scene) -> None:
    """Nothing is left to do, all is up: what differs from now on is drift."""
    lab.wait_all_up(30)
    lab.wait(lambda: scene.host.status()["apply"]["settled"] and not scene.host.plan(), 10,
             "nothing is left to do")


def measure(lab: Lab, scene: Scene, table: Table, drift: Drift) -> Row:
    before, counted = drift.look(scene), repairs(scene.host)
    assert before, f"nothing to break: {drift}"
    begin = time.monotonic()
    drift.do(scene)
    done = time.monotonic()
    lab.wait(lambda: drift.look(scene) == before, drift.bound + 10, f"{drift}: as before")
    seconds = time.monotonic() - done
    lab.wait_all_up(15)
    table.flows.wait_all_arrive(10)
    end = time.monotonic()
    # a sennitd that was started anew counts from 0
    after = {kind: max(n - counted[kind], 0) for kind, n in repairs(scene.host).items()}
    row = Row(drift, begin, seconds, end, after)
    table.rows.append(row)
    return row


def takes_foreign(drift: Drift) -> bool:
    """By what the kernel or charon do themselves."""
    return drift.brutal or drift in CHARON + ALONE + SLOW


def check(lab: Lab, scene: Scene, table: Table, foreign: Foreign, drift: Drift) -> None:
    settle(lab, scene)
    stood, told = foreign.look(), scene.host.log.stat().st_size
    row = measure(lab, scene, table, drift)
    assert row.seconds <= bound(drift.bound), f"{drift}: repaired only after {row.seconds:.2f} s"
    assert drift.says in scene.host.log.read_bytes()[told:].decode(), "who repaired it?"
    missing = [kind for kind in drift.kinds if row.repairs[kind] < 1]
    assert not missing, f"{drift}: no repair of {missing} was counted: {row.repairs}"
    if takes_foreign(drift):
        foreign.make_again()
    else:
        assert foreign.look() == stood, "foreign objects were touched"


@pytest.mark.parametrize("drift", KERNEL, ids=str)
def test_kernel(lab: Lab, scene: Scene, table: Table, foreign: Foreign, drift: Drift) -> None:
    check(lab, scene, table, foreign, drift)


@pytest.mark.parametrize("drift", IKE, ids=str)
def test_ike(lab: Lab, scene: Scene, table: Table, foreign: Foreign, drift: Drift) -> None:
    check(lab, scene, table, foreign, drift)


@pytest.mark.parametrize("drift", CHARON + ALONE, ids=str)
def test_charon(lab: Lab, scene: Scene, table: Table, foreign: Foreign, drift: Drift) -> None:
    check(lab, scene, table, foreign, drift)


@pytest.mark.parametrize("drift", SLOW, ids=str)
def test_slow(lab: Lab, scene: Scene, table: Table, foreign: Foreign, drift: Drift,
              long: bool) -> None:
    if not long:
        pytest.skip("with --long")
    check(lab, scene, table, foreign, drift)
