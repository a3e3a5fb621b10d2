# SPDX-License-Identifier: GPL-2.0-or-later
"""What all suites of the lab share."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from sennitlab import Lab, lab as lab_module, patient, programs  # noqa: E402

# what only one data plane has
collect_ignore_glob = [f"test_{plane}_*.py" for plane in ("xfrm", "libipsec")
                       if plane != lab_module.DATAPLANE]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="as many trials as the promises name")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "timed: about how long something takes; not where "
                                       "machines are emulated")
    config.addinivalue_line("markers", "slow: waits for what takes long in life, too: with --long")
    lab_module.end_on_signals()


# Tables of which every check takes each n-th row only, and --long all: its time is bounded.
SAMPLED = {"test_fire.py": 4, "test_cleanup.py": 2, "test_doctor.py": 3, "test_ports.py": 4,
           "test_ipv6.py": 4, "test_xfrm_holes.py": 3}


def sample(items: list[pytest.Item]) -> list[pytest.Item]:
    taken: dict[str, int] = {}
    kept = []
    for item in items:
        if item.path.name in SAMPLED and hasattr(item, "callspec"):
            taken[item.path.name] = taken.get(item.path.name, -1) + 1
            if taken[item.path.name] % SAMPLED[item.path.name]:
                continue
        kept.append(item)
    return kept


def leave_out(config: pytest.Config, items: list[pytest.Item], marker: str) -> None:
    marked = [item for item in items if item.get_closest_marker(marker)]
    items[:] = [item for item in items if item not in marked]
    config.hook.pytest_deselected(items=marked)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # who names a row wants that row
    if not config.getoption("--long") and not config.getoption("keyword"):
        items[:] = sample(items)
        leave_out(config, items, "slow")
    if patient(1) > 1:
        leave_out(config, items, "timed")
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def built() -> programs.Programs:
    found = programs.find()
    assert not found.missing(), f"not built: {found.missing()}"
    return found


def end_and_judge(lab: Lab) -> None:
    """Ends the lab in order; whatever its tests were about, its capture is clean."""
    try:
        lab.stop_daemons()
        clear = lab.capture.clear_packets()
        lab.capture.stop()
        assert lab.capture.dropped() == 0, "tcpdump missed packets"
        assert not clear, f"{len(clear)} packets in clear, the first: {clear[0]}"
        assert lab.capture.plaintext() == 0, "plaintext of flows on the underlay"
        assert not lab.sanitizer_reports(), "\n".join(lab.sanitizer_reports())
    finally:
        lab.close()


@contextmanager
def judged(lab: Lab) -> Iterator[Lab]:
    """For a fixture, which prepares and starts it."""
    try:
        yield lab
    except BaseException:
        lab.close()
        raise
    end_and_judge(lab)


@pytest.fixture(scope="module")
def lab(built: programs.Programs, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Three hosts with two containers each, all pairs up, containers attached."""
    with judged(Lab(**getattr(request.module, "LAB", {}))) as made:
        made.start()
        yield made


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    made = getattr(item, "funcargs", {}).get("lab")
    if report.failed and isinstance(made, Lab) and not made._closed:
        report.sections.append(("lab", made.describe()))
