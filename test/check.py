#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs every check, each with a budget; the last line is their sum.

    tools/check [--long] [--suite NAME]...

A suite writes to build-check/NAME.log; only failures are shown. What cannot
be counted (a build, the format) counts as one. The suite vm, which has no
sense of time, runs beside the others up to the first that has one.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fuzz import targets as fuzz_targets

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build-check"
PYTHON = "/usr/bin/python3"
JOBS = str(os.cpu_count() or 2)
SANITIZE = ("-Db_sanitize=address,undefined",)
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
              "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
VALGRIND = "valgrind -q --error-exitcode=1 --leak-check=full"


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Count") -> "Count":
        total = Count(self.passed, self.failed, self.skipped)
        total += other
        return total

    def __iadd__(self, other: "Count") -> "Count":
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self


class OverBudget(Exception):
    pass


running: "set[subprocess.Popen[bytes]]" = set()
interrupted = False


def end(process: "subprocess.Popen[bytes]") -> None:
    """With its whole group; SIGTERM lets a lab remove what it made."""
    for sig, patience in ((signal.SIGTERM, 60), (signal.SIGKILL, 10)):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sig)
            process.wait(patience)


def call(log: Path, budget: float, *argv: str, env: dict[str, str] | None = None) -> int:
    """Runs argv into the log; ends the whole group when the budget is used up."""
    with log.open("a") as out:
        print("$", *argv, file=out, flush=True)
        if interrupted:
            return -signal.SIGTERM
        process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=out, env={**os.environ, **(env or {})},
                                   start_new_session=True)
        running.add(process)
        try:
            return process.wait(budget)
        except subprocess.TimeoutExpired:
            end(process)
            print(f"not done after {budget:g} s", file=out)
            raise OverBudget from None
        finally:
            end(process)
            running.discard(process)


# --- how results are counted


def count_cmocka(text: str) -> Count:
    """What cmocka's closing lines of one program say; all 0 when there are none."""
    def number(word: str) -> int:
        return sum(int(n) for n in re.findall(rf"\[ +{word} +\] (\d+) test\(s\)", text))
    return Count(number("PASSED"), number("FAILED"), number("SKIPPED"))


def count_meson(path: Path) -> Count:
    """From meson's testlog.json: cmocka's own numbers where a program prints them."""
    total = Count()
    for line in path.read_text().splitlines():
        test = json.loads(line)
        good = test["result"] in ("OK", "EXPECTEDFAIL")
        one = count_cmocka((test.get("stdout") or "") + (test.get("stderr") or ""))
        if test["result"] == "SKIP":
            one = Count(skipped=1)
        elif good and not one.passed:
            one.passed = 1
        elif not good and not one.failed:
            one.failed = 1
        total += one
    return total


def count_junit(path: Path) -> Count:
    total = Count()
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        total += Count(int(suite.get("tests", 0)) - bad - skipped, bad, skipped)
    return total


# --- what suites do


@dataclass
class Run:
    """One suite at work."""
    log: Path
    budget: float
    long: bool

    def command(self, *argv: str, env: dict[str, str] | None = None) -> Count:
        """Status 0 is one pass."""
        good = call(self.log, self.budget, *argv, env=env) == 0
        return Count(passed=int(good), failed=int(not good))

    def build(self, name: str, *options: str, compiler: str = "gcc",
              only: tuple[str, ...] = ()) -> Count:
        folder = OUT / name
        if not (folder / "build.ninja").exists():
            setup = call(self.log, self.budget, "meson", "setup", str(folder), "-Dwerror=true",
                         *options, env={"CC": compiler})
            if setup != 0:
                return Count(failed=1)
        return self.command("ninja", "-C", str(folder), "-j", JOBS, *only)

    def meson(self, build: str, suite: str, wrap: str | None = None,
              env: dict[str, str] | None = None) -> Count:
        folder = OUT / build
        base = self.log.stem
        for old in (folder / "meson-logs").glob(f"{base}*.json"):
            old.unlink()
        argv = ["meson", "test", "-C", str(folder), "--no-rebuild", "--print-errorlogs",
                "--suite", suite, "--logbase", base, "--num-processes", JOBS]
        if wrap:
            argv += ["--wrap", wrap, "--timeout-multiplier", "6"]
        status = call(self.log, self.budget, *argv, env=env)
        total = Count()
        for path in (folder / "meson-logs").glob(f"{base}*.json"):
            total += count_meson(path)
        if status != 0 and total.failed == 0:
            total.failed = 1
        return total

    def fuzz(self) -> Count:
        """Every libFuzzer target from its corpus on: a short walk, with --long a million runs or
        ten minutes. What is found stays for the next time; `test/fuzz/measure` tells figures."""
        walk = ["-runs=1000000", "-max_total_time=600"] if self.long else \
               ["-seed=1", "-runs=20000", "-max_total_time=1"]
        total = self.build("fuzz", "-Dfuzzing=true", *SANITIZE, "-Db_lundef=false",
                           compiler="clang",
                           only=tuple(f"test/fuzz/fuzz-{name}" for name in fuzz_targets.PARSERS))
        for name, program in fuzz_targets.programs(OUT / "fuzz"):
            seeds = fuzz_targets.expand(name, OUT / "fuzz-seeds" / name)
            total += self.command(*fuzz_targets.command(program, OUT / "fuzz-found" / name, seeds,
                                                        *walk))
        return total

    def pytest(self, *args: str, build: str = "gcc", env: dict[str, str] | None = None,
               wrap: tuple[str, ...] = (), long: bool | None = None) -> Count:
        report = self.log.with_suffix(".xml")
        report.unlink(missing_ok=True)
        if self.long if long is None else long:
            args += ("--long",)
        status = call(self.log, self.budget, *wrap, PYTHON, "-m", "pytest", "-q", *args,
                      f"--junitxml={report}",
                      env={"SENNIT_BUILD": str(OUT / build), "PYTHONDONTWRITEBYTECODE": "1",
                           **(env or {})})
        total = count_junit(report) if report.exists() else Count()
        if status != 0 and total.failed == 0:
            total.failed = 1
        return total

    def vm_lab(self, *args: str, build: str = "gcc", env: dict[str, str] | None = None) -> Count:
        """The lab on a kernel with ESP, xfrm carrying it; see test/vm/README.md. Not with as many
        trials as the promises name: what takes an hour elsewhere takes a day there."""
        wrap = ("test/vm/run", "--limit", str(self.budget), "--mem", "4096", "--share", str(OUT),
                "--env", "SENNIT_LAB_DATAPLANE", "--env", "SENNIT_LAB_PATIENCE", "--")
        return self.pytest(*(f"test/lab/{name}" for name in args), build=build, wrap=wrap,
                           long=False, env={"SENNIT_LAB_DATAPLANE": "xfrm",
                                            "SENNIT_LAB_PATIENCE": "5", **(env or {})})

    def vm(self) -> Count:
        """The machine itself, the lab in it with sanitizers, and without; with --long all files."""
        sanitized, chosen = (LAB_ASAN, ("",)) if self.long else (LAB_ASAN[:1], LAB_VM)
        return self.pytest("test/vm") + self.vm_lab(*sanitized, build="asan", env=SANITIZERS) \
            + self.vm_lab(*chosen)


def c_files() -> list[str]:
    out = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, capture_output=True,
                         text=True, check=True).stdout
    return out.split()


# of the lab, what most of the code runs through
LAB_ASAN = ("test_demo_path.py", "test_restart.py", "test_attach.py", "test_lifecycle.py")
# of the lab, what differs most with the kernel carrying ESP
LAB_VM = ("test_restart.py",
          "test_drift.py::test_kernel[SAs in the kernel the outgoing one deleted]",
          "test_xfrm_numbers.py", "test_xfrm_charon.py", "test_xfrm_holes.py",
          "test_xfrm_survive.py", "test_ipv6.py")


@dataclass
class Suite:
    name: str
    budget: float  # seconds
    work: Callable[[Run], Count]
    needs: tuple[str, ...] = ()  # suites that build what it runs
    long_budget: float = 0
    aside: bool = False  # beside those that follow, up to the first that is alone
    alone: bool = False  # what it tests is a matter of fractions of a second


SUITES = [
    Suite("format", 60, lambda r: r.command("clang-format", "--dry-run", "-Werror", *c_files())),
    Suite("sizes", 60, lambda r: r.command(PYTHON, "test/style/sizes")),
    Suite("includes", 60, lambda r: r.command(PYTHON, "test/style/includes")),
    Suite("gcc", 300, lambda r: r.build("gcc")),
    Suite("asan", 300, lambda r: r.build("asan", *SANITIZE)),
    Suite("vm", 1200, Run.vm, ("gcc", "asan"), 14400, aside=True),
    Suite("clang", 300, lambda r: r.build("clang", compiler="clang")),
    Suite("unit", 120, lambda r: r.meson("gcc", "unit"), ("gcc",)),
    Suite("unit-valgrind", 300, lambda r: r.meson("gcc", "unit", VALGRIND), ("gcc",)),
    Suite("unit-asan", 180, lambda r: r.meson("asan", "unit", env=SANITIZERS), ("asan",)),
    Suite("golden", 60, lambda r: r.meson("gcc", "golden"), ("gcc",)),
    Suite("fuzz", 300, Run.fuzz, (), 18000),
    Suite("python", 180, lambda r: r.pytest("test/python"), ("gcc",)),
    Suite("netns", 300, lambda r: r.meson("gcc", "netns"), ("gcc",)),
    Suite("lab", 720, lambda r: r.pytest("test/lab"), ("gcc",), 9000, alone=True),
    Suite("lab-asan", 240, lambda r: r.pytest(*(f"test/lab/{name}" for name in LAB_ASAN),
                                              build="asan", env=SANITIZERS), ("asan",), 600,
          alone=True),
]


def tail(log: Path, lines: int = 60) -> str:
    return "\n".join("    " + line for line in
                     log.read_text(errors="replace").splitlines()[-lines:])


def run_suite(suite: Suite, long: bool) -> Count:
    log = OUT / f"{suite.name}.log"
    log.write_text("")
    budget = max(suite.budget, suite.long_budget if long else 0)
    begin = time.monotonic()
    try:
        count = suite.work(Run(log, budget, long))
    except OverBudget:
        count = Count(failed=1)
    if not count.passed and not count.failed:
        count.failed = 1
        log.write_text(log.read_text() + "ran nothing\n")
    took = time.monotonic() - begin
    skipped = f", {count.skipped} skipped" if count.skipped else ""
    print(f"{suite.name:14} {count.passed:5} passed, {count.failed} failed{skipped} "
          f"({took:.0f} s)", flush=True)
    if count.failed:
        print(f"{tail(log)}\n    whole log: {log}", flush=True)
    return count


def choose(names: list[str]) -> list[Suite]:
    """The named suites with what they need; all when none is named."""
    known = {suite.name: suite for suite in SUITES}
    for name in names:
        if name not in known:
            sys.exit(f"check: no suite {name}; there are: {' '.join(known)}")
    wanted = set(names) | {need for name in names for need in known[name].needs}
    return [suite for suite in SUITES if not names or suite.name in wanted]


@dataclass
class Check:
    """The suites that were chosen, at work."""
    long: bool
    executor: ThreadPoolExecutor
    total: Count = field(default_factory=Count)
    broken: set[str] = field(default_factory=set)
    asides: "list[tuple[Suite, Future[Count]]]" = field(default_factory=list)

    def add(self, suite: Suite, count: Count) -> None:
        if count.failed:
            self.broken.add(suite.name)
        self.total += count

    def wait_asides(self) -> None:
        for suite, future in self.asides:
            self.add(suite, future.result())
        self.asides.clear()

    def run(self, suite: Suite) -> None:
        if self.broken.intersection(suite.needs):
            print(f"{suite.name:14} not run: {', '.join(suite.needs)} failed", flush=True)
            self.total += Count(failed=1)
        elif suite.aside:
            self.asides.append((suite, self.executor.submit(run_suite, suite, self.long)))
        else:
            if suite.alone:
                self.wait_asides()
            self.add(suite, run_suite(suite, self.long))

    def end(self) -> None:
        """Also where it is interrupted: nothing of it goes on."""
        global interrupted
        interrupted = True
        for process in tuple(running):
            end(process)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/check")
    parser.add_argument("--long", action="store_true",
                        help="as many trials as the promises name, longer fuzzing")
    parser.add_argument("--suite", action="append", default=[], metavar="NAME")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    OUT.mkdir(exist_ok=True)
    with ThreadPoolExecutor(1) as executor:
        check = Check(options.long, executor)
        try:
            for suite in choose(options.suite):
                check.run(suite)
            check.wait_asides()
        finally:
            check.end()
    total = check.total
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
