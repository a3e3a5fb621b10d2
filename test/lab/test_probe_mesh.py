# SPDX-License-Identifier: GPL-2.0-or-later
"""sennit-probe between hosts of a mesh whose tunnels are up: it disturbs nothing, and the
other end can be asked which way is closed."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess
from typing import Any

import pytest

from sennitlab import Lab
from sennitlab.sas import tunnel_of

LAB = {"hosts": 3, "containers": 1, "settings": {"http": {"listen": ["0.0.0.0:8111"]}}}
# "at once": as after any other new tunnel of a lab on a loaded machine
AT_ONCE = 5.0


def run(lab: Lab, *args: str) -> CompletedProcess[str]:
    return lab["h1"].ns.run(str(lab.programs.probe), *args, check=False)


def ask(lab: Lab, *args: str) -> list[dict[str, Any]]:
    return json.loads(run(lab, "--json", *args).stdout)


def address(lab: Lab, host: str) -> str:
    return str(lab[host].address)


@contextmanager
def dropped(lab: Lab, rule: str) -> Iterator[None]:
    """What matches the rule does not pass the middle of the underlay."""
    lab.wan.ns.nft("table bridge probe {\nchain c {\ntype filter hook forward priority 1;\n"
                   f"{rule} drop\n}}\n}}\n")
    try:
        yield
    finally:
        lab.wan.ns.nft("delete table bridge probe\n")


def half_open(lab: Lab, host: str) -> int:
    with lab[host].vici() as vici:
        return int(vici.request("stats")[0]["ikesas"]["half-open"])


def test_beside_a_tunnel_that_is_up(lab: Lab) -> None:
    """From any source port, with charon of this host on 500 and 4500."""
    before = tunnel_of(lab["h1"], "h2")
    ports = ask(lab, "-u", "-z", "-v", address(lab, "h2"), "500", "4500")
    assert [p["result"] for p in ports] == ["answered", "answered"], ports
    nc = lab["h1"].ns.run("nc", "-u", "-z", "-v", address(lab, "h2"), "500", "4500")
    print(f"{nc.stderr}{run(lab, '-v', address(lab, 'h2')).stdout}")
    refused = run(lab, "-p", "500", address(lab, "h2"))
    assert refused.returncode == 1 and "source port 500 is in use" in refused.stdout
    assert tunnel_of(lab["h1"], "h2") == before


def test_probes_leave_nothing_there(lab: Lab, long: bool) -> None:
    """1,000 at the default rate (a fifth of them without --long); a new tunnel comes at once."""
    rounds = 500 if long else 100
    before = {host: len(lab[host].sas()) for host in lab.hosts}
    begin = time.monotonic()
    ports = ask(lab, "-c", str(rounds), "-i", "0", address(lab, "h2"))
    took = time.monotonic() - begin
    left = half_open(lab, "h2")
    sent = sum(p["sent"] for p in ports)
    size = {p["port"]: (p["bytes_sent"] / p["sent"], p["bytes_received"] / p["received"])
            for p in ports}
    assert sent == 2 * rounds and all(p["rounds_answered"] == rounds for p in ports), ports
    assert size == {500: (28, 36), 4500: (32, 40)}
    assert left == 0
    assert {host: len(lab[host].sas()) for host in lab.hosts} == before
    assert sent / took <= 60, "the rate holds"
    old, begin = tunnel_of(lab["h1"], "h2"), time.monotonic()
    with lab["h1"].vici() as vici:
        vici.terminate(ike="sennit-h2")
    lab["h1"].cli("kick", "h2")
    lab.wait(lambda: tunnel_of(lab["h1"], "h2") != old, AT_ONCE, "a new tunnel of h1 and h2")
    print(f"{sent} probes in {took:.1f} s: {left} half-open IKE_SAs there, bytes of UDP payload "
          f"sent and received {size}; a new tunnel came after {time.monotonic() - begin:.2f} s")


@pytest.mark.parametrize("port", [500, 4500])
def test_a_closed_way_there(lab: Lab, port: int) -> None:
    h2 = address(lab, "h2")
    with dropped(lab, f'iifname "wh1" udp sport > 20000 udp dport {port}'):
        found = {p["port"]: p for p in ask(lab, "-w", "2", "--from", h2, h2)}
    closed, other = found.pop(port), found.popitem()[1]
    assert closed["result"] == "no-answer" and closed["other_end"]["probes"] == "not-arrived"
    assert "did not arrive at the IKE daemon there" in closed["meaning"]
    assert other["result"] == "answered" and other["other_end"]["probes"] == "unknown"
    assert closed["other_end"]["host"] == "h2"
    assert closed["other_end"]["of_us"]["id"] == "h1"
    assert closed["other_end"]["of_us"]["state"] == "up"


def test_a_closed_way_back(lab: Lab) -> None:
    h2 = address(lab, "h2")
    with dropped(lab, 'iifname "wh2" udp sport 500 udp dport > 20000'):
        done = run(lab, "-v", "-w", "2", "--from", h2, h2)
    print(done.stdout)
    assert done.returncode == 1
    assert "The probes arrived there: its answers are lost on the way back." in done.stdout
    assert "sennitd of h2 sees h1 (192.0.2.11): up" in done.stdout


def test_a_third_host_is_asked(lab: Lab) -> None:
    with dropped(lab, 'iifname "wh2" udp sport 500 udp dport > 20000'):
        done = run(lab, "-w", "2", "--from", address(lab, "h3"), address(lab, "h2"), "500")
    assert "sennitd of h3 sees h1 (192.0.2.11): up" in done.stdout
    assert "; it sees h2 (192.0.2.12): up" in done.stdout
    assert "no answer to 3 probes" in done.stdout


def test_another_end_that_cannot_be_asked(lab: Lab) -> None:
    gateway = "192.0.2.254"
    done = run(lab, "--from", gateway, address(lab, "h2"), "500")
    assert done.returncode == 0, "the port answers all the same"
    assert "sennitd of the other end cannot be asked: http://192.0.2.254:8111/v1/status: connect " \
        "to 192.0.2.254:8111" in done.stdout
    assert "let http.listen" in done.stdout
