# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab on kernels that are started otherwise."""

import os
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parent / "run"
LAB = Path(__file__).resolve().parents[1] / "lab"


def test_a_kernel_without_ipv6() -> None:
    done = subprocess.run(
        [str(RUN), "--mem", "2048", "--limit", "500", "--kernel-argument", "ipv6.disable=1",
         "--env", "SENNIT_LAB_PATIENCE", "--", sys.executable, "-m", "pytest", "-q",
         str(LAB / "without_ipv6.py")],
        env={**os.environ, "SENNIT_LAB_PATIENCE": "5"}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
