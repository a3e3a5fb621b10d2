# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that has its default route from a router keeps it when sennitd has IPv6 forwarded.

The kernel takes such routes out in the moment forwarding is switched on, and hears no
more of the router's advertisements, unless accept_ra is 2 there before."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from sennitlab import Lab, frames, programs
from sennitlab.host import Host
from sennitlab.metadata import OVERLAY, OVERLAY6
from sennitlab.wan import BRIDGE, GATEWAY, mac_of

LIFETIME_S = 6
ROUTER_MAC = bytes.fromhex(mac_of(GATEWAY).replace(":", ""))
ROUTER = frames.link_local(ROUTER_MAC)
ACCEPT_RA, FORWARDING = "net/ipv6/conf/eth0/accept_ra", "net/ipv6/conf/all/forwarding"


class Router:
    """Says twice a second that it is the default router, for some seconds."""

    def __init__(self, lab: Lab) -> None:
        packet = frames.ipv6(ROUTER, frames.ALL_NODES, 58, frames.router_advertisement(LIFETIME_S))
        self._frame = frames.ethernet(frames.ALL_NODES_MAC, ROUTER_MAC, 0x86dd, packet)
        self._socket = lab.wan.ns.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.bind((BRIDGE, 0))
        self._end = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(0.5):
            self._socket.send(self._frame)
            self.sent += 1

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self._socket.close()


def default_route(host: Host) -> dict[str, object]:
    """The one that an advertisement made; empty when there is none."""
    found = [r for r in host.ns.ip_json("-6", "route", "show", "default") if r["protocol"] == "ra"]
    return found[0] if found else {}


def setting(host: Host, path: str) -> str:
    return host.ns.run("cat", f"/proc/sys/{path}").stdout.strip()


def recorded(host: Host) -> dict[str, tuple[str, str]]:
    document = json.loads((host.state_dir / "sysctls.json").read_text())
    return {s["path"]: (s["old"], s["ours"]) for s in document["sysctls"]}


def wait_renewed(lab: Lab, router: Router, host: Host) -> None:
    """Longer than a route lives that nobody renews; it is there at each look."""
    until = router.sent + 2 * LIFETIME_S + 2

    def over() -> bool:
        assert default_route(host), "the default route is gone"
        return router.sent >= until

    lab.wait(over, 4 * LIFETIME_S, "advertisements for longer than one holds", step=0.2)


@pytest.fixture(params=[OVERLAY6, OVERLAY], ids=["ipv6", "ipv4"])
def advertised(built: programs.Programs,
               request: pytest.FixtureRequest) -> Iterator[tuple[Lab, Router]]:
    """Two hosts that know their default route by a router, before sennitd is started."""
    with Lab(hosts=2, containers=1, capture=False, overlay=request.param) as lab:
        router = Router(lab)
        try:
            for host in lab.hosts.values():
                lab.wait(lambda host=host: default_route(host), 10, "a default route")
            yield lab, router
        finally:
            router.close()


def test_the_default_route_stays(advertised: tuple[Lab, Router]) -> None:
    lab, router = advertised
    h1, forwards = lab["h1"], OVERLAY6 in lab.overlays
    before = [setting(h1, p) for p in (ACCEPT_RA, FORWARDING)]
    assert before == ["1", "0"]
    lab.start()
    assert default_route(h1)
    wait_renewed(lab, router, h1)
    assert [setting(h1, p) for p in (ACCEPT_RA, FORWARDING)] == (["2", "1"] if forwards else before)
    assert h1.plan() == []
    if forwards:
        assert recorded(h1)[ACCEPT_RA] == ("1", "2") and recorded(h1)[FORWARDING] == ("0", "1")
        lines = [line for line in h1.log.read_text().splitlines() if "done: " in line]
        order = [next(i for i, line in enumerate(lines) if f"sysctl {path}" in line)
                 for path in (ACCEPT_RA, FORWARDING)]
        assert order == sorted(order), "accept_ra comes first"
    else:
        assert not {ACCEPT_RA, FORWARDING} & set(recorded(h1))
    h1.stop()
    assert default_route(h1)
    h1.cli("cleanup", "--force")
    assert [setting(h1, p) for p in (ACCEPT_RA, FORWARDING)] == before
    assert default_route(h1)
