# SPDX-License-Identifier: GPL-2.0-or-later
"""test/vm/run tells every way in which a machine or a command can end."""

import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parent / "run"


def vm(command: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(RUN), "--mem", "512", *options, "--", "sh", "-c", command],
                          capture_output=True, text=True, timeout=300)


@pytest.mark.long
def test_status_output_and_what_was_written_come_back(tmp_path: Path) -> None:
    done = vm(f"uname -r; echo 1 >{tmp_path}/kept; touch {RUN.parent}/lost; "
              "echo error >&2; exit 7", "--share", str(tmp_path))
    assert done.returncode == 7, done
    kernel, error = done.stdout.split()
    assert kernel.endswith("-amd64") and error == "error"
    assert (tmp_path / "kept").read_text() == "1\n"
    assert not (RUN.parent / "lost").exists()


@pytest.mark.parametrize("command, status, told", [
    ("echo c >/proc/sysrq-trigger", 99, "Kernel panic"),
    pytest.param("echo '<4>WARNING: CPU: 0 at a_function' >/dev/kmsg", 97, "a_function",
                 marks=pytest.mark.long),
    pytest.param("echo '<0>the last words' >/dev/kmsg; sleep 1000", 124, "the last words",
                 marks=pytest.mark.long),
])
def test_a_machine_that_fails_is_a_failure_with_its_last_words(
        command: str, status: int, told: str) -> None:
    done = vm(command, "--limit", "30" if status == 124 else "300")
    assert done.returncode == status, done
    assert told in done.stderr


@pytest.mark.long
def test_an_emulator_that_ends_is_a_failure() -> None:
    # the share cannot be served: qemu says so and ends
    done = vm("true", "--mem", "1")
    assert done.returncode == 99, done
