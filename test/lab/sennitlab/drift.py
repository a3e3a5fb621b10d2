# SPDX-License-Identifier: GPL-2.0-or-later
"""Drift: everything that somebody else can remove from a host or change under it.

One row a change. What it does is shell and vici from outside; that it is
repaired is seen by its look(), which must be as it was before."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import proc
from .container import Container
from .host import Host
from .kernel import (bridge_of, own_addresses, own_links, own_routes, own_tables, tunnel_device,
                     xfrm_policies, xfrm_spis)
from .lab import DATAPLANE, Lab
from .sas import same_tunnel, sas_of, tunnel_of

EVENT_BOUND = 1.0    # what the kernel or charon tells
GLANCE_BOUND = 4.0   # what is looked at every few seconds
FULL_BOUND = 30.0    # what only a full pass sees
LOST = "the kernel has lost SAs or policies of its tunnel"


@dataclass(frozen=True)
class Scene:
    """Where it happens."""
    lab: Lab
    host: Host
    container: Container
    peer: str

    @property
    def bridge(self) -> str:
        return bridge_of(self.host)

    @property
    def veth(self) -> str:
        return next(name for name in own_links(self.host) if name.startswith("snv"))

    @property
    def device(self) -> str:
        """Of the tunnel with the peer."""
        return tunnel_device(self.host, self.peer)

    def route(self, words: str) -> str:
        return next(r for r in own_routes(self.host) if words in r)

    def ip(self, *lines: str) -> None:
        self.host.ns.ip(*lines)

    def sysctl(self, path: str, *values: str) -> None:
        """One after the other, at once."""
        self.host.ns.run("sh", "-c", "".join(f"echo {v} >/proc/sys/{path};" for v in values))

    def read(self, path: str) -> str:
        return self.host.ns.run("cat", f"/proc/sys/{path}").stdout.strip()


@dataclass(frozen=True)
class Drift:
    what: str
    change: str
    do: Callable[[Scene], Any]
    look: Callable[[Scene], Any]
    bound: float = EVENT_BOUND
    kinds: tuple[str, ...] = ()  # whose repairs /metrics counts
    brutal: bool = False  # takes foreign objects away by the kernel's own rules
    says: str = ""  # in the log, who it was that repaired

    def __str__(self) -> str:
        return f"{self.what} {self.change}"


# --- looks


def links(s: Scene) -> Any:
    up = [link["ifname"] for link in s.host.ns.ip_json("link", "show", "up")]
    found = own_links(s.host)
    return {name: (facts, name in up) for name, facts in found.items()}


def wires(s: Scene) -> Any:
    return links(s), own_addresses(s.host), own_routes(s.host)


def tunnel(s: Scene) -> Any:
    name = s.device
    return name in [link["ifname"] for link in s.host.ns.ip_json("link", "show", "up")], wires(s)


def addresses(s: Scene) -> Any:
    return own_addresses(s.host)


def routes(s: Scene) -> Any:
    return own_routes(s.host)


def tables(s: Scene) -> Any:
    return own_tables(s.host)


def settings(s: Scene) -> Any:
    return {path: s.read(path) for path in (
        "net/ipv4/conf/eth0/forwarding", f"net/ipv4/conf/{s.bridge}/forwarding",
        f"net/ipv6/conf/{s.bridge}/disable_ipv6", f"net/ipv4/conf/{s.device}/forwarding")}


def conns(s: Scene) -> Any:
    with s.host.vici() as vici:
        return {n: c for n, c in vici.list_conns().items() if n.startswith("sennit-")}


def keys(s: Scene) -> Any:
    with s.host.vici() as vici:
        return {k for k in vici.shared_keys() if k.startswith("sennit-")}


def one_tunnel(s: Scene) -> Any:
    """With each peer exactly one, the same at both ends."""
    return all(same_tunnel(s.host, s.lab[name]) for name in s.host.states())


def kernels_part(s: Scene) -> Any:
    """Of the one tunnel: its SAs and its three policies are in the kernel, at both ends."""
    def whole(host: Host, peer: str) -> bool:
        tunnel = tunnel_of(host, peer)
        return {tunnel.spi_in, tunnel.spi_out} <= xfrm_spis(host) and xfrm_policies(host) == 3

    return one_tunnel(s) and whole(s.host, s.peer) and whole(s.lab[s.peer], s.host.id)


def charon_works(s: Scene) -> Any:
    return s.host.charon_pid() is not None and s.lab.everybody_up() and one_tunnel(s)


# --- charon


def load_conn(s: Scene, **changes: Any) -> None:
    """Our connection's name with another content, as an operator with swanctl would."""
    with s.host.vici() as vici:
        now = vici.list_conns()[f"sennit-{s.peer}"]
        child = {name: {"local_ts": c["local-ts"], "remote_ts": c["remote-ts"]}
                 for name, c in now["children"].items()}
        vici.request("load-conn", {f"sennit-{s.peer}": {
            "version": 2, "local_addrs": now["local_addrs"], "remote_addrs": now["remote_addrs"],
            "local-1": {"auth": "psk", "id": f"keyid:{s.host.id}"},
            "remote-1": {"auth": "psk", "id": f"keyid:{s.peer}"}, "children": child, **changes}})


def unload(s: Scene, command: str, **what: str) -> None:
    with s.host.vici() as vici:
        vici.request(command, what)


def end_tunnel(s: Scene, part: str) -> None:
    sa = sas_of(s.host, s.peer)[0]
    what = next(iter(sa["child-sas"].values())) if part == "child" else sa
    with s.host.vici() as vici:
        vici.terminate(**{f"{part}_id": what["uniqueid"]})

    def there() -> set[str]:
        now = sas_of(s.host, s.peer)
        if part == "ike":
            return {sa["uniqueid"] for sa in now}
        return {c["uniqueid"] for sa in now for c in sa["child-sas"].values()}

    s.lab.wait(lambda: what["uniqueid"] not in there(), 5, "it is ended")


def initiate_again(s: Scene, by: str) -> None:
    other = s.peer if by == s.host.id else s.host.id
    host = s.lab[by]
    before = len(sas_of(host, other))
    with host.vici() as vici:
        child = next(iter(vici.list_conns()[f"sennit-{other}"]["children"]))
        vici.request("initiate", {"ike": f"sennit-{other}", "child": child, "timeout": -1})
    s.lab.wait(lambda: len(sas_of(host, other)) != before or same_tunnel(s.host, s.lab[s.peer]),
               5, "the second one begins")


def signal_charon(s: Scene, *signals: signal.Signals) -> None:
    pid = s.host.charon_pid()
    assert pid
    for sig in signals:
        proc.send(pid, sig)
    if signal.SIGKILL in signals or signal.SIGTERM in signals:
        s.lab.wait(lambda: not proc.is_alive(pid), 5, "the old charon ended")


def stop_charon(s: Scene, seconds: float) -> None:
    begin = time.monotonic()
    signal_charon(s, signal.SIGSTOP)
    s.lab.wait(lambda: time.monotonic() >= begin + seconds, seconds + 5, "the pause")
    signal_charon(s, signal.SIGCONT)


def start_charon_by_hand(s: Scene) -> None:
    """As an operator would: it finds sockets and ports taken, and ends or idles."""
    conf = s.host.run_dir / "strongswan.conf"
    path = os.readlink(f"/proc/{s.host.charon_pid()}/exe")
    s.host.ns.run("timeout", "2", "env", f"STRONGSWAN_CONF={conf}", path, check=False)


# --- the rows

_UNREACHABLE = "unreachable"


def to_peer(s: Scene) -> str:
    return s.route(f" dev {s.device}")


def _storm(s: Scene) -> None:
    """More events than any buffer holds, while the daemon is stopped; one of them is ours."""
    s.host.signal(signal.SIGSTOP)
    route = to_peer(s)
    lines = [f"route add 198.18.{i // 256}.{i % 256}/32 dev eth0 proto static"
             for i in range(12000)]
    s.ip(f"route del {route}", *lines)
    s.ip("route flush root 198.18.0.0/15")
    s.host.signal(signal.SIGCONT)


def _foreign_route(s: Scene) -> None:
    """It is not ours to remove: it is named, and what we want comes when it is gone."""
    target = to_peer(s).split()[0]
    foreign = f"{target} via 192.0.2.254 dev eth0 proto static"
    s.ip(f"route replace {foreign}")
    s.lab.wait(lambda: any(target in f["object"] for f in s.host.status()["apply"]["failing"]), 5,
               "the foreign route is named")
    s.ip(f"route del {foreign}")


def delete_last_rule(s: Scene) -> None:
    import json
    listed = json.loads(s.host.ns.run("nft", "-j", "-a", "list", "chain", "inet", "sennit",
                                      "postrouting").stdout)["nftables"]
    handle = [e["rule"]["handle"] for e in listed if "rule" in e][-1]
    s.host.ns.nft(f"delete rule inet sennit postrouting handle {handle}\n")


def delete_sa(s: Scene, receiver: Host, sender: str) -> None:
    """Of the pair's two the one that ends at the receiver, at the host that drifts."""
    spi = tunnel_of(receiver, sender).spi_in
    s.ip(f"xfrm state delete src {s.lab[sender].address} dst {receiver.address} "
         f"proto esp spi 0x{spi}")


KERNEL = [
    Drift("bridge", "deleted", lambda s: s.ip(f"link del dev {s.bridge}"), wires,
          kinds=("link", "address", "route"), brutal=True),
    Drift("bridge", "set down", lambda s: s.ip(f"link set dev {s.bridge} down"), wires,
          kinds=("link",), brutal=True),
    Drift("bridge", "MTU changed", lambda s: s.ip(f"link set dev {s.bridge} mtu 1234"), links,
          kinds=("link",)),
    Drift("bridge", "hardware address changed",
          lambda s: s.ip(f"link set dev {s.bridge} address 02:00:00:00:00:77"), links,
          kinds=("link",)),
    Drift("bridge", "taken out of its group",
          lambda s: s.ip(f"link set dev {s.bridge} group default"), links, kinds=("link",)),
    Drift("bridge", "alias removed",
          lambda s: s.host.ns.run("ip", "link", "set", "dev", s.bridge, "alias", ""), links,
          kinds=("link",)),
    Drift("veth", "alias removed",
          lambda s: s.host.ns.run("ip", "link", "set", "dev", s.veth, "alias", ""), links,
          kinds=("link",)),
    Drift("veth", "set down", lambda s: s.ip(f"link set dev {s.veth} down"), links,
          kinds=("link",)),
    Drift("veth", "taken off the bridge", lambda s: s.ip(f"link set dev {s.veth} nomaster"), links,
          kinds=("link",)),
    Drift("veth", "put on another bridge",
          lambda s: s.ip(f"link set dev {s.veth} master snother"), links, kinds=("link",)),
    Drift("veth", "MTU changed", lambda s: s.ip(f"link set dev {s.veth} mtu 1234"), links,
          kinds=("link",)),
    Drift("bridge address", "removed",
          lambda s: s.ip("addr del {1}/{2} dev {0}".format(*own_addresses(s.host)[0])), wires,
          kinds=("address",), brutal=True),
    Drift("bridge address", "another one added",
          lambda s: s.ip(f"addr add 10.42.{s.host.number}.99/24 dev {s.bridge}"), addresses,
          kinds=("address",)),
    Drift("route", "to a peer deleted", lambda s: s.ip(f"route del {to_peer(s)}"), routes,
          kinds=("route",)),
    Drift("route", "unreachable deleted", lambda s: s.ip(f"route del {s.route(_UNREACHABLE)}"),
          routes, kinds=("route",)),
    Drift("route", "to a peer led to the uplink",
          lambda s: s.ip("route replace {0} via 192.0.2.254 dev eth0 proto 83".format(
              to_peer(s).split()[0])), routes, kinds=("route",)),
    Drift("route", "another one with our protocol",
          lambda s: s.ip("route add 10.42.77.0/24 dev eth0 proto 83"), routes, kinds=("route",)),
    Drift("route", "unreachable to nowhere near",
          lambda s: s.ip("route add unreachable 10.42.78.0/24 proto 83"), routes,
          kinds=("route",)),
    Drift("routes", "flushed by protocol", lambda s: s.ip("route flush proto 83"), routes,
          kinds=("route",)),
    Drift("routes", "all of the tunnel's device flushed",
          lambda s: s.ip(f"route flush dev {s.device}"), routes, kinds=("route",)),
    Drift("nftables", "table deleted", lambda s: s.host.ns.nft("delete table inet sennit\n"),
          tables, kinds=("table",)),
    Drift("nftables", "table of the bridge deleted",
          lambda s: s.host.ns.nft("delete table bridge sennit\n"), tables, kinds=("table",)),
    Drift("nftables", "table flushed", lambda s: s.host.ns.nft("flush table inet sennit\n"),
          tables, kinds=("table",)),
    Drift("nftables", "one chain emptied",
          lambda s: s.host.ns.nft("flush chain inet sennit postrouting\n"), tables,
          kinds=("table",)),
    Drift("nftables", "a rule added",
          lambda s: s.host.ns.nft("insert rule inet sennit postrouting accept\n"), tables,
          kinds=("table",)),
    Drift("nftables", "a rule deleted", delete_last_rule, tables, kinds=("table",)),
    Drift("nftables", "an element of a set deleted",
          lambda s: s.host.ns.nft("flush set bridge sennit containers\n"), tables,
          kinds=("table",)),
    Drift("nftables", "a chain added",
          lambda s: s.host.ns.nft("add chain inet sennit hole\n"), tables, kinds=("table",)),
    Drift("sysctl", "forwarding of the uplink off",
          lambda s: s.sysctl("net/ipv4/conf/eth0/forwarding", "0"), settings,
          kinds=("sysctl",)),
    Drift("sysctl", "forwarding of the bridge off",
          lambda s: s.sysctl(f"net/ipv4/conf/{s.bridge}/forwarding", "0"), settings,
          kinds=("sysctl",)),
    Drift("sysctl", "ip_forward on and off",
          # who sees it on takes it for a wish: what is set right then is not counted as a repair
          lambda s: s.sysctl("net/ipv4/ip_forward", "1", "0"), settings, kinds=("sysctl",)),
    Drift("sysctl", "IPv6 of the bridge on",
          lambda s: s.sysctl(f"net/ipv6/conf/{s.bridge}/disable_ipv6", "0"), settings,
          bound=GLANCE_BOUND, kinds=("sysctl",)),
]

# What is of the kernel only where it carries ESP.
if DATAPLANE != "xfrm":
    KERNEL += [
        Drift("charon's TUN", "set down", lambda s: s.ip(f"link set dev {s.device} down"), tunnel,
              kinds=("link", "route")),
    ]
if DATAPLANE == "xfrm":
    KERNEL += [
        Drift("tunnel's link", "deleted", lambda s: s.ip(f"link del dev {s.device}"), wires,
              kinds=("link", "route"), brutal=True),
        Drift("tunnel's link", "set down", lambda s: s.ip(f"link set dev {s.device} down"), wires,
              kinds=("link", "route"), brutal=True),
        Drift("tunnel's link", "MTU changed",
              lambda s: s.ip(f"link set dev {s.device} mtu 1234"), links, kinds=("link",)),
        Drift("SAs in the kernel", "flushed", lambda s: s.ip("xfrm state flush"), kernels_part,
              bound=10.0, says=LOST),
        Drift("SAs in the kernel", "the incoming one deleted",
              lambda s: delete_sa(s, s.host, s.peer), kernels_part, bound=10.0, says=LOST),
        Drift("SAs in the kernel", "the outgoing one deleted",
              lambda s: delete_sa(s, s.lab[s.peer], s.host.id), kernels_part, bound=10.0, says=LOST),
        Drift("policies in the kernel", "flushed", lambda s: s.ip("xfrm policy flush"),
              kernels_part, bound=10.0, says=LOST),
    ]


IKE = [
    Drift("IKE connection", "unloaded",
          lambda s: unload(s, "unload-conn", name=f"sennit-{s.peer}"), conns, bound=3.0,
          kinds=("conn",)),
    Drift("IKE connection", "changed", lambda s: load_conn(s, remote_addrs=["192.0.2.99"]), conns,
          bound=3.0, kinds=("conn",)),
    Drift("key", "unloaded", lambda s: unload(s, "unload-shared", id=next(iter(keys(s)))), keys,
          bound=3.0, kinds=("key",)),
    Drift("keys and certificates", "cleared (clear-creds)", lambda s: unload(s, "clear-creds"),
          keys, bound=3.0, kinds=("key",)),
    Drift("CHILD_SA", "terminated", lambda s: end_tunnel(s, "child"), one_tunnel, bound=3.0),
    Drift("IKE_SA", "terminated", lambda s: end_tunnel(s, "ike"), one_tunnel, bound=3.0),
    Drift("IKE_SA", "a second one by the owner", lambda s: initiate_again(s, s.host.id),
          one_tunnel, bound=3.0),
    Drift("IKE_SA", "a second one by the other", lambda s: initiate_again(s, s.peer), one_tunnel,
          bound=3.0),
]

CHARON = [
    Drift("charon", "killed (SIGKILL)", lambda s: signal_charon(s, signal.SIGKILL), charon_works,
          bound=10.0),
    Drift("charon", "ended (SIGTERM)", lambda s: signal_charon(s, signal.SIGTERM), charon_works,
          bound=10.0),
]

# Not in the middle of other things, as the soak does the rows above.
ALONE = [
    Drift("route", "to a peer replaced by a foreign one, which then goes", _foreign_route, routes,
          kinds=("route",)),
    Drift("rules", "all flushed but the three of the kernel",
          lambda s: s.ip("rule flush", "rule add from all lookup main pref 32766",
                         "rule add from all lookup default pref 32767"), routes, brutal=True),
    Drift("netlink", "overrun with a route deleted", _storm, routes, bound=5.0,
          kinds=("route",)),
    Drift("charon", "stopped for 2 s (SIGSTOP)", lambda s: stop_charon(s, 2), charon_works,
          bound=10.0),
    Drift("strongswan.conf", "removed, then charon killed",
          lambda s: ((s.host.run_dir / "strongswan.conf").unlink(),
                     signal_charon(s, signal.SIGKILL)), charon_works, bound=10.0),
    Drift("charon's record", "removed, then sennitd restarted",
          lambda s: (s.host.kill(), (s.host.run_dir / "charon.json").unlink(), s.host.start()),
          charon_works, bound=10.0),
    Drift("state: snapshot", "spoiled, then sennitd restarted",
          lambda s: (s.host.kill(), (s.host.state_dir / "snapshot.json").write_text("{"),
                     s.host.start()), charon_works, bound=10.0),
    Drift("state: sysctls", "emptied, then sennitd restarted",
          lambda s: (s.host.kill(), (s.host.state_dir / "sysctls.json").write_text(""),
                     s.host.start()), charon_works, bound=10.0),
]

# Seconds by themselves; with --long only.
SLOW = [
    Drift("charon", "started again by hand, then sennitd restarted",
          lambda s: (start_charon_by_hand(s), s.host.kill(), s.host.start()), charon_works,
          bound=40.0),
    Drift("charon's socket file", "removed, then sennitd restarted",
          lambda s: ((s.host.run_dir / "charon.vici").unlink(), s.host.kill(), s.host.start()),
          charon_works, bound=40.0),
    Drift("charon", "stopped for 20 s (SIGSTOP)", lambda s: stop_charon(s, 20), charon_works,
          bound=30.0),
]
