# SPDX-License-Identifier: GPL-2.0-or-later
"""mesh.json as the source."""

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .case import Act, Case, kept, partly

if TYPE_CHECKING:
    from .stand import Stand

H2_STAYS = "host h2 stays as it was"


def raw(text: str | bytes) -> Act:
    return lambda stand: stand.write_mesh(text)


def spoilt(spoil: Callable[[dict[str, Any]], Any]) -> Act:
    def act(stand: "Stand") -> None:
        mesh = stand.mesh()
        spoil(mesh)
        stand.write_mesh(json.dumps(mesh))
    return act


def top(**changes: Any) -> Act:
    return spoilt(lambda m: m.update(changes))


def peer(**changes: Any) -> Act:
    return spoilt(lambda m: m["hosts"][1].update(changes))


def gone(stand: "Stand") -> None:
    stand.mesh_path.unlink()


def instead(make: Callable[[str], None]) -> Act:
    def act(stand: "Stand") -> None:
        stand.mesh_path.unlink()
        make(str(stand.mesh_path))
    return act


def remove_folder(stand: "Stand") -> None:
    stand.mesh_path.rmdir()
    stand.write_mesh()


ROWS = [
    kept("file: gone", "No such file", gone),
    kept("file: a folder", "Is a directory", instead(os.mkdir), heal=remove_folder),
    kept("file: a pipe that nobody writes", "Illegal seek", instead(os.mkfifo)),
    kept("file: a link to itself", "Too many levels of symbolic links",
         instead(lambda path: os.symlink(path, path))),
    kept("file: empty", "mesh.json: line 1", raw("")),
    kept("file: torn", "mesh.json: line 1", raw('{"mesh": "m", "hosts": [ {"id"')),
    kept("file: 33 MB", "mesh.json: ", raw(" " * (33 << 20))),
    kept("file: a page", "an HTML page, not JSON", raw("<html>")),
    kept("file: no UTF-8", "unable to decode byte", raw(b'{"mesh": "\xff"}')),
    kept("file: a key twice", "duplicate object key", raw('{"mesh": "a", "mesh": "b"}')),
    kept("file: unknown key", "/surprise: unknown key", top(surprise=1)),
    kept("file: no mesh", "/mesh: is missing", top(mesh=None)),
    kept("file: mesh %any", "'%any' is not an id", top(mesh="%any")),
    kept("file: another mesh", "of mesh another", top(mesh="another")),
    kept("file: no hosts", "0 hosts; expected 1 to 4096", top(hosts=[])),
    kept("file: 5,000 hosts", "5000 hosts; expected 1 to 4096", top(hosts=[{}] * 5000)),
    kept("file: without our own", "none of the 2 hosts has an address of this host",
         spoilt(lambda m: m["hosts"].pop(0))),
    kept("file: overlay 0.0.0.0/0", "/overlay: 0.0.0.0/0 is too wide", top(overlay="0.0.0.0/0")),
    kept("file: overlay over the underlay", "/overlay: 192.0.0.0/16 contains",
         top(overlay="192.0.0.0/16")),
    kept("file: overlay elsewhere", "leaves out 10.42.", top(overlay="172.30.0.0/16")),
    kept("file: two hosts are ours", "both have an address of this host",
         spoilt(lambda m: m["hosts"].append({"id": "h9", "addresses": ["192.0.2.11"]}))),
    partly("file: id *", "/hosts/3/id: '*' is not an id",
           spoilt(lambda m: m["hosts"].append({"id": "*", "addresses": ["192.0.2.99"]}))),
    partly("file: addresses a text", "/hosts/1/addresses: not an array; " + H2_STAYS,
           peer(addresses="192.0.2.12")),
    partly("file: no addresses", "/hosts/1/addresses: 0 addresses; expected 1 to 16; " + H2_STAYS,
           peer(addresses=[])),
    partly("file: address 127.0.0.1", "/hosts/1/addresses/0: 127.0.0.1 is a loopback address",
           peer(addresses=["127.0.0.1"])),
    partly("file: address of a third host", "192.0.2.13 is the address of host h3",
           peer(addresses=["192.0.2.13"])),
    partly("file: prefix outside", "/hosts/1/prefixes/0: 172.16.0.0/12 lies outside the overlay",
           peer(prefixes=["172.16.0.0/12"])),
    partly("file: prefix inside ours", "10.42.1.128/25 of host h2 overlaps with 10.42.1.0/24",
           peer(prefixes=["10.42.1.128/25"])),
    partly("file: prefixes an object", "/hosts/1/prefixes: not an array; " + H2_STAYS,
           peer(prefixes={})),
    partly("file: overlay_ip that is another's",
           "/hosts/1/overlay_ip: 10.42.1.1 is no usable address in the prefixes of host h2",
           peer(overlay_ip="10.42.1.1")),
    partly("file: state unknown", "/hosts/1/state: 'exploded' is not active", peer(state="exploded")),
    partly("file: created nonsense", "/hosts/1/created: 'yesterday' is not a time",
           peer(created="yesterday")),
    partly("file: unknown key of a host", "/hosts/1/agent_ip: unknown key; " + H2_STAYS,
           peer(agent_ip="192.0.2.12")),
    partly("file: containers a text", "/hosts/1/containers: not an array", peer(containers="x")),
    partly("file: a container's ip a number", "/hosts/1/containers/0/ip: not a string",
           peer(containers=[{"name": "x", "ip": 7}])),
    partly("file: one id twice", "h2 is the id of /hosts/1",
           spoilt(lambda m: m["hosts"].append({"id": "h2", "addresses": ["192.0.2.99"]}))),
]
CASES: list[Case] = [Case(**{**row.__dict__, "file": True}) for row in ROWS]
