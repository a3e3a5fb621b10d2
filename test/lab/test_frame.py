# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself: it must see what it claims to see. Needs no sennitd."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sennitlab import Lab, frames, reap
from sennitlab.capture import now_ns
from sennitlab.container import Container
from sennitlab.flows import Flows
from sennitlab.wait import PATIENCE, patient, wait_for
from sennitlab.wan import mac_of


@pytest.fixture
def bare() -> Iterator[Lab]:
    """Hosts only, which here play the containers: their eth0 is the underlay."""
    made = Lab(hosts=3, containers=0)
    assert made.programs.flows.exists(), f"not built: {made.programs.flows}"
    for host in made.hosts.values():
        made.containers[host.id] = Container(host.id, host.ns, host)
    yield made
    made.close()


def test_flows_lose_nothing_on_a_whole_network(bare: Lab) -> None:
    flows = bare.flows(rate=100)
    flows.wait_all_arrive(5)
    flows.wait_sent(50, 5)
    report = flows.stop()
    assert report.count() >= 6 * int(50 / PATIENCE)
    assert not report.lost()
    assert not any(report.errors.values())


def test_a_cut_is_silent_and_of_one_host_only(bare: Lab) -> None:
    flows = bare.flows(rate=100, echo=True)
    flows.wait_all_arrive(5)
    cut = time.monotonic()
    bare.wan.cut("h2")
    flows.wait_sent(30, 5)
    bare.wan.heal("h2")
    flows.wait_all_arrive(5)
    report = flows.stop()
    lost = report.lost()
    assert all("h2" in loss.pair for loss in lost)
    for pair in bare.pairs() - bare.pairs(without=["h2"]):
        assert sum(loss.pair == pair for loss in lost) >= int(25 / PATIENCE)
        assert report.longest_gap(pair, since=cut - 1) > 0.25
    assert not any(loss.error for loss in lost), "a cut must not tell anybody"
    assert bare.capture.plaintext() > 0, "the capture shows what runs in clear"


def test_the_capture_sees_what_a_cut_host_sends(bare: Lab) -> None:
    bare.wan.cut("h1")
    frame = frames.ethernet(bytes.fromhex(mac_of(bare["h2"].address).replace(":", "")),
                            bytes.fromhex(mac_of(bare["h1"].address).replace(":", "")), 0x0800,
                            frames.ipv4("10.42.1.2", "10.42.2.2", 17, frames.udp(1, 2, b"x" * 30)))
    begin = now_ns()
    with bare.c("h1").raw() as sock:
        sock.send(frame)
    found, = bare.capture.clear_packets(since_ns=begin)
    assert found.frame == frame and found.where == "ip source"
    bare.capture.mark_injected(frame)
    assert not bare.capture.clear_packets()
    assert bare.capture.clear_packets(injected=True)


def _send(lab: Lab, port: int, payload: bytes) -> None:
    with lab.c("h1").udp() as sock:
        sock.sendto(payload, (str(lab["h2"].address), port))


def test_blocked_ports_and_parted_hosts(bare: Lab) -> None:
    with bare.c("h2").udp(500) as ike, bare.c("h2").udp(501) as other:
        bare.wan.block_udp("h2", 500)
        _send(bare, 500, b"blocked")
        bare.wan.unblock_udp("h2", 500)
        _send(bare, 500, b"open")
        assert ike.recv(99) == b"open"
        bare.wan.part("h1", "h2")
        _send(bare, 501, b"parted")
        bare.wan.join("h1", "h2")
        _send(bare, 501, b"joined")
        assert other.recv(99) == b"joined"


def test_errors_of_the_way_are_losses_with_a_reason(bare: Lab) -> None:
    bare["h1"].ns.ip(f"route add unreachable {bare['h2'].address}/32")
    pairs = {("h1", "h2"), ("h1", "h3")}
    with Flows(bare.programs, bare.folder, list(bare.containers.values()), pairs,
               rate=100) as flows:
        flows.wait_sent(20, 5)
        report = flows.stop()
    assert len(report.lost(of={("h1", "h2")})) >= int(20 / PATIENCE)
    assert all("host" in loss.error for loss in report.lost())
    assert not report.lost(of={("h1", "h3")})


def test_a_lab_that_was_killed_is_reaped() -> None:
    code = ("import sys, signal; sys.path.insert(0, sys.argv[1]); from sennitlab import Lab; "
            "lab = Lab(hosts=1, containers=1); print(lab.tag, flush=True); signal.pause()")
    child = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent)],
                             stdout=subprocess.PIPE, text=True)
    assert child.stdout
    tag = child.stdout.readline().strip()
    assert len(reap.namespaces(f"sl{tag}-")) == 4
    child.kill()
    child.wait()
    assert reap.namespaces(f"sl{tag}-"), "SIGKILL leaves them"
    reap.reap()
    assert not reap.namespaces(f"sl{tag}-")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_lab_ends_with_its_program(sig: signal.Signals) -> None:
    code = ("import sys, signal; sys.path.insert(0, sys.argv[1]); from sennitlab import Lab, lab; "
            "lab.end_on_signals(); made = Lab(hosts=1, containers=0); print(made.tag, flush=True); "
            "signal.pause()")
    child = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent)],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout
    tag = child.stdout.readline().strip()
    folder = next(Path("/tmp").glob(f"sennit-lab-{tag}"))
    os.kill(child.pid, sig)
    child.wait(patient(20))
    assert not reap.namespaces(f"sl{tag}-")
    wait_for(lambda: not folder.exists(), 1, "the folder is gone")


def test_a_socket_of_a_namespace_leaves_this_thread_where_it_is(bare: Lab) -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    with bare["h1"].ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((str(bare["h1"].address), 0))
    assert os.readlink("/proc/thread-self/ns/net") == before
