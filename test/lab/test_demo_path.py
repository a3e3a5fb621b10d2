# SPDX-License-Identifier: GPL-2.0-or-later
"""The main path: three hosts, two containers each, everything as a newcomer would want it."""

import json

from sennitlab import Lab, programs
from sennitlab.classify import EXPECTED
from sennitlab.lab import DATAPLANE
from sennitlab.sas import tunnel_of


def test_every_pair_has_one_tunnel_known_to_both_ends(lab: Lab) -> None:
    for a, b in (("h1", "h2"), ("h1", "h3"), ("h2", "h3")):
        assert tunnel_of(lab[a], b).mirrored() == tunnel_of(lab[b], a)


def test_every_container_reaches_every_other(lab: Lab) -> None:
    with lab.flows(rate=50) as flows:
        flows.wait_all_arrive(5)
        flows.wait_sent(100, 10)
        report = flows.stop()
    assert len(report.sent) == 30
    assert not report.lost(), report.table()


def test_packets_larger_than_the_tunnel_come_through_in_fragments(lab: Lab) -> None:
    with lab.flows(lab.pairs(across=True), size=3000) as flows:
        flows.wait_all_arrive(5)
        report = flows.stop()
    assert not report.lost(), report.table()


def test_the_wire_carries_what_it_should_and_nothing_else(lab: Lab) -> None:
    seen = lab.capture.classes()
    assert not set(seen) - EXPECTED, seen
    assert seen["ike"] and seen["esp-in-udp"] and seen["http"]
    assert not lab.capture.clear_packets()


def test_the_faces_agree(lab: Lab) -> None:
    host = lab["h1"]
    by_cli = json.loads(host.cli("status", "--json").stdout)
    code, body = host.http("/v1/status")
    by_http = json.loads(body)
    assert code == 200
    for status in (by_cli, by_http, host.status()):
        assert status["host"] and status["mesh"] and status["dataplane"]["name"] == DATAPLANE
        assert status["healthy"] == (not status["problems"]) and status["ready"] is True
        assert {p["id"]: p["state"] for p in status["peers"]} == {"h2": "up", "h3": "up"}
        assert len(status["attachments"]) == 2
        assert status["charon"]["pid"] == host.charon_pid()


def test_a_peer_shows_name_time_and_cost(lab: Lab) -> None:
    peer = lab["h1"].peers()["h2"]
    assert peer["name"] == "node-h2"
    assert peer["cause"] == "none"
    assert peer["since_s"] >= 0
    assert 0 < lab.wait(lambda: lab["h1"].peers()["h2"]["rtt_ms"], 10, "a round trip time") < 1000
    assert peer["loss"] == 0
    text = lab["h1"].cli("status").stdout
    assert "node-h2" in text and "node-h3" in text and "up" in text


def test_no_face_has_a_terminal_obey_a_name(lab: Lab) -> None:
    """U+009B is ESC [ in one, and curl prints what it gets."""
    host, name = lab["h1"], "node\u009b2J\x1b[2J-h3"
    lab.mesh.set("h3", name=name)
    try:
        lab.wait(lambda: host.peers()["h3"]["name"] == name, 10, "the name is known")
        status = host.http("/v1/status")[1]
        faces = [status, host.http("/metrics")[1], host.cli("status").stdout,
                 host.cli("status", "--json").stdout]
    finally:
        lab.mesh.set("h3", name="node-h3")
    assert name in {p["name"] for p in json.loads(status)["peers"]}
    for face in faces:
        assert "2J" in face and "\x1b" not in face and "\u009b" not in face, face


def test_small_questions_are_answered_over_http(lab: Lab) -> None:
    host = lab["h2"]
    assert host.is_well()
    for path in ("/readyz", "/ping", "/connectivity"):
        code, body = host.http(path)
        assert code == 200, f"{path}: {code} {body}"
    assert host.http("/nowhere")[0] == 404


def test_nothing_is_left_to_do(lab: Lab) -> None:
    for host in lab.hosts.values():
        assert host.plan() == [], f"{host.id} still plans {host.plan()}"


def test_the_demo_builds_what_it_runs() -> None:
    found = programs.find()
    text = (programs.ROOT / "tools/demo").read_text()
    for path in found.every():
        assert str(path.relative_to(found.build)) in text, f"tools/demo does not build {path.name}"
