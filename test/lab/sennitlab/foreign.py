# SPDX-License-Identifier: GPL-2.0-or-later
"""What belongs to others on a host of the lab, beside and between Sennit's objects (promise 4)."""

from typing import Any

from .drift import Scene

LINK = "snother"  # begins as ours do; that is all it has of ours
_TABLE = """
table inet other {
    chain c { type filter hook input priority 5; counter; }
}
table inet sennit2 {
    set own { type ipv4_addr; elements = { 10.42.1.1 } }
}
"""


class Foreign:
    """Makes them once; look() is what they are now."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        ns = scene.host.ns
        ns.ip(f"link add name {LINK} address 02:00:00:00:00:01 type bridge", f"link set dev {LINK} up",
              f"link set dev {LINK} alias mine", f"addr add 203.0.113.1/24 dev {LINK}")
        ns.nft(_TABLE)
        self.make_again()

    def make_again(self) -> None:
        """What goes with the bridge, with all rules or with charon, by nobody's doing but that."""
        self.scene.ip(
            # in the overlay and in our table, but of another protocol
            f"route replace 10.42.200.0/24 dev {LINK} proto static",
            f"route replace 198.51.100.0/24 dev {self.scene.bridge} proto static",
            "route replace unreachable 10.43.0.0/16 proto boot metric 4278198272",
            "route replace 10.42.2.0/24 via 203.0.113.9 proto static table 77")
        if "lookup 77" not in self.scene.host.ns.run("ip", "rule").stdout:
            self.scene.ip("rule add from 10.42.200.0/24 lookup 77 pref 999")
        with self.scene.host.vici() as vici:
            vici.request("load-conn", {"foreign": {
                "version": 2, "local_addrs": ["192.0.2.11"], "remote_addrs": ["192.0.2.99"],
                "local-1": {"auth": "psk", "id": "x"}, "remote-1": {"auth": "psk", "id": "y"}}})

    def look(self) -> Any:
        ns = self.scene.host.ns
        routes = [line for line in ns.run("ip", "route", "show", "table", "all").stdout.splitlines()
                  if any(word in line for word in ("10.42.200.", "198.51.100.", "10.43.", "203.0.",
                                                   "table 77"))]
        return {
            "link": {k: v for k, v in ns.ip_json("link", "show", "dev", LINK)[0].items()
                     if k in ("address", "mtu", "ifalias")},
            "address": ns.ip_json("-4", "addr", "show", "dev", LINK)[0]["addr_info"],
            "routes": sorted(line.replace(" linkdown", "").strip() for line in routes),
            "rules": [r for r in ns.run("ip", "rule").stdout.splitlines() if "77" in r],
            "tables": [ns.run("nft", "-s", "list", "table", "inet", name).stdout
                       for name in ("other", "sennit2")],
            "connection": self._has_connection()}

    def _has_connection(self) -> bool:
        with self.scene.host.vici() as vici:
            return "foreign" in vici.list_conns()
