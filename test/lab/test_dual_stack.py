# SPDX-License-Identifier: GPL-2.0-or-later
"""A mesh with an overlay of IPv4 and one of IPv6; h3 has a prefix of IPv4 alone."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from conftest import judged
from sennitlab import Lab, frames
from sennitlab.capture import now_ns
from sennitlab.classify import EXPECTED
from sennitlab.flows import Flows
from sennitlab.kernel import bridge_of
from sennitlab.metadata import OVERLAY, OVERLAY6
from sennitlab.programs import Programs
from sennitlab.tunnel import tunnel_of_h1
from sennitlab.wan import mac_of

PORT = 7777
LEGITIMATE, FORGED = b"legitimate", b"forged"
ETHERTYPES = {4: 0x0800, 6: 0x86dd}
UDP = 17


@pytest.fixture(scope="module")
def lab(built: Programs) -> Iterator[Lab]:
    with judged(Lab(overlay=[OVERLAY, OVERLAY6])) as made:
        made.mesh.set("h3", prefixes=[made["h3"].prefix])
        made.start()
        yield made


@contextmanager
def both(lab: Lab, **options: Any) -> Iterator[tuple[Flows, Flows]]:
    """Between all containers in each family that they have."""
    with lab.flows(version=4, **options) as flows4, \
            lab.flows(version=6, port=7001, **options) as flows6:
        yield flows4, flows6


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def udp_packet(source: object, target: object, payload: bytes = FORGED) -> bytes:
    build = frames.ipv6 if ip_address(str(target)).version == 6 else frames.ipv4
    return build(str(source), str(target), UDP, frames.udp(PORT, PORT, payload))


# --- what is good


def test_every_container_reaches_every_other_in_both(lab: Lab) -> None:
    since = now_ns()
    with both(lab, rate=50) as flows:
        for each in flows:
            each.wait_all_arrive(5)
        flows[0].wait_sent(100, 10)
        reports = [each.stop() for each in flows]
    assert [len(report.sent) for report in reports] == [30, 12]
    for report in reports:
        assert not report.lost(), report.table()
    seen = lab.capture.classes(since)
    assert seen["esp-in-udp"] > 100 and not set(seen) - EXPECTED, seen


def test_a_host_of_one_family_is_no_error(lab: Lab) -> None:
    h3, c5 = lab["h3"], lab.c("c5")
    assert [a.version for a in c5.addresses()] == [4]
    status = h3.status()
    assert status["healthy"] is True and status["refused"] == []
    assert status["host"]["overlay_ips"] == ["10.42.3.1"]
    assert "fd42:" not in h3.ns.run("ip", "-6", "addr").stdout
    # what is not there is told, not carried elsewhere
    for host, target in (lab["h1"], "fd42:0:0:3::2"), (h3, "fd42:0:0:1::2"):
        assert "No route to host" in host.ns.run("ip", "-6", "route", "get", target,
                                                 check=False).stderr
    for host in lab.hosts.values():
        assert host.plan() == [], f"{host.id} still plans {host.plan()}"


def test_the_faces_tell_both(lab: Lab) -> None:
    status = json.loads(lab["h1"].cli("status", "--json").stdout)
    assert status["mesh"]["overlay"] == OVERLAY
    assert status["mesh"]["overlays"] == [OVERLAY, OVERLAY6]
    assert status["host"]["overlay_ips"] == ["10.42.1.1", "fd42:0:0:1::1"]
    peers = {p["id"]: p for p in status["peers"]}
    assert peers["h2"]["overlay_ip"] == "10.42.2.1"
    assert peers["h2"]["overlay_ips"] == ["10.42.2.1", "fd42:0:0:2::1"]
    c1 = next(a for a in status["attachments"] if a["address"] == "10.42.1.2/24")
    assert c1["addresses"] == ["10.42.1.2/24", "fd42:0:0:1::2/64"]
    assert c1["gateways"] == [c1["gateway"], "fd42:0:0:1::1"]
    assert "fd42:0:0:1::2/64" in lab["h1"].cli("attachments").stdout


def test_detaching_frees_both(lab: Lab) -> None:
    c2 = lab.c("c2")
    c2.detach()
    assert c2.addresses() == []
    said = c2.attach("--ip", "fd42:0:0:1::77", "--ip", "10.42.1.77")
    assert "10.42.1.77/24 and fd42:0:0:1::77/64" in said
    for version in 4, 6:
        lab.c("c3").wait_ping(c2.ip_of(version))
    assert "detach it first" in c2.attach("--ip", "fd42:0:0:1::78", check=False)


# --- what is forged


@pytest.mark.parametrize("source", ["10.42.2.2", "fd42:0:0:2::2"])
def test_what_comes_in_clear_from_the_underlay_goes_nowhere(lab: Lab, source: str) -> None:
    version = ip_address(source).version
    target = lab.c("c1").ip_of(version)
    frame = frames.ethernet(mac(mac_of(lab["h1"].address)), mac(mac_of(lab["h2"].address)),
                            ETHERTYPES[version], udp_packet(source, target))
    lab.capture.mark_injected(frame)
    with lab.c("c1").udp(PORT, version) as ear, lab.c("c3").udp(version=version) as mouth:
        with lab["h2"].ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            raw.send(frame)
        mouth.sendto(LEGITIMATE, (str(target), PORT))
        assert ear.recv(99) == LEGITIMATE


@pytest.mark.parametrize("source", ["10.42.1.200", "fd42:0:0:1::200"])
def test_a_container_is_nobody_else(lab: Lab, source: str) -> None:
    """Neither to its neighbour nor across the tunnel."""
    version = ip_address(source).version
    c1 = lab.c("c1")
    bridge, = lab["h1"].ns.ip_json("link", "show", "dev", bridge_of(lab["h1"]))
    for other, to in (lab.c("c2"), lab.c("c2").mac), (lab.c("c3"), mac(bridge["address"])):
        target = other.ip_of(version)
        with other.udp(PORT, version) as ear, c1.raw() as raw, c1.udp(version=version) as mouth:
            raw.send(frames.ethernet(to, c1.mac, ETHERTYPES[version], udp_packet(source, target)))
            mouth.sendto(LEGITIMATE, (str(target), PORT))
            assert ear.recv(99) == LEGITIMATE


@pytest.mark.parametrize("source, good", [("10.42.1.3", "10.42.2.2"),
                                          ("fd42:0:0:1::3", "fd42:0:0:2::2")])
def test_a_tunnel_brings_what_is_of_the_peers_only(lab: Lab, source: str, good: str) -> None:
    version = ip_address(source).version
    target = lab.c("c1").ip_of(version)
    with tunnel_of_h1(lab, ETHERTYPES[version]) as send, lab.c("c1").udp(PORT, version) as ear:
        send(udp_packet(source, target))
        send(udp_packet(good, target, LEGITIMATE))
        assert ear.recv(99) == LEGITIMATE


# --- over time


def test_a_restart_loses_no_packet_of_either(lab: Lab) -> None:
    h1 = lab["h1"]
    with both(lab, rate=50) as flows:
        for each in flows:
            each.wait_all_arrive(5)
        h1.kill()
        flows[1].wait_sent(20, 10)
        h1.start()
        h1.wait_answers()
        lab.wait(lambda: h1.plan() == [], 10, "nothing is left to do")
        flows[1].wait_sent(20, 10)
        reports = [each.stop() for each in flows]
    for report in reports:
        assert not report.lost(), report.table()


def as_before(state: Path) -> None:
    """The state as an earlier sennitd left it, which knew the overlay of IPv4 alone."""
    snapshot = json.loads((state / "snapshot.json").read_text())
    assert snapshot["overlay"] == [OVERLAY, OVERLAY6]
    del snapshot["sum"]
    snapshot["overlay"] = OVERLAY
    for host in snapshot["hosts"]:
        host["prefixes"] = [p for p in host["prefixes"] if ":" not in p]
        host["overlay_ip"] = f"10.42.{host['id'][1:]}.1"
    (state / "snapshot.json").write_text(json.dumps(snapshot))
    attachments = json.loads((state / "attachments.json").read_text())
    attachments["last"] = "10.42.1.3"
    for a in attachments["attachments"]:
        a["address"] = next(p for p in a["address"] if ":" not in p)
    (state / "attachments.json").write_text(json.dumps(attachments))


def test_an_upgrade_keeps_what_there_was(lab: Lab) -> None:
    """From the state of one family, without metadata at first: the second comes with them."""
    h1, c1 = lab["h1"], lab.c("c1")
    assert lab.metadata is not None
    lab.metadata.stop()
    with lab.flows(lab.pairs_of_hosts(), version=4, rate=50) as flows:
        flows.wait_all_arrive(5)
        h1.stop()
        as_before(h1.state_dir)
        h1.start()
        h1.wait_answers()
        status = lab.wait(lambda: (s := h1.status())["apply"]["settled"] and s, 10, "h1 settled")
        assert status["metadata"]["from_store"] is True
        assert status["mesh"]["overlays"] == [OVERLAY]
        flows.wait_sent(20, 10)
        lab.metadata.start()
        lab.wait(lambda: h1.status()["mesh"]["overlays"] == [OVERLAY, OVERLAY6], 30,
                 "the second overlay is there")
        lab.wait(lambda: h1.plan() == [], 10, "nothing is left to do")
        flows.wait_sent(20, 10)
        report = flows.stop()
    # other selectors are another connection, twice: where the kernel carries ESP the moment shows
    lost = Counter(loss.pair for loss in report.lost())
    assert max(lost.values(), default=0) <= 2 * 3, report.table()
    # what was attached goes on with what it has
    attached = {a["address"]: a for a in h1.status()["attachments"]}
    assert attached["10.42.1.2/24"]["addresses"] == ["10.42.1.2/24"]
    assert attached["10.42.1.2/24"]["misplaced"] is False
    c1.detach()
    c1.attach()
    for version in 4, 6:
        c1.wait_ping(lab.c("c3").ip_of(version), 20)
