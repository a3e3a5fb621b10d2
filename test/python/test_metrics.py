# SPDX-License-Identifier: GPL-2.0-or-later
"""The page /metrics, the README's table of it, and the alerts that are built on it.

The page is the golden one of test/unit/daemon, which has every metric.
"""

import re
from pathlib import Path

import pytest

from sennitlab import promtool

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "test/unit/daemon/data/metrics.txt").read_text()
RULES = ROOT / "conf/sennit.rules.yml"
RULES_TEST = ROOT / "test/rules/sennit.test.yml"
NAMES = re.findall(r"^# HELP (\w+) ", PAGE, re.M)
TYPES = dict(re.findall(r"^# TYPE (\w+) (\w+)$", PAGE, re.M))
needs_promtool = pytest.mark.skipif(promtool.find() is None, reason="there is no promtool")


@needs_promtool
def test_promtool_has_nothing_to_say_about_the_page():
    assert promtool.run("check", "metrics", text=PAGE) == (0, "")


@needs_promtool
def test_promtool_would_say_something():
    status, said = promtool.run("check", "metrics", text=PAGE.replace("_total", "_number"))
    assert status != 0 and "_total" in said


@needs_promtool
def test_the_rules_are_rules():
    status, said = promtool.run("check", "rules", str(RULES))
    assert status == 0, said


@needs_promtool
def test_the_alerts_fire_when_they_should():
    status, said = promtool.run("test", "rules", str(RULES_TEST))
    assert status == 0, said


@needs_promtool
@pytest.mark.parametrize("other", ["vector(0) > 1", "vector(1)"])
def test_each_alert_is_tested_both_ways(other: str, tmp_path: Path):
    """Alerts that never fire, and such that always do, make each one's tests fail."""
    rules = re.sub(r"expr: (\|\n(?: {10,}.*\n)+|.*\n)", f"expr: {other}\n", RULES.read_text())
    for path, text in ((RULES, rules), (RULES_TEST, RULES_TEST.read_text())):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        copy.write_text(text)
    status, said = promtool.run("test", "rules", str(copy))
    assert status != 0
    missed = [name for name in re.findall(r"- alert: (\w+)", rules) if f"{name}," not in said]
    assert not missed, said


def test_rules_speak_of_metrics_that_there_are():
    for path in (RULES, RULES_TEST):
        used = {name for name in re.findall(r"\b(?:sennit|process)_\w+", path.read_text())}
        assert used and used <= set(NAMES), used - set(NAMES)


def test_names_follow_the_conventions():
    assert len(NAMES) == len(set(NAMES)) == len(TYPES)
    for name, kind in TYPES.items():
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|milliseconds|kb|percent|count)(_|$)", name), name


def readme_section() -> str:
    return (ROOT / "README.md").read_text().split("\n## Metrics\n")[1].split("\n## ")[0]


def test_the_readme_names_every_problem():
    source = (ROOT / "src/daemon/problems.c").read_text()
    known = re.search(r"host_problem_names\[\] = \{(.*?)\}", source, re.S)
    assert known
    listed = set(re.findall(r'"([a-z-]+)"', known.group(1)))
    used = set(re.findall(r'\badd\(&?l, "([a-z-]+)"', source))
    assert used and used == listed
    assert all(f"`{name}`" in readme_section() for name in listed)


def test_the_readme_lists_every_metric_and_no_other():
    rows = [line.split("|")[1] for line in readme_section().splitlines() if line.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`(\w+)", row)]
    assert sorted(listed) == sorted(NAMES)
