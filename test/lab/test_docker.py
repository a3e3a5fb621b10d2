# SPDX-License-Identifier: GPL-2.0-or-later
"""A real dockerd beside sennitd: it drops what is forwarded, and asks in DOCKER-USER what may pass."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sennitlab import Lab, patient, proc, programs
from sennitlab.host import Host, environment

ROOT = Path(os.environ.get("SENNIT_DOCKER", programs.ROOT / "build-check/docker"))
LAB = {"containers": 2}

pytestmark = pytest.mark.skipif(not (ROOT / "usr/sbin/dockerd").exists(),
                                reason="there is no dockerd (tools/install-deps --docker)")
RATE = 100
# dockerd drops before it makes the chain, and then we have to hear of it
LOST_S = 1.0


class Docker:
    """A dockerd in a host's network namespace, everything else of it in a folder."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.log, self.data = folder / "log", folder / "data"
        self.socket = folder / "socket"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                # not `ip netns exec`, which mounts a /sys without control groups
                ["nsenter", f"--net={host.ns.path}", str(ROOT / "usr/sbin/dockerd"),
                 "--data-root", str(self.data), "--exec-root", str(folder / "exec"),
                 "-H", f"unix://{self.socket}", "--pidfile", str(folder / "pid"),
                 "--storage-driver", "vfs"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": f"{ROOT}/usr/bin:{environment()['PATH']}",
                     "LD_LIBRARY_PATH": f"{ROOT}/lib/x86_64-linux-gnu"},
                start_new_session=True)

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return b"API listen on" in self.log.read_bytes()

    def end(self) -> None:
        """Ends it and the containerd that it has started. The mount that it makes of its data it
        takes away only where the folder's path is the same in its file system: not in a chroot."""
        for pid in proc.in_session(self.process.pid):
            os.kill(pid, signal.SIGTERM)
        self.process.wait(patient(20))
        subprocess.run(["umount", "--quiet", str(self.data)], check=False)


@pytest.fixture
def docker(lab: Lab) -> Iterator[Docker]:
    lab.wait_all_up()
    # its containerd's socket is deep inside, and a path of one has 107 bytes
    with TemporaryDirectory(prefix="snd") as folder:
        docker = Docker(lab["h1"], Path(folder))
        try:
            yield docker
        finally:
            docker.end()


def rules(host: Host) -> list[str]:
    """Of DOCKER-USER, as iptables(8) shows them."""
    done = host.ns.run("iptables", "-S", "DOCKER-USER", check=False)
    return [line.split(" ", 2)[2] for line in done.stdout.splitlines() if line.startswith("-A")]


def ours(host: Host) -> int:
    return sum("sennit:" in rule for rule in rules(host))


def test_docker_comes_and_containers_go_on(lab: Lab, docker: Docker) -> None:
    host = lab["h1"]
    with lab.flows(lab.pairs_of_hosts(), rate=RATE, echo=True) as flows:
        lab.wait(docker.is_up, 30, "dockerd is up")
        lab.wait(lambda: ours(host) == 2, 5, "our rules are in DOCKER-USER")
        flows.wait_all_arrive(5)
        report = flows.stop()
    assert "-P FORWARD DROP" in host.ns.run("iptables", "-S").stdout, "else this shows nothing"
    lost = Counter(loss.pair for loss in report.lost())
    assert max(lost.values(), default=0) <= RATE * LOST_S, report.table()
    assert lab.everybody_up() and host.plan() == []
    # containers of one host, too: Docker has bridged packets go through its rules
    lab.c("c1").wait_ping(lab.of_host("h1")[1])

    # without our rules nothing passes, and they are back at once
    host.signal(signal.SIGSTOP)
    host.ns.run("iptables", "-F", "DOCKER-USER")
    assert not lab.c("c1").ping(lab.c("c3")), "our rules make no difference"
    host.signal(signal.SIGCONT)
    lab.wait(lambda: ours(host) == 2, 1, "our rules are back")
    lab.c("c1").wait_ping(lab.c("c3"), 2)

    # what an administrator says before them holds
    host.ns.run("iptables", "-I", "DOCKER-USER", "-d", str(lab.c("c3").ip), "-j", "DROP")
    assert not lab.c("c1").ping(lab.c("c3"))
    host.ns.run("iptables", "-D", "DOCKER-USER", "1" if "DROP" in rules(host)[0] else "3")
    lab.c("c1").wait_ping(lab.c("c3"), 2)
    host.stop()
    host.cli("cleanup", "--force")
    assert ours(host) == 0 and "-P FORWARD DROP" in host.ns.run("iptables", "-S").stdout
