# SPDX-License-Identifier: GPL-2.0-or-later
"""Metadata under fire: whatever the service says or does not say, the mesh stands.

The table (case, what sennitd did, what it said, the mesh) is printed with -s, and written to the
file that SENNIT_FIRE_TABLE names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import end_and_judge
from fire import changes, disk, documents, mesh_file, transport
from fire.case import Case
from fire.stand import Stand
from sennitlab import programs

CASES = [*documents.CASES, *transport.CASES, *changes.CASES, *mesh_file.CASES, *disk.CASES]
# VmHWM, after documents of a hundred megabytes
MOST_MEMORY_KB = 64 << 10


@pytest.fixture(scope="module")
def stand(built: programs.Programs) -> Iterator[Stand]:
    made = Stand()
    try:
        yield made
        print(f"\n{made.table()}")
        if path := os.environ.get("SENNIT_FIRE_TABLE"):
            Path(path).write_text(made.table())
        end_and_judge(made.lab)
    finally:
        made.close()
        made.lab.close()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_mesh_stands(stand: Stand, case: Case, long: bool) -> None:
    if case.long and not long:
        pytest.skip("takes long: --long")
    try:
        stand.run(case)
    except BaseException:
        stand.recover()
        raise


def test_nothing_grew(stand: Stand) -> None:
    """Not by documents without end, not by what was refused; and no log line is torn."""
    status = Path(f"/proc/{stand.h1.pid}/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0])
    assert peak < MOST_MEMORY_KB, f"{peak} kB"
    assert not stand.h1.sanitizer_reports()
    log = stand.h1.log.read_bytes().decode()
    assert all(c == "\n" or c.isprintable() or c.isspace() > (c < " ") for c in log)
