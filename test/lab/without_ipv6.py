# SPDX-License-Identifier: GPL-2.0-or-later
"""On a kernel without IPv6, which test/vm/test_kernels.py boots.

It has no XFRM interfaces either (measured, Debian's 6.1: xfrm_interface stands on
xfrm6_tunnel, which cannot be loaded then), so charon carries ESP."""

from pathlib import Path

from sennitlab import Lab
from sennitlab.capture import now_ns
from sennitlab.classify import EXPECTED
from sennitlab.doctor import examine
from sennitlab.host import Host
from sennitlab.metadata import OVERLAY, OVERLAY6

LAB = {"hosts": 2, "containers": 1, "settings": {"dataplane": "auto"},
       "overlay": [OVERLAY, OVERLAY6]}


def test_it_is_one() -> None:
    assert Path("/proc/sys/net/ipv4").exists() and not Path("/proc/sys/net/ipv6").exists()


def test_the_mesh_works(lab: Lab) -> None:
    assert {host.status()["dataplane"]["name"] for host in lab.hosts.values()} == {"libipsec"}
    since = now_ns()
    with lab.flows(lab.pairs_of_hosts(), rate=20, echo=True) as flows:
        flows.wait_all_arrive(10)
        flows.wait_sent(40, 10)
        report = flows.stop()
    assert not report.lost(), report.table()
    lab.capture.sync()
    seen = lab.capture.classes(since)
    assert seen["esp-in-udp"] > 40 and not set(seen) - EXPECTED, seen


def test_what_there_is_of_ipv6_is_left_out_and_named(lab: Lab) -> None:
    for host in lab.hosts.values():
        assert f"nothing of the overlay {OVERLAY6}" in str(host.status()["dataplane"]["remarks"])
    for container in lab.containers.values():
        assert [a.version for a in container.addresses()] == [4]


def complaints(host: Host) -> list[str]:
    """sennitd's errors and warnings, but of the machine that is slow."""
    return [line for line in host.log.read_text().splitlines()
            if (" error: " in line or " warning: " in line) and "stood still" not in line and "by plain HTTP" not in line]


def test_nothing_is_left_to_do_and_nothing_is_wrong(lab: Lab) -> None:
    for host in lab.hosts.values():
        lab.wait(lambda host=host: host.plan() == [], 10, "nothing is left to do")
        status = host.status()
        assert not status["problems"] and not complaints(host), (status, complaints(host))
        assert host.http("/metrics")[1].count("sennit_reconcile_waiting_objects 0") == 1


def test_doctor_finds_what_is_true_and_no_more(lab: Lab) -> None:
    for host in lab.hosts.values():
        seen = examine(host, lab.programs.sennit, limit=60)
        named = ("kernel.dataplane", "kernel.ipv6", "resolver")
        told = [f for f in seen.findings if f["check"] not in named]
        assert not told and not seen.unseen, str(seen)
        note, = seen.of("kernel.dataplane")
        assert note["severity"] == "note" and "ipv6.disable=1" in note["next"], note
        left, = seen.of("kernel.ipv6")
        assert left["severity"] == "warning" and OVERLAY6 in left["seen"], left
