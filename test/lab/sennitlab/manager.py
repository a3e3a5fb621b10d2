# SPDX-License-Identifier: GPL-2.0-or-later
"""sennitd and charon as two units (conf/systemd/): the test is systemd."""

import signal
import socket
import subprocess
import time

from .host import Host, environment
from .lab import Lab
from .wait import patient

CHARON = "/usr/sbin/charon-systemd"


class Manager:
    """What systemd is to one host: hears READY=1, then runs its charon."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.path = host.folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(patient(10))
        self.charon: subprocess.Popen[bytes] | None = None
        host.env = {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": "2000000"}

    def hear(self, state: str) -> str:
        """The next datagram that begins so; the watchdog's come for ever."""
        until = time.monotonic() + patient(30)
        while time.monotonic() < until:
            text = self.socket.recv(4096).decode()
            if text.startswith(state):
                return text
        raise TimeoutError(f"{self.host.id} does not say {state}")

    def forget(self) -> None:
        """What was said up to now."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(4096):
                pass
        except BlockingIOError:
            self.socket.settimeout(patient(10))

    def start_charon(self) -> None:
        conf = self.host.run_dir / "strongswan.conf"
        self.charon = subprocess.Popen(
            self.host.ns.argv(CHARON), env={**environment(), "STRONGSWAN_CONF": str(conf)},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, cwd="/")

    def end_charon(self, sig: signal.Signals) -> None:
        assert self.charon
        self.charon.send_signal(sig)
        self.charon.wait(patient(10))

    def close(self) -> None:
        self.socket.close()
        if self.charon and self.charon.poll() is None:
            self.end_charon(signal.SIGKILL)


def start_managed(lab: Lab) -> dict[str, Manager]:
    """As Lab.start(), of a lab with `ike.start` false; the caller closes the managers."""
    managers = {name: Manager(host) for name, host in lab.hosts.items()}
    assert lab.metadata
    lab.metadata.start()
    for name, host in lab.hosts.items():
        host.start()
        managers[name].hear("READY=1")
        # it is started when, and not before, its settings are there
        assert (host.run_dir / "strongswan.conf").exists()
        assert not (host.run_dir / "charon.vici").exists()
        managers[name].start_charon()
    lab.wait_all_up(30)
    for container in lab.containers.values():
        container.attach()
    return managers
