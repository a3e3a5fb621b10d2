# SPDX-License-Identifier: GPL-2.0-or-later
"""What Rancher's documents say: wrong as a whole, wrong in one entry, claims to what others have."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .case import Act, Case, Documents, kept, partly, took
from .stand import SUBNET

if TYPE_CHECKING:
    from .stand import Stand

HOSTS, CONTAINERS, NETWORKS, SELF = "/hosts", "/containers", "/networks", "/self/host"
LABEL_PLACE = f"/labels/{SUBNET}: "
H2_STAYS = "host h2 stays as it was"


def serve(spoil: Callable[[Documents], Any]) -> Act:
    return lambda stand: stand.serve(spoil)


def raw(path: str, text: str | bytes) -> Act:
    return serve(lambda d: d.update({path: text}))


def host(number: int, **changes: Any) -> Act:
    """Of the entry of the host; the key `subnet` is its label."""
    def spoil(d: Documents) -> None:
        entry = d[HOSTS][number - 1]
        if "subnet" in changes:
            entry["labels"] = {SUBNET: changes["subnet"]}
        entry.update({k: v for k, v in changes.items() if k != "subnet"})
    return serve(spoil)


def container(number: int, **changes: Any) -> Act:
    return serve(lambda d: d[CONTAINERS][number - 1].update(changes))


def more(path: str, *entries: Any) -> Act:
    return serve(lambda d: d[path].extend(entries))


def network(**changes: Any) -> Act:
    return serve(lambda d: d[NETWORKS][0].update(changes))


def overlay(subnet: Any) -> Act:
    def spoil(d: Documents) -> None:
        d[NETWORKS][0]["metadata"]["cniConfig"]["10-rancher.conf"]["bridgeSubnet"] = subnet
    return serve(spoil)


def over_gateway(stand: "Stand") -> None:
    stand.h1.ns.ip("addr replace 10.98.0.2/24 dev eth0 noprefixroute",
                   "route replace 10.98.0.0/24 dev eth0 scope link",
                   "route replace default via 10.98.0.1 metric 4000")
    overlay("10.0.0.0/9")(stand)


def no_gateway(stand: "Stand") -> None:
    stand.h1.ns.ip("route del default via 10.98.0.1 metric 4000", "addr del 10.98.0.2/24 dev eth0")
    stand.heal()


def drop(path: str, number: int) -> Act:
    return serve(lambda d: d[path].pop(number - 1))


def new_host(name: str, address: str, subnet: Any = None, **other: Any) -> dict[str, Any]:
    return {"uuid": name, "name": "new", "state": "active", "agent_ip": address,
            "labels": {SUBNET: subnet}, **other}


def nobody() -> dict[str, Any]:
    return new_host("h9", "192.0.2.99", "10.42.9.0/24")


def flood(path: str, number: int, entry: Callable[[int], dict[str, Any]]) -> Act:
    return more(path, *(entry(n) for n in range(number)))


BRIDGE = "/networks/0/metadata/cniConfig/10-rancher.conf/bridgeSubnet: "

WHOLE = [
    kept("hosts: empty list", "/hosts: there is no host", raw(HOSTS, "[]")),
    kept("hosts: null", "/hosts: not an array", raw(HOSTS, "null")),
    kept("hosts: an object", "/hosts: not an array", raw(HOSTS, "{}")),
    kept("hosts: empty body", "/hosts: is empty", raw(HOSTS, "")),
    kept("hosts: ends in the middle", "/hosts: ends in the middle", raw(HOSTS, '[{"uuid": "h1"')),
    kept("hosts: something behind it", "something comes after the array", raw(HOSTS, "[]]")),
    kept("hosts: without our own", "our own host, h1, is not among", drop(HOSTS, 1)),
    kept("hosts: our own was purged", "our own host, h1, is not among", host(1, state="purged")),
    kept("hosts: 10,000", "/hosts: more than 4096",
         flood(HOSTS, 10000, lambda n: new_host(f"n{n}", "192.0.2.99"))),
    kept("hosts: 100,000 levels deep", "nested deeper than 32", raw(HOSTS, "[" * 100000)),
    kept("hosts: one key twice in an entry", ("/hosts/0: line 1", "duplicate object key"),
         raw(HOSTS, '[{"uuid": "h1", "uuid": "h2"}]')),
    kept("hosts: bytes that are no UTF-8", ("/hosts/0: line 1", "unable to decode byte 0xff"),
         raw(HOSTS, b'[{"uuid": "\xff\xfe"}]')),
    kept("hosts: NUL in a name", ("/hosts/0: line 1", "not JSON"),
         raw(HOSTS, '[{"uuid": "h\\u00001"}]')),
    kept("hosts: raw control characters", ("/hosts/0: line 1", "not JSON"),
         raw(HOSTS, '[{"uuid": "h1", "name": "a\nb\x1b[31m"}]')),
    kept("hosts: a number of 300 KB", "over 262144 bytes", raw(HOSTS, "[" + "9" * 300000 + "]")),
    kept("hosts: a page of a captive portal", "an HTML page, not JSON",
         raw(HOSTS, "<!DOCTYPE html><html><body>Log in</body></html>")),
    kept("hosts: 17 MB of spaces", "/hosts: body over 16777216 bytes",
         lambda s: s.serve(lambda d: d.update({HOSTS: "[" + " " * (17 << 20)}))),
    kept("containers: not JSON", "/containers/0: line 1", raw(CONTAINERS, "[nonsense]")),
    kept("containers: an entry of 100 MB", "/containers: element 0: over 262144 bytes",
         lambda s: s.serve(lambda d: d.update({CONTAINERS: '[{"a":"' + "x" * (100 << 20)}))),
    kept("containers: 70,000", "/containers: more than 65536",
         raw(CONTAINERS, "[" + "{}," * 70000 + "{}]")),
    kept("self: unknown to the service", "/self/host: status 404",
         serve(lambda d: d.pop(SELF))),
    kept("self: an array", "/self/host: not an object", raw(SELF, "[]")),
    kept("self: without a uuid", "/self/host/uuid: is missing", raw(SELF, "{}")),
    kept("self: uuid %any", "/self/host/uuid: '%any' is not a host id",
         raw(SELF, '{"uuid": "%any"}')),
    kept("self: uuid is a number", "/self/host/uuid: not a string", raw(SELF, '{"uuid": 1}')),
    kept("self: is the peer", "the metadata say that this is host h2", raw(SELF, '{"uuid": "h2"}')),
    kept("networks: empty list", "/networks: none has a cniConfig of type rancher-bridge",
         raw(NETWORKS, "[]")),
    kept("networks: an object", "/networks: not an array", raw(NETWORKS, "{}")),
    kept("networks: ours is not there", "/networks: none has a cniConfig",
         network(metadata={"cniConfig": None})),
    kept("networks: two that may be ours", "set network (SENNIT_NETWORK)",
         serve(lambda d: d[NETWORKS].append({**d[NETWORKS][0], "uuid": "other"}))),
    kept("networks: another uuid", "of mesh another", network(uuid="another")),
    kept("networks: uuid is no id", "cannot be the id of a mesh", network(uuid="a b")),
    kept("networks: name is a list", "/networks/0/name: not a string", network(name=[])),
    kept("networks: deep", "/networks: line 1", raw(NETWORKS, "[" * 5000)),
    kept("overlay: 0.0.0.0/0", BRIDGE + "0.0.0.0/0 is too wide", overlay("0.0.0.0/0")),
    kept("overlay: /7", "is too wide for an overlay; /8 is the widest", overlay("10.0.0.0/7")),
    kept("overlay: is a number", BRIDGE + "not a string", overlay(10)),
    kept("overlay: missing", BRIDGE + "is missing", overlay(None)),
    kept("overlay: not a prefix", "'10.42.0.0/99' is not an IP prefix", overlay("10.42.0.0/99")),
    kept("overlay: multicast", "expected unicast addresses", overlay("224.0.0.0/8")),
    kept("overlay: over the metadata service and loopback", BRIDGE, overlay("127.0.0.0/8")),
    kept("overlay: over the hosts' own network", "contains 192.0.2.11, the underlay address",
         overlay("192.0.0.0/16")),
    kept("overlay: over a gateway", "10.0.0.0/9 contains 10.98.0.1, the gateway of this host",
         over_gateway, heal=no_gateway),
    kept("overlay: over a name server",
         "10.0.0.0/8 contains 10.99.0.53, a name server of this host", overlay("10.0.0.0/8")),
    kept("overlay: elsewhere", "leaves out 10.42.", overlay("172.30.0.0/16")),
    kept("overlay: too narrow for what the hosts have", "leaves out 10.42.",
         overlay("10.42.1.0/24")),
    kept("overlay: IPv6", "leaves out 10.42.", overlay("fd00::/64")),
    kept("no host has a subnet any more", "no host has a prefix any more",
         serve(lambda d: [h.pop("labels") for h in d[HOSTS]] and d.update({CONTAINERS: []}))),
]

ENTRIES = [
    partly("entry: not an object", "/hosts/3: not an object", more(HOSTS, 7)),
    partly("entry: an array", "/hosts/3: not an object", more(HOSTS, [])),
    partly("uuid: missing", "/hosts/1/uuid: is missing; " + H2_STAYS, host(2, uuid=None)),
    partly("uuid: a number", "/hosts/1/uuid: not a string; " + H2_STAYS, host(2, uuid=2)),
    partly("uuid: %any", "/hosts/3/uuid: '%any' is not a host id",
           more(HOSTS, new_host("%any", "192.0.2.99"))),
    partly("uuid: *", "/hosts/3/uuid: '*' is not a host id",
           more(HOSTS, new_host("*", "192.0.2.99"))),
    partly("uuid: 0.0.0.0/0", "/hosts/3/uuid: '0.0.0.0/0' is not a host id",
           more(HOSTS, new_host("0.0.0.0/0", "192.0.2.99"))),
    partly("uuid: empty", "/hosts/3/uuid: '' is not a host id",
           more(HOSTS, new_host("", "192.0.2.99"))),
    partly("uuid: 64 characters", "is not a host id", more(HOSTS, new_host("x" * 64, "192.0.2.99"))),
    partly("uuid: 100 KB", "is not a host id", more(HOSTS, new_host("x" * 100000, "192.0.2.99"))),
    partly("uuid: control characters", "is not a host id",
           more(HOSTS, new_host("h\x1b[2J\r\nERROR", "192.0.2.99"))),
    partly("uuid: letters that look like others", "is not a host id",
           more(HOSTS, new_host("\u04bb2", "192.0.2.99"))),
    partly("state: missing", "/hosts/1/state: is missing; " + H2_STAYS, host(2, state=None)),
    partly("state: a list", "/hosts/1/state: not a string; " + H2_STAYS, host(2, state=[])),
    partly("agent_ip: missing", "/hosts/1/agent_ip: is missing; " + H2_STAYS,
           host(2, agent_ip=None)),
    partly("agent_ip: a number", "/hosts/1/agent_ip: not a string; " + H2_STAYS,
           host(2, agent_ip=3221225996)),
    partly("agent_ip: an object", "/hosts/1/agent_ip: not a string; " + H2_STAYS,
           host(2, agent_ip={"ip": "192.0.2.12"})),
    *(partly(f"agent_ip: {ip or 'empty'}", f"/hosts/1/agent_ip: '{ip}' is not an IP address; " +
             H2_STAYS, host(2, agent_ip=ip))
      for ip in ("", "node2", "192.0.2.256", "192.0.2.12/24", "192.0.2.12:500", "192.0.2",
                 "fe80::1%eth0")),
    *(partly(f"agent_ip: {ip}", f"/hosts/1/agent_ip: {ip} is {why}", host(2, agent_ip=ip),
             what=lambda s: s.wait(lambda: any(H2_STAYS in t for t in s.texts()), 1, "it stays"),
             long=ip not in ("0.0.0.0", "127.0.0.1"))
      for ip, why in (("0.0.0.0", "in 0.0.0.0/8"), ("127.0.0.1", "a loopback address"),
                      ("224.0.0.1", "not a unicast"), ("255.255.255.255", "not a unicast"),
                      ("fe80::1", "a link-local"), ("::1", "the loopback"),
                      ("::ffff:192.0.2.12", "an IPv4 address in IPv6 form"))),
    partly("agent_ip: inside the overlay", "/hosts/1/agent_ip: 10.42.7.7 lies inside the overlay",
           host(2, agent_ip="10.42.7.7")),
    partly("agent_ip: our own", "/hosts/1/agent_ip: 192.0.2.11 is the address of host h1",
           host(2, agent_ip="192.0.2.11")),
    partly("agent_ip: that of a third host", "/hosts/1/agent_ip: 192.0.2.13 is the address of "
           "host h3", host(2, agent_ip="192.0.2.13")),
    partly("labels: a text", "/hosts/1/labels: not an object", host(2, labels="x")),
    partly("labels: a list", "/hosts/1/labels: not an object", host(2, labels=[])),
    partly("subnet: a number", f"/hosts/1{LABEL_PLACE}not a string", host(2, subnet=24)),
    partly("subnet: not a prefix", f"/hosts/1{LABEL_PLACE}'10.42.2' is not an IP prefix",
           host(2, subnet="10.42.2")),
    partly("subnet: with host bits", "10.42.2.1/24 has bits set behind its length",
           host(2, subnet="10.42.2.1/24")),
    partly("subnet: outside the overlay", "172.16.0.0/12 lies outside the overlay",
           host(2, subnet="172.16.0.0/12")),
    partly("subnet: the whole overlay", "10.42.0.0/16 of host h2 overlaps with 10.42.1.0/24 of "
           "host h1", host(2, subnet="10.42.0.0/16")),
    partly("subnet: inside ours", "10.42.1.128/25 of host h3 overlaps with 10.42.1.0/24 of host h1",
           host(3, subnet="10.42.1.128/25")),
    partly("subnet: over that of the peer", "10.42.2.0/23 of host h3 overlaps with 10.42.2.0/24 "
           "of host h2", host(3, subnet="10.42.2.0/23")),
    partly("subnet: that of the peer, by a new host with a smaller id",
           "10.42.2.0/24 of host h0 overlaps with 10.42.2.0/24 of host h2",
           more(HOSTS, new_host("h0", "192.0.2.99", "10.42.2.0/24")), comes="h0"),
    partly("subnet: our own is claimed by a new host",
           "10.42.1.0/24 of host h0 overlaps with 10.42.1.0/24 of host h1",
           more(HOSTS, new_host("h0", "192.0.2.99", "10.42.1.0/24")), comes="h0"),
    partly("subnet: our own is outside the overlay", "172.16.1.0/24 lies outside the overlay",
           host(1, subnet="172.16.1.0/24")),
    partly("id: that of the peer, at another address", "h2 is the id of /hosts/1",
           more(HOSTS, new_host("h2", "192.0.2.99", "10.42.9.0/24"))),
    partly("id: our own, at another address", "h1 is the id of /hosts/0",
           more(HOSTS, new_host("h1", "192.0.2.99", "10.42.9.0/24"))),
    partly("id: the same entry twice", "h2 is the id of /hosts/1",
           serve(lambda d: d[HOSTS].append(d[HOSTS][1]))),
    partly("300 wrong hosts", "/hosts/3/uuid: 'a b 0' is not a host id",
           flood(HOSTS, 300, lambda n: new_host(f"a b {n}", "192.0.2.99"))),
    partly("container: not an object", "/containers/3: not an object", more(CONTAINERS, "x")),
    partly("container: network_uuid a list", "/containers/1/network_uuid: not a string",
           container(2, network_uuid=[])),
    partly("container: state a number", "/containers/1/state: not a string",
           container(2, state=1)),
    partly("container: primary_ip a list", "/containers/1/primary_ip: not a string",
           container(2, primary_ip=["10.42.2.9"])),
    partly("container: primary_ip is text", "/containers/1/primary_ip: 'web' is not an IP address",
           container(2, primary_ip="web")),
    partly("container: host_uuid missing", "/containers/1/host_uuid: is missing",
           container(2, host_uuid=None)),
    partly("container: host_uuid a number", "/containers/1/host_uuid: not a string",
           container(2, host_uuid=7)),
    partly("container: shares whose namespace? a number",
           "/containers/1/network_from_container_uuid: not a string",
           container(2, network_from_container_uuid=7)),
    partly("container: outside the overlay", "8.8.8.8/32 lies outside the overlay",
           container(2, primary_ip="8.8.8.8")),
    partly("container: another host's has an address of ours",
           "10.42.1.99/32 of host h2 overlaps with 10.42.1.0/24 of host h1",
           container(2, primary_ip="10.42.1.99")),
]

HARMLESS = [
    took("nulls wherever there may be some", (),
         serve(lambda d: [c.update(primary_ip=None, network_uuid=None, labels=None)
                          for c in d[CONTAINERS]])),
    took("containers: null, as Go writes an empty list", (), raw(CONTAINERS, "null")),
    took("order of the entries reversed", (),
         serve(lambda d: [d[path].reverse() for path in (HOSTS, CONTAINERS)])),
    took("a container without a host", (), container(3, host_uuid="long-gone")),
    took("keys that nobody knows", (), host(2, surprise={"x": [1, 2, {"y": None}]}, memory=2**60)),
    took("names of control characters and 100 KB", (),
         host(2, name="\x1b[31m\r\n\u202e" + "x" * 100000)),
    took("a new host in a state that nobody knows", (),
         more(HOSTS, new_host("h8", "192.0.2.98", state="exploded")), comes="h8"),
    took("the same container a thousand times", (),
         serve(lambda d: d[CONTAINERS].extend([d[CONTAINERS][1]] * 1000))),
    took("byte order, spaces and escapes", (),
         serve(lambda d: d.update({HOSTS: "  " + json.dumps(d[HOSTS], indent=8).replace(
             '"uuid"', '"\\u0075uid"') + "\n\n"}))),
]

CASES: list[Case] = [*WHOLE, *ENTRIES, *HARMLESS]
