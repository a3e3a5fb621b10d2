# SPDX-License-Identifier: GPL-2.0-or-later
"""A host of the lab: a namespace with a sennitd, and the charon that it starts."""

import json
import os
import signal
import subprocess
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from . import ctl, proc
from .netns import Namespace, run
from .programs import Programs
from .vici import Vici
from .wait import patient, wait_for

# What a sanitizer's report begins with, in the log of a daemon.
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")


def environment() -> dict[str, str]:
    """For Sennit's programs: little, and no SENNIT_BUILD, which is no setting of theirs."""
    kept = {name: value for name, value in os.environ.items()
            if name.endswith("SAN_OPTIONS")}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", **kept}


def troubles(status: dict[str, Any]) -> set[str]:
    """What a host finds wrong with itself, but that an emulated machine stood still."""
    found = {problem["what"] for problem in status["problems"]}
    return found - ({"stalled"} if patient(1) > 1 else set())


class Host:
    def __init__(self, host_id: str, number: int, ns: Namespace, address: IPv4Address,
                 folder: Path, programs: Programs, *, prefixes: list[str],
                 trace: bool = False) -> None:
        self.id = host_id
        self.number = number
        self.ns = ns
        self.address = address
        self.prefix, self.prefixes = prefixes[0], prefixes
        self.folder = folder
        self.log = folder / "sennitd.log"
        self.config = folder / "config.json"
        self.run_dir = folder / "run"
        self.state_dir = folder / "state"
        self._programs = programs
        self._trace = trace
        self._starts = 0
        self.env: dict[str, str] = {}  # more variables for sennitd
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)

    # --- configuration

    def configure(self, settings: dict[str, Any]) -> None:
        """Writes the configuration; settings are laid over what every host has."""
        self.settings = {"run_dir": str(self.run_dir), "state_dir": str(self.state_dir),
                         "log": {"level": "debug"}, **settings}
        self.config.write_text(json.dumps(self.settings, indent=2) + "\n")

    # --- the daemon as a process

    @property
    def pid(self) -> int | None:
        """Of sennitd; None while it does not run."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    @property
    def traces(self) -> list[Path]:
        """strace's files, one a start."""
        return sorted(self.folder.glob("execve.*"))

    def start(self) -> None:
        """Starts sennitd, in a session of its own; does not wait for anything."""
        assert self.pid is None, f"sennitd of {self.id} runs already"
        self._starts += 1
        argv = [str(self._programs.sennitd), "--config", str(self.config)]
        if self._trace:
            # -DDD: the tracer is the descendant, in another session, so that the
            # process we start and signal is sennitd itself
            argv = ["strace", "-DDD", "-f", "-qq", "--seccomp-bpf", "-e", "trace=execve,execveat",
                    "-o", str(self.folder / f"execve.{self._starts}"), *argv]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.ns.argv(*argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**environment(), **self.env}, start_new_session=True, cwd="/")

    def wait_gone(self, limit: float = 10) -> int:
        """The exit status: negative for a signal."""
        assert self._process is not None
        return self._process.wait(patient(limit))

    def signal(self, sig: signal.Signals) -> None:
        pid = self.pid
        assert pid is not None, f"sennitd of {self.id} does not run"
        os.kill(pid, sig)

    def kill(self) -> None:
        """kill -9 of sennitd alone."""
        self.signal(signal.SIGKILL)
        self.wait_gone()

    def stop(self) -> int:
        """SIGTERM, which ends sennitd only."""
        self.signal(signal.SIGTERM)
        return self.wait_gone()

    def kill_session(self) -> None:
        """kill -9 of sennitd's whole process group and session."""
        pid = self.pid
        assert pid is not None
        members = proc.in_session(pid)
        os.killpg(pid, signal.SIGKILL)
        for member in members:
            proc.send(member, signal.SIGKILL)
        self.wait_gone()

    def end(self) -> None:
        """Whatever its state: sennitd and charon are gone afterwards."""
        if self.pid is not None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.wait_gone(8)
            except subprocess.TimeoutExpired:
                self.kill()
        charon = self.charon_pid()
        if charon:
            proc.end(charon)

    # --- charon

    def charon_pid(self) -> int | None:
        """By the record in run_dir; None when it does not run."""
        try:
            record = json.loads((self.run_dir / "charon.json").read_text())
            pid = int(record["pid"])
            if proc.is_alive(pid) and proc.start_time(pid) == int(record["start_time"]):
                return pid
        except (OSError, ValueError, LookupError):
            pass
        return None

    def vici(self) -> Vici:
        return Vici(self.run_dir / "charon.vici")

    def sas(self) -> list[dict[str, Any]]:
        with self.vici() as vici:
            return vici.list_sas()

    # --- questions

    def cli(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`sennit --config … ARGS` on this host."""
        return run(*self.ns.argv(str(self._programs.sennit), "--config", str(self.config), *args),
                   check=check, env=environment())

    def ask(self, verb: str, **args: Any) -> Any:
        return ctl.call(self.run_dir / "control.sock", verb, **args)

    def status(self) -> dict[str, Any]:
        return self.ask("status")

    def http(self, path: str) -> tuple[int, str]:
        """Status and body of http://127.0.0.1:8111PATH."""
        import http.client
        import socket
        sock = self.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(patient(5))
        sock.connect(("127.0.0.1", 8111))
        connection = http.client.HTTPConnection("127.0.0.1")
        connection.sock = sock
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def peers(self) -> dict[str, dict[str, Any]]:
        return {peer["id"]: peer for peer in self.status()["peers"]}

    def states(self) -> dict[str, str]:
        return {name: peer["state"] for name, peer in self.peers().items()}

    def is_well(self) -> bool:
        """It knows nothing wrong with itself, but that an emulated machine stood still."""
        status = self.status()
        code = self.http("/healthz")[0]
        assert status["problems"] or code == 200, code
        return not troubles(status)

    def plan(self) -> list[str]:
        """What the daemon would do now, a line a step."""
        return [line for line in self.cli("plan").stdout.splitlines()
                if line.startswith(("+ ", "~ ", "- "))]

    def answers(self) -> bool:
        return bool(self.status())

    def wait_answers(self, limit: float = 10) -> None:
        wait_for(self.answers, limit, f"sennitd of {self.id} answers", self.describe)

    # --- for people

    def sanitizer_reports(self) -> list[str]:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [line for line in text.splitlines() if any(m in line for m in SANITIZER_MARKS)]

    def _tail(self, path: Path, lines: int) -> str:
        try:
            text = path.read_text(errors="replace").splitlines()[-lines:]
        except OSError as e:
            return f"  ({e.strerror})"
        return "\n".join(f"  {line}" for line in text)

    def describe(self) -> str:
        """What a failure wants to know of this host."""
        try:
            status = self.status()
            peers = "\n".join(
                f"  {p['id']}: {p['state']} {p.get('cause')} {p.get('evidence')}"
                for p in status["peers"])
            state = (f"healthy={status.get('healthy')} ready={status.get('ready')} "
                     f"problems={status.get('problems')}\n{peers}")
        except (OSError, LookupError, ValueError, RuntimeError) as e:
            state = f"no status: {e!r}"
        return (f"--- {self.id}: sennitd {self.pid}, charon {self.charon_pid()}: {state}\n"
                f" sennitd.log:\n{self._tail(self.log, 25)}\n"
                f" charon.log:\n{self._tail(self.run_dir / 'charon.log', 12)}")
