# SPDX-License-Identifier: GPL-2.0-or-later
"""Secrets stay secret (promise 9): only files of root hold one."""

import os
import stat

import pytest

from sennitlab import Lab, proc, secret
from sennitlab.netns import run


@pytest.fixture(scope="module")
def search(lab: Lab) -> secret.Search:
    return secret.Search(lab.secret, lab.mesh.id, list(lab.hosts))


def test_the_search_itself_finds(lab: Lab, search: secret.Search) -> None:
    assert search.found_in(lab.secret_file.read_bytes())
    key = secret.pair_key(lab.secret, lab.mesh.id, "h2", "h1")
    assert search.found_in(b"x" + key + b"y") and search.found_in(key.hex().encode())
    assert not search.found_in(os.urandom(1 << 16))


def test_no_process_shows_one(lab: Lab, search: secret.Search) -> None:
    for host in lab.hosts.values():
        for pid in (host.pid, host.charon_pid()):
            assert pid
            assert not search.found_in(proc.environ(pid))
            assert not search.found_in(proc.cmdline(pid))


def test_no_file_but_the_secret_holds_one(lab: Lab, search: secret.Search) -> None:
    for host in lab.hosts.values():
        for path in host.folder.rglob("*"):
            if path.is_file():
                found = search.found_in(path.read_bytes())
                assert not found, f"{path}: {found}"


def test_state_is_for_root_only(lab: Lab) -> None:
    for host in lab.hosts.values():
        for path in host.state_dir.rglob("*"):
            if path.is_file():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_no_answer_holds_one(lab: Lab, search: secret.Search) -> None:
    host = lab["h1"]
    texts = [host.http(path)[1] for path in ("/v1/status", "/metrics", "/healthz", "/readyz")]
    texts += [host.cli(*verb, check=False).stdout
              for verb in (("status",), ("status", "--json"), ("peers",), ("plan",),
                           ("attachments",), ("cleanup", "--dry-run"))]
    for text in texts:
        assert not search.found_in(text.encode())


def test_a_crash_leaves_no_core(lab: Lab) -> None:
    """Nor feeds a pipe of core_pattern, which a limit of 1 stops and 0 does not."""
    for host in lab.hosts.values():
        assert host.pid
        charon = host.charon_pid()
        assert charon
        assert proc.core_limit(host.pid) == proc.core_limit(charon) == 1


def core_of(lab: Lab, pid: int) -> bytes:
    """By gdb, which as root may read any process; it leaves out what is not to be dumped."""
    prefix = lab.folder / "core"
    run("gdb", "-q", "-batch", "-p", str(pid), "-ex", f"generate-core-file {prefix}.{pid}",
        limit=120)
    path = prefix.with_suffix(f".{pid}")
    data = path.read_bytes()
    path.unlink()
    return data


def test_a_forced_core_of_the_daemon_holds_none(lab: Lab, search: secret.Search) -> None:
    host = lab["h1"]
    host.stop()  # a fresh one has read the file last
    host.start()
    host.wait_answers()
    lab.wait_all_up()
    assert host.pid
    core = core_of(lab, host.pid)
    assert b"sennit" in core and len(core) > 1 << 20
    found = search.found_in(core)
    assert not found, found
    lab.wait_all_up()


def test_charons_log_is_never_above_level_2(lab: Lab) -> None:
    for host in lab.hosts.values():
        text = (host.run_dir / "strongswan.conf").read_text()
        levels = [line.split("=")[1].strip() for line in text.splitlines()
                  if line.strip().startswith(("default =", "ike =", "cfg =", "knl =", "net ="))]
        assert all(int(level) <= 2 for level in levels), text
