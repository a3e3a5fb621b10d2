# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody removes comes back; what belongs to others stays."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sennitlab import Lab, bound
from sennitlab.host import Host
from sennitlab.kernel import bridge_of, own_addresses, own_links, own_routes, own_tables
from sennitlab.lab import DATAPLANE
from sennitlab.sas import same_tunnel, sas_of

KERNEL_BOUND = bound(1.0)
IKE_BOUND = bound(3.0)


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    """h1, whole before the test and after it."""
    lab.wait_all_up()
    yield lab["h1"]
    lab.wait_all_up()
    lab.c("c1").wait_ping(lab.c("c3"), 5)
    lab.wait(lambda: lab["h1"].plan() == [], 5, "nothing is left to do")


def comes_back(lab: Lab, look: Callable[[], Any], break_it: Callable[[], Any], within: float,
               what: str) -> float:
    """Breaks it, waits for look() to be as before; seconds it took, within the bound."""
    before = look()
    assert before, f"nothing to break: {what}"
    begin = time.monotonic()
    break_it()
    lab.wait(lambda: look() == before, 10, f"{what} is back")
    took = time.monotonic() - begin
    assert took <= within, f"{what} came back only after {took:.2f} s"
    return took


def test_routes(lab: Lab, host: Host) -> None:
    for route in own_routes(host):
        comes_back(lab, lambda: own_routes(host), lambda: host.ns.ip(f"route del {route}"),
                   KERNEL_BOUND, f"route {route}")


def test_a_changed_route(lab: Lab, host: Host) -> None:
    route = next(r for r in own_routes(host) if " dev " in r)
    destination = route.split()[0]
    comes_back(lab, lambda: own_routes(host),
               lambda: host.ns.ip(f"route del {route}",
                                  f"route add unreachable {destination} proto 83"),
               KERNEL_BOUND, route)


def test_tables(lab: Lab, host: Host) -> None:
    for family, name in own_tables(host):
        comes_back(lab, lambda: own_tables(host),
                   lambda: host.ns.nft(f"delete table {family} {name}\n"),
                   KERNEL_BOUND, f"table {family} {name}")
        comes_back(lab, lambda: own_tables(host),
                   lambda: host.ns.nft(f"flush table {family} {name}\n"),
                   KERNEL_BOUND, f"the rules of {family} {name}")


def test_a_rule_that_somebody_put_into_our_table(lab: Lab, host: Host) -> None:
    family, name = next(key for key in own_tables(host) if key[0] == "inet")
    comes_back(lab, lambda: own_tables(host),
               lambda: host.ns.nft(f"add chain {family} {name} hole\n"), KERNEL_BOUND, "our table")


def test_the_bridge(lab: Lab, host: Host) -> None:
    bridge = bridge_of(host)
    comes_back(lab, lambda: (own_links(host), own_addresses(host), own_routes(host)),
               lambda: host.ns.ip(f"link del dev {bridge}"), KERNEL_BOUND, f"link {bridge}")


def test_links_that_are_changed(lab: Lab, host: Host) -> None:
    bridge = bridge_of(host)
    veth = next(name for name in own_links(host) if name.startswith("snv"))
    for change in (f"link set dev {bridge} mtu 1234", f"link set dev {veth} mtu 1234",
                   f"link set dev {veth} nomaster"):
        comes_back(lab, lambda: own_links(host), lambda: host.ns.ip(change), KERNEL_BOUND, change)

    def flags() -> list[str]:
        return [link["ifname"] for link in host.ns.ip_json("link", "show", "up")
                if link["ifname"] in (bridge, veth)]

    for name in (bridge, veth):
        comes_back(lab, flags, lambda: host.ns.ip(f"link set dev {name} down"), KERNEL_BOUND,
                   f"link {name} up")


def test_addresses(lab: Lab, host: Host) -> None:
    for link, address, length in own_addresses(host):
        comes_back(lab, lambda: own_addresses(host),
                   lambda: host.ns.ip(f"addr del {address}/{length} dev {link}"),
                   KERNEL_BOUND, f"address {address}")


def test_connections_and_keys(lab: Lab, host: Host) -> None:
    def connections() -> set[str]:
        with host.vici() as vici:
            return {name for name in vici.list_conns() if name.startswith("sennit-")}

    def keys() -> set[str]:
        with host.vici() as vici:
            return {key for key in vici.shared_keys() if key.startswith("sennit-")}

    with host.vici() as vici:
        for name in sorted(connections()):
            comes_back(lab, connections, lambda: vici.request("unload-conn", {"name": name}),
                       IKE_BOUND, f"connection {name}")
        for key in sorted(keys()):
            comes_back(lab, keys, lambda: vici.request("unload-shared", {"id": key}), IKE_BOUND,
                       f"key {key}")


def test_tunnels(lab: Lab, host: Host) -> None:
    for peer in ("h2", "h3"):
        old = {sa["uniqueid"] for sa in sas_of(host, peer)}
        begin = time.monotonic()
        with host.vici() as vici:
            vici.terminate(ike=f"sennit-{peer}")
        lab.wait(lambda: not old & {sa["uniqueid"] for sa in sas_of(host, peer)}
                 and same_tunnel(host, lab[peer]), 10, f"a new tunnel with {peer}")
        assert time.monotonic() - begin <= IKE_BOUND


def test_charon(lab: Lab, host: Host) -> None:
    from sennitlab import proc
    pid = host.charon_pid()
    assert pid
    proc.end(pid)
    lab.wait(lambda: host.charon_pid() not in (None, pid), 10, "a new charon")
    lab.wait_all_up(15)


def test_a_charon_that_stood_still_is_looked_at_again_at_once(lab: Lab, host: Host) -> None:
    """It stops in the middle of a question; how long that took says nothing of the next one."""
    def spi() -> str | None:
        tunnel = host.peers()["h2"]["tunnel"]
        return tunnel and str(tunnel["spi_i"])

    def noticed() -> bool:
        # where the kernel carries ESP no peer is lost by it
        return DATAPLANE == "xfrm" or host.states()["h2"] == "down"

    pid = host.charon_pid()
    assert pid
    os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    try:
        lab.wait(lambda: noticed() and time.monotonic() > begin + 4, 10,
                 "h1 sees that charon stands still")
    finally:
        os.kill(pid, signal.SIGCONT)
    lab.wait_all_up(15)
    before = spi()
    with host.vici() as vici:
        vici.terminate(ike="sennit-h2")
    lab.wait(lambda: spi() not in (None, before), 8, "the new tunnel is seen")


@pytest.mark.timed
def test_no_turn_is_long(lab: Lab, host: Host) -> None:
    """Measured by the daemon itself. A busy machine makes a turn long now and then, not each."""
    before = host.status()
    route = next(r for r in own_routes(host) if " dev " in r)
    for _ in range(5):
        comes_back(lab, lambda: own_routes(host), lambda: host.ns.ip(f"route del {route}"),
                   KERNEL_BOUND, route)
    after = host.status()
    passes = after["apply"]["passes"] - before["apply"]["passes"]
    slow = after["loop"]["slow_turns"] - before["loop"]["slow_turns"]
    # a repair may fall into the pass that looks at the one before
    assert passes >= 5 and slow <= passes // 4, f"{slow} slow turns in {passes} passes"


def test_what_belongs_to_others_stays(lab: Lab, host: Host) -> None:
    host.ns.ip("link add name snother type bridge", "link set dev snother up",
               "route add 203.0.113.0/24 dev snother proto static")
    host.ns.nft("table inet other { chain c { type filter hook input priority 5; }; }\n")
    with host.vici() as vici:
        vici.request("load-conn", {"foreign": {
            "version": 2, "local_addrs": ["192.0.2.11"], "remote_addrs": ["192.0.2.99"],
            "local-1": {"auth": "psk", "id": "x"}, "remote-1": {"auth": "psk", "id": "y"}}})
    # whole passes with everything in sight: a restart makes one, a removed table another
    host.kill()
    host.start()
    host.wait_answers()
    lab.wait_all_up()
    comes_back(lab, lambda: own_tables(host), lambda: host.ns.nft("delete table inet sennit\n"),
               KERNEL_BOUND, "the guard")
    assert "snother" in host.ns.run("ip", "link", "show").stdout
    assert "203.0.113.0/24" in host.ns.run("ip", "route", "show").stdout
    assert "table inet other" in host.ns.run("nft", "list", "tables").stdout
    with host.vici() as vici:
        assert "foreign" in vici.list_conns()
        vici.request("unload-conn", {"name": "foreign"})
    host.ns.ip("link del dev snother")
    host.ns.nft("delete table inet other\n")


def test_the_log_says_what_was_found(lab: Lab, host: Host) -> None:
    route = next(r for r in own_routes(host) if " dev " in r)
    size = host.log.stat().st_size
    comes_back(lab, lambda: own_routes(host), lambda: host.ns.ip(f"route del {route}"),
               KERNEL_BOUND, route)
    with host.log.open() as log:
        log.seek(size)
        assert f"route {route.split()[0]}" in log.read()
