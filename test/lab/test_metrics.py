# SPDX-License-Identifier: GPL-2.0-or-later
"""/metrics of a mesh that lives, and the log that goes with it."""

import json
import time

import pytest

from sennitlab import Lab, promtool
from sennitlab.host import Host
from sennitlab.kernel import own_routes
from sennitlab.metrics import Page

PER_PEER = 21  # the README's bound
LAB = {"hosts": 2, "containers": 1}


def page_of(host: Host) -> Page:
    status, text = host.http("/metrics")
    assert status == 200
    return Page(text)


def test_a_mesh_that_is_well(lab: Lab) -> None:
    lab.wait_all_up()
    lab.wait(lambda: page_of(lab["h1"]).get("sennit_peer_rtt_seconds", peer="h2"), 10, "an echo")
    page = page_of(lab["h1"])
    assert lab["h1"].is_well() and page("sennit_healthy") == lab["h1"].status()["healthy"]
    for name in ("sennit_ready", "sennit_guard_loaded", "sennit_metadata_ok",
                 "sennit_charon_online"):
        assert page(name) == 1, name
    assert page("sennit_peer_state", peer="h2", state="up") == 1
    assert page("sennit_peer_state", peer="h2", state="down") == 0
    assert page("sennit_peers", state="up") == 1
    assert page("sennit_tunnel_installed", peer="h2") == 1
    assert page("sennit_attachments", state="ready") == 1
    assert page("sennit_mesh_hosts", state="present") == 2
    assert 0 < page("sennit_peer_rtt_seconds", peer="h2") < 1
    assert abs(page("sennit_peer_last_heard_timestamp_seconds", peer="h2") - time.time()) < 10
    assert 0 < page("sennit_child_sa_rekey_in_seconds", peer="h2") <= 3600
    assert page("sennit_heartbeats_received_total") > 0
    assert page("sennit_host_problems", problem="charon-gone") == 0
    assert page.series_of("h2") <= PER_PEER


@pytest.mark.skipif(promtool.find() is None, reason="there is no promtool")
def test_promtool_has_nothing_to_say(lab: Lab) -> None:
    assert promtool.run("check", "metrics", text=page_of(lab["h1"]).text) == (0, "")


def test_timestamps_do_not_tremble(lab: Lab) -> None:
    name = "sennit_peer_state_since_timestamp_seconds"
    assert len({page_of(lab["h1"])(name, peer="h2") for _ in range(20)}) == 1


def carried(host: Host, peer: str) -> float:
    return page_of(host)("sennit_tunnel_transmit_packets_total", peer=peer)


@pytest.mark.parametrize("which", ["child", "child again", "ike"])
def test_traffic_is_counted_over_rekeyings(lab: Lab, which: str) -> None:
    host = lab["h1"]

    def keys() -> str:
        tunnel = host.peers()["h2"]["tunnel"]
        return str(tunnel["spi_i"] if which == "ike" else tunnel["child"]["spi_in"])

    old, before = keys(), carried(host, "h2")
    lab.wait(lambda: carried(host, "h2") > before, 10, "packets are counted")
    before = carried(host, "h2")
    with host.vici() as vici:
        child, = vici.list_conns()["sennit-h2"]["children"]
        vici.request("rekey", {"ike": "sennit-h2"} if which == "ike" else {"child": child})
    lab.wait(lambda: host.peers()["h2"]["tunnel"] and keys() != old, 10, "new keys")
    assert carried(host, "h2") >= before
    before = carried(host, "h2")
    lab.wait(lambda: carried(host, "h2") > before, 10, "it goes on counting")


def test_a_restart_counts_nothing_of_before(lab: Lab) -> None:
    host = lab["h2"]
    lab.c("c1").wait_ping(lab.c("c2"), 5)
    lab.wait(lambda: carried(host, "h1") > 20, 20, "packets are counted")
    before = carried(host, "h1")
    host.stop()
    host.start()
    host.wait_answers()
    lab.wait_all_up()
    assert carried(host, "h1") < before


def test_a_repair_is_counted_by_kind(lab: Lab) -> None:
    host = lab["h1"]
    lab.wait(lambda: host.plan() == [], 5, "nothing is left to do")
    before = page_of(host)("sennit_reconcile_repairs_total", kind="route")
    route = next(r for r in own_routes(host) if " dev " in r)
    host.ns.ip(f"route del {route}")
    lab.wait(lambda: route in own_routes(host), 5, "it is back")
    after = page_of(host)
    assert after("sennit_reconcile_repairs_total", kind="route") == before + 1
    assert after("sennit_reconcile_repairs_total", kind="table") == 0


def test_the_log_level_changes_at_run_time(lab: Lab) -> None:
    host = lab["h1"]
    assert host.cli("log-level").stdout == "debug\n"
    assert "error now, was debug" in host.cli("log-level", "error").stdout
    begin = host.log.stat().st_size
    passes = page_of(host)("sennit_reconcile_passes_total")
    lab.wait(lambda: page_of(host)("sennit_reconcile_passes_total") > passes + 1, 10, "passes")
    assert host.log.read_bytes()[begin:] == b""
    refused = host.cli("log-level", "loud", check=False)
    assert refused.returncode == 1 and "'loud' is no level" in refused.stderr
    host.cli("log-level", "debug")
    assert "log level is debug now" in host.log.read_text()


def test_the_log_as_json(lab: Lab) -> None:
    host = lab["h2"]
    host.stop()
    before = host.settings
    lab.configure(host, {"log": {"level": "debug", "format": "json"}})
    begin = host.log.stat().st_size
    host.start()
    host.wait_answers()
    lab.wait_all_up()
    host.stop()
    lines = [json.loads(line) for line in host.log.read_bytes()[begin:].splitlines()]
    host.configure(before)
    host.start()
    lab.wait_all_up()
    assert all({"time", "level", "program", "message"} <= line.keys() for line in lines)
    assert any(line.get("peer") == "h1" and line.get("state") == "up" for line in lines)
    assert {line["level"] for line in lines} >= {"notice", "info"}
