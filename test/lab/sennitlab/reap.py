# SPDX-License-Identifier: GPL-2.0-or-later
"""Removes what labs left behind whose process is dead (a SIGKILL, a lost machine).

    /usr/bin/python3 test/lab/sennitlab/reap.py
"""

import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path

NAMESPACE = re.compile(r"^sl(\d+)x\d+-")
FOLDER = re.compile(r"^sennit-lab-(\d+)x\d+$")


def namespaces(prefix: str) -> list[str]:
    try:
        return [name for name in os.listdir("/run/netns") if name.startswith(prefix)]
    except FileNotFoundError:
        return []


def kill_inside(names: list[str]) -> None:
    """Ends every process that is in one of these namespaces, by its pid."""
    from sennitlab import proc
    inodes = set()
    for name in names:
        try:
            inodes.add(os.stat(f"/run/netns/{name}").st_ino)
        except OSError:
            pass
    for pid in proc.in_namespaces(inodes):
        if pid != os.getpid():
            proc.send(pid, signal.SIGKILL)


def remove(names: list[str]) -> None:
    from sennitlab.netns import run
    kill_inside(names)
    for name in names:
        run("ip", "netns", "del", name, check=False)


def is_dead(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def reap() -> list[str]:
    """What was removed."""
    dead = [name for name in namespaces("sl")
            if (m := NAMESPACE.match(name)) and is_dead(int(m[1]))]
    remove(dead)
    removed = list(dead)
    if os.environ.get("SENNIT_LAB_KEEP"):
        return removed
    for path in Path(tempfile.gettempdir()).iterdir():
        m = FOLDER.match(path.name)
        if m and is_dead(int(m[1])):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(str(path))
    return removed


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    for what in reap():
        print(f"removed {what}")
