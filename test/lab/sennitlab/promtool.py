# SPDX-License-Identifier: GPL-2.0-or-later
"""Prometheus' own judge of metrics and rules; tools/install-deps --promtool gets it."""

import shutil
import subprocess
from pathlib import Path

from .programs import ROOT
from .wait import patient


def find() -> Path | None:
    for path in (shutil.which("promtool"), ROOT / "build-check/bin/promtool"):
        if path and Path(path).exists():
            return Path(path)
    return None


def run(*words: str, text: str = "") -> tuple[int, str]:
    """Its exit status and all it said; run it only when find() found it."""
    program = find()
    assert program is not None
    done = subprocess.run([str(program), *words], input=text, capture_output=True, text=True,
                          cwd=ROOT, timeout=patient(60))
    return done.returncode, done.stdout + done.stderr
