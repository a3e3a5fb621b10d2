# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host holds: what its processes cost, its objects in the kernel and in charon.

Taken of a settled mesh, so that two of the same mesh can be compared."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import proc
from .host import Host

_VETH = re.compile(r"snv[0-9a-f]{8}")
_CHILD = re.compile(r"-\d+$")
_KEY = re.compile(r"-[0-9a-f]{16}$")  # ends with what tells one secret from another


@dataclass(frozen=True)
class Cost:
    """Of one process."""
    pid: int
    rss_kb: int
    threads: int
    fds: int
    kinds: tuple[str, ...]  # what the descriptors are


def _kind(target: str) -> str:
    return re.sub(r"\d+|\[.*\]", "", target)


def cost(pid: int) -> Cost:
    facts = proc.facts(pid)
    kinds = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            kinds.append(_kind(os.readlink(fd)))
        except OSError:
            pass
    return Cost(pid, facts.rss_kb, facts.threads, len(kinds), tuple(sorted(kinds)))


def _plain(text: str) -> list[str]:
    """Lines without the names of veths, which are made anew with each attachment."""
    return sorted(_VETH.sub("snv#", " ".join(line.split()))
                  for line in text.splitlines() if line.strip())


def _routes(host: Host) -> list[str]:
    text = host.ns.run("ip", "route", "show", "table", "all").stdout
    # charon's TUN has another link-local address with each charon
    return [line.replace(" linkdown", "") for line in _plain(text)
            if not line.startswith("local fe80:")]


def _links(host: Host) -> list[str]:
    found = []
    for link in host.ns.ip_json("-d", "link", "show"):
        alias = re.sub(r"[0-9a-f]{16}$", "#", link.get("ifalias", ""))
        up = "UP" in link["flags"]
        found.append(f"{_VETH.sub('snv#', link['ifname'])} mtu {link['mtu']} "
                     f"master {link.get('master')} up {up} alias {alias}")
    return sorted(found)


def _addresses(host: Host) -> list[str]:
    return sorted(f"{a['ifname']} {i['local']}/{i['prefixlen']}"
                  for a in host.ns.ip_json("-4", "addr", "show") for i in a["addr_info"])


def _tables(host: Host) -> list[str]:
    """Each table with its rules in order; the tables in any."""
    text = _VETH.sub("snv#", host.ns.run("nft", "-s", "list", "ruleset").stdout)
    return sorted(re.split(r"^(?=table )", text, flags=re.MULTILINE))


def _sas(host: Host) -> list[str]:
    """One line an SA, without its numbers."""
    found = []
    for sa in host.sas():
        children = [f"{_CHILD.sub('', name)} {child['state']}"
                    for name, child in sa.get("child-sas", {}).items()]
        found.append(f"{sa.get('remote-id')} {sa['state']} {sorted(children)}")
    return sorted(found)


def objects(host: Host) -> dict[str, list[str]]:
    """Every kind of object by name, comparable."""
    with host.vici() as vici:
        conns, keys = vici.list_conns(), vici.shared_keys()
    return {
        "links": _links(host), "addresses": _addresses(host), "routes": _routes(host),
        "rules": _plain(host.ns.run("ip", "rule", "show").stdout), "nftables": _tables(host),
        "connections": sorted(f"{name} {conn}" for name, conn in conns.items()),
        "keys": sorted(_KEY.sub("-#", key) for key in keys), "SAs": _sas(host),
        "attachments": sorted(a["address"] for a in host.status()["attachments"]),
    }


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    found = []
    for kind, lines in before.items():
        gone = [line for line in lines if line not in after[kind]]
        new = [line for line in after[kind] if line not in lines]
        found += [f"{kind}: gone: {line}" for line in gone]
        found += [f"{kind}: new: {line}" for line in new]
        if not gone and not new and lines != after[kind]:
            found.append(f"{kind}: {len(lines)} before, {len(after[kind])} after")
    return found


def take(hosts: dict[str, Host]) -> dict[str, Any]:
    """Objects and costs of all these hosts."""
    taken = {}
    for name, host in hosts.items():
        charon = host.charon_pid()
        if host.pid is None or charon is None:
            raise LookupError(f"{name} does not run")
        taken[name] = {"sennitd": cost(host.pid), "charon": cost(charon)}
    # last: what asks charon is a connection to it, which it has for a moment longer
    for name, host in hosts.items():
        taken[name]["objects"] = objects(host)
    return taken
