# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in the kernel of a namespace, by `ip` and `nft`: to compare, and to break."""

import json
import re
from typing import Any

from .host import Host
from .netns import Namespace

PROTOCOL = "83"  # of Sennit's routes
# Move by themselves: counters, ages, neighbours, what depends on the time.
_VOLATILE = ("/neigh/", "/nf_log/", "random", "netdev_rss_key", "tcp_fastopen_key",
             "stable_secret", "nf_conntrack_count", "/dev_", "/fib_")
_LINK_KEYS = ("ifname", "address", "mtu", "master", "flags", "ifalias", "linkinfo")


def _settings(ns: Namespace) -> set[str]:
    """All of /proc/sys/net as "path:value"."""
    text = ns.run("grep", "-rs", "", "/proc/sys/net", check=False).stdout
    return {line for line in text.splitlines() if not any(word in line for word in _VOLATILE)}


def _facts(link: dict[str, Any]) -> dict[str, Any]:
    """Without the carrier: a bridge without ports has one until somebody looks."""
    kept = {key: link.get(key) for key in _LINK_KEYS if key != "linkinfo"}
    kept["flags"] = sorted(set(link["flags"]) - {"LOWER_UP", "NO-CARRIER"})
    return kept


def _routes(ns: Namespace, family: str) -> list[str]:
    text = ns.run("ip", family, "route", "show", "table", "all").stdout
    return sorted(line.replace(" linkdown", "").strip() for line in text.splitlines()
                  if family == "-4" or "kernel" not in line)


def _xfrm(ns: Namespace) -> list[str]:
    """Policies and SAs, without how far the SAs have counted."""
    text = ns.run("ip", "xfrm", "policy").stdout + ns.run("ip", "xfrm", "state").stdout
    return [line for line in text.splitlines()
            if not re.search(r"seq-hi|^\s+[0-9a-f]{8}( |$)", line)]


def snapshot(ns: Namespace) -> dict[str, Any]:
    """Links, addresses, routes, rules, nftables and settings, comparable."""
    links = ns.ip_json("-d", "link", "show")
    addresses = ns.ip_json("addr", "show")
    return {
        "links": {link["ifname"]: _facts(link) for link in links},
        "addresses": sorted((a["ifname"], i["local"], i["prefixlen"])
                            for a in addresses for i in a["addr_info"] if i["scope"] != "link"),
        "routes": _routes(ns, "-4"),
        "routes6": _routes(ns, "-6"),
        "rules": sorted(ns.run("ip", "rule", "show").stdout.splitlines()),
        "rules6": sorted(ns.run("ip", "-6", "rule", "show").stdout.splitlines()),
        "neighbours": sorted(ns.run("ip", "neigh", "show", "nud", "permanent",
                                    "proxy").stdout.splitlines()),
        "xfrm": _xfrm(ns),
        "nft": ns.run("nft", "-s", "list", "ruleset").stdout,
        "settings": _settings(ns),
    }


def _lines(value: Any) -> list[str]:
    """Whatever it is, as lines; of a dictionary one a key."""
    if isinstance(value, dict):
        return [f"{key}: {item}" for key, item in value.items()]
    return value.splitlines() if isinstance(value, str) else sorted(map(str, value))


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One line for each thing that is not as it was."""
    found = []
    for what in before:
        if before[what] == after[what]:
            continue
        old, new = _lines(before[what]), _lines(after[what])
        found += [f"{what}: gone {line}" for line in old if line not in new]
        found += [f"{what}: new {line}" for line in new if line not in old]
    return found


def own_routes(host: Host) -> list[str]:
    """Of Sennit, as arguments for `ip route`, metric and all."""
    text = host.ns.run("ip", "route", "show", "table", "all", "proto", PROTOCOL).stdout
    return sorted(" ".join(line.replace(" linkdown", "").split()) for line in text.splitlines())


def own_tables(host: Host) -> dict[tuple[str, str], str]:
    """Family and name of each table named sennit: its text."""
    listed = json.loads(host.ns.run("nft", "-j", "list", "tables").stdout)["nftables"]
    keys = [(e["table"]["family"], e["table"]["name"]) for e in listed
            if "table" in e and e["table"]["name"].startswith("sennit")]
    return {key: host.ns.run("nft", "-s", "list", "table", *key).stdout for key in keys}


def own_links(host: Host) -> dict[str, dict[str, Any]]:
    """Links that carry Sennit's alias."""
    return {link["ifname"]: {k: link.get(k) for k in ("ifname", "mtu", "master", "ifalias", "group")}
            for link in host.ns.ip_json("-d", "link", "show")
            if str(link.get("ifalias", "")).startswith("sennit:")}


def bridge_of(host: Host) -> str:
    return next(name for name in own_links(host) if not name.startswith(("snv", "snx")))


def tunnel_device(host: Host, peer: str) -> str:
    """By which the host sends to the peer."""
    for name, link in own_links(host).items():
        if str(link["ifalias"]).endswith(f":peer:{peer}"):
            return name
    return "ipsec0"


def xfrm_spis(host: Host) -> set[str]:
    """Of all SAs in the kernel, as charon writes them; not of those without keys, which stand in
    the place of one that the kernel misses."""
    text = host.ns.run("ip", "xfrm", "state").stdout
    return {spi for spi, rest in re.findall(r"^src .*\n.* spi 0x(\w+) (.*(?:\n\s.*)*)", text, re.M)
            if re.search(r"^\s+(aead|enc) ", rest, re.M)}


def xfrm_policies(host: Host) -> int:
    """How many in the kernel have a number."""
    return host.ns.run("ip", "xfrm", "policy").stdout.count("if_id")


def own_addresses(host: Host) -> list[tuple[str, str, int]]:
    links = own_links(host)
    return sorted((a["ifname"], i["local"], i["prefixlen"])
                  for a in host.ns.ip_json("-4", "addr", "show") if a.get("ifname") in links
                  for i in a["addr_info"])
