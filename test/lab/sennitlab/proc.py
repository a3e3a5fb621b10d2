# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes: facts from /proc, and ends by pid."""

import ctypes
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

from .wait import Unmet, wait_for

TICK = os.sysconf("SC_CLK_TCK")
SYS_PIDFD_GETFD = 438
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Facts:
    """What a process costs."""
    rss_kb: int
    cpu_s: float
    threads: int
    fds: int


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: [0] is the state."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2:].split()


def is_alive(pid: int) -> bool:
    """True while it runs; a zombie does not."""
    try:
        return stat_fields(pid)[0] not in "ZX"
    except (OSError, ValueError):
        return False


def start_time(pid: int) -> int:
    """Field 22 of stat: tells a process from a later one with its pid."""
    return int(stat_fields(pid)[19])


def session(pid: int) -> int:
    return int(stat_fields(pid)[3])


def facts(pid: int) -> Facts:
    status = dict(line.split(":", 1) for line in
                  Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    fields = stat_fields(pid)
    return Facts(rss_kb=int(status["VmRSS"].split()[0]),
                 cpu_s=(int(fields[11]) + int(fields[12])) / TICK,
                 threads=int(status["Threads"]),
                 fds=len(os.listdir(f"/proc/{pid}/fd")))


def environ(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def core_limit(pid: int) -> int:
    """The hard limit of a core file's size in bytes."""
    return resource.prlimit(pid, resource.RLIMIT_CORE)[1]


def borrow(pid: int, device: str) -> int:
    """A descriptor of our own of the device that the process has open (pidfd_getfd(2))."""
    wanted = os.stat(device).st_rdev
    # by number: in another mount namespace the same device has another path
    number = next(int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir()
                  if os.stat(fd).st_rdev == wanted)
    pidfd = os.pidfd_open(pid)
    try:
        borrowed = _libc.syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
        if borrowed < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        return borrowed
    finally:
        os.close(pidfd)


def all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def in_session(sid: int) -> list[int]:
    found = []
    for pid in all_pids():
        try:
            if session(pid) == sid:
                found.append(pid)
        except (OSError, ValueError):
            pass
    return found


def in_namespaces(inodes: set[int]) -> list[int]:
    """Every process whose network namespace is one of these."""
    found = []
    for pid in all_pids():
        try:
            if os.stat(f"/proc/{pid}/ns/net").st_ino in inodes:
                found.append(pid)
        except OSError:
            pass
    return found


def send(pid: int, sig: signal.Signals) -> bool:
    """False when it is gone already."""
    try:
        os.kill(pid, sig)
        return True
    except ProcessLookupError:
        return False


def end(pid: int, limit: float = 5.0) -> None:
    """SIGTERM, then SIGKILL. For processes that are not our children."""
    send(pid, signal.SIGCONT)
    if not send(pid, signal.SIGTERM):
        return
    try:
        wait_for(lambda: not is_alive(pid), limit, f"end of process {pid}")
    except Unmet:
        send(pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid), 5, f"end of process {pid} after SIGKILL")
