# SPDX-License-Identifier: GPL-2.0-or-later
"""bash completes the verbs and options of `sennit`, and no others than it has."""

import os
import pathlib
import re
import subprocess

import pytest

from sennitlab import programs

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "conf/bash-completion/sennit"
ASK = r"""
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_sennit
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(*words: str, path: str | None = None) -> set[str]:
    env = {**os.environ, "PATH": path or os.environ["PATH"]}
    done = subprocess.run(["bash", "--norc", "-c", ASK, "bash", str(SCRIPT), "sennit", *words],
                          capture_output=True, text=True, check=True, env=env)
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


def sennit_help(*args: str) -> str:
    return subprocess.run([programs.find().sennit, "help", *args], capture_output=True, text=True,
                          check=True).stdout


def verbs() -> list[str]:
    return re.findall(r"^  ([a-z][a-z-]+) +[A-Z]", sennit_help(), re.M)


def test_it_is_registered() -> None:
    done = subprocess.run(["bash", "--norc", "-c", f'source "{SCRIPT}"; complete -p sennit'],
                          capture_output=True, text=True, check=True)
    assert done.stdout == "complete -F _sennit sennit\n"


def test_the_verbs_are_those_of_the_program() -> None:
    assert complete("") == set(verbs())
    assert complete("att") == {"attach", "attachments"}
    assert complete("--config", "/x", "a") == {"accept-identity", "attach", "attachments"}
    assert complete("help", "ki") == {"kick"}


def test_the_options_are_those_of_each_verb() -> None:
    for verb in verbs():
        usage = sennit_help(verb).split("\n\n")[0]
        assert complete(verb, "--") == {"--help", *re.findall(r"--[a-z-]+", usage)}, verb
    assert complete("--") == {"--config", "--socket", "--help", "--version"}


@pytest.mark.parametrize("option", ["--config", "--socket"])
def test_files_are_completed(option: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "sennit.json").touch()
    assert complete(option, f"{tmp_path}/se") == {f"{tmp_path}/sennit.json"}


def test_what_the_daemon_knows_is_completed(tmp_path: pathlib.Path) -> None:
    """By a `sennit` that answers as the real one prints."""
    fake = tmp_path / "sennit"
    fake.write_text("#!/bin/sh\n[ \"$*\" = 'peers --json' ] && printf "
                    "'[\\n  {\\n    \"id\": \"h2\",\\n    \"x\": 1\\n  },\\n"
                    "  {\\n    \"id\": \"h3; rm -rf\"\\n  }\\n]\\n'\n")
    fake.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert complete("kick", "", path=path) == {"h2"}
    assert complete("detach", "--id", "", path=path) == set()


def test_a_process_is_completed() -> None:
    assert str(os.getpid()) in complete("attach", "--pid", str(os.getpid())[:1])


def complete_probe(*words: str) -> set[str]:
    ask = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sennit_probe; ' \
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(["bash", "--norc", "-c", ask, "bash", str(SCRIPT) + "-probe",
                           "sennit-probe", *words], capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


def test_the_options_of_the_probe_are_completed() -> None:
    said = subprocess.run([programs.find().probe, "--help"], capture_output=True, text=True,
                          check=True).stdout
    long = set(re.findall(r"--[a-z]+", said))
    assert long <= complete_probe("--")
    assert {"500", "4500"} <= complete_probe("h2", "")
    assert "127.0.0.1" in complete_probe("-s", "127")
