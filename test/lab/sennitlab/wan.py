# SPDX-License-Identifier: GPL-2.0-or-later
"""The network between the hosts, and everything that can go wrong in it.

Faults are drops in the middle: no link goes down, nobody gets an error. They
act where the bridge forwards, so the capture still sees what a cut host sends.
"""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from .netns import Namespace

UNDERLAY = IPv4Network("192.0.2.0/24")
GATEWAY = IPv4Address("192.0.2.254")
METADATA = IPv4Address("192.0.2.250")
OUTSIDE = IPv4Address("198.51.100.1")
BRIDGE = "br"
FIRST_HOST = 11
HAS_IPV6 = Path("/proc/sys/net/ipv6").exists()

# `cut` silences a port altogether, `blocked` a UDP port of it, `parted` a pair of ports.
_FAULTS = """
table bridge lab {
    set cut { type ifname; }
    set blocked { type ifname . inet_service; }
    set parted { type ifname . ifname; }
    chain forward {
        type filter hook forward priority 0;
        iifname @cut drop
        oifname @cut drop
        iifname . udp dport @blocked drop
        oifname . udp dport @blocked drop
        iifname . oifname @parted drop
    }
    chain output {
        type filter hook output priority 0;
        oifname @cut drop
    }
}
"""


def host_address(number: int) -> IPv4Address:
    return UNDERLAY.network_address + FIRST_HOST - 1 + number


def mac_of(address: IPv4Address) -> str:
    """Fixed, so that neighbours can be permanent and frames are easy to read."""
    return "02:00:" + ":".join(f"{byte:02x}" for byte in address.packed)


class Wan:
    def __init__(self, namespace: Namespace) -> None:
        self.ns = namespace
        self._ports: dict[str, IPv4Address] = {}
        self.ns.ip(f"link add name {BRIDGE} address {mac_of(GATEWAY)} type bridge",
                   f"addr add {GATEWAY}/24 dev {BRIDGE}", f"link set dev {BRIDGE} up",
                   f"addr add {OUTSIDE}/32 dev lo")
        self.ns.nft(_FAULTS)

    def connect(self, name: str, ns: Namespace, address: IPv4Address) -> None:
        """Gives ns an eth0 on the bridge and a default route."""
        port = self._port(name)
        self.ns.ip(f"link add name {port} type veth peer name eth0 address {mac_of(address)} "
                   f"netns {ns.name}",
                   f"link set dev {port} master {BRIDGE}", f"link set dev {port} up")
        # no IPv6 address by itself: it would come late and change what is compared
        ns.ip(*["link set dev eth0 addrgenmode none"] * HAS_IPV6, f"addr add {address}/24 dev eth0",
              "link set dev eth0 up",
              f"route add default via {GATEWAY}")
        self._ports[name] = address

    def make_neighbours_permanent(self, namespaces: dict[str, Namespace],
                                  later: dict[str, IPv4Address] | None = None) -> None:
        """For large labs: the neighbour table's size is one for all namespaces.

        later: addresses that hosts may have besides their first."""
        known = [(name, address, mac_of(address)) for name, address in self._ports.items()]
        known += [(name, address, mac_of(self._ports[name]))
                  for name, address in (later or {}).items()]
        known.append(("gateway", GATEWAY, mac_of(GATEWAY)))
        for name, ns in namespaces.items():
            ns.ip(*(f"neigh replace {address} lladdr {mac} dev eth0 nud permanent"
                    for other, address, mac in known if other != name))

    def readdress(self, name: str, ns: Namespace, address: IPv4Address) -> None:
        """The host's eth0 has this address instead, as after a new lease."""
        ns.ip(f"addr del {self._ports[name]}/24 dev eth0", f"addr add {address}/24 dev eth0",
              f"route replace default via {GATEWAY}")
        self._ports[name] = address

    @staticmethod
    def _port(name: str) -> str:
        return f"w{name}"

    def _element(self, verb: str, where: str, *elements: str) -> None:
        self.ns.nft(f"{verb} element bridge lab {where} {{ {', '.join(elements)} }}\n")

    def cut(self, name: str) -> None:
        """From now on nothing reaches the host, and nothing that it sends reaches others."""
        self._element("add", "cut", self._port(name))

    def heal(self, name: str) -> None:
        self._element("delete", "cut", self._port(name))

    def block_udp(self, name: str, *ports: int) -> None:
        self._element("add", "blocked", *(f"{self._port(name)} . {p}" for p in ports))

    def unblock_udp(self, name: str, *ports: int) -> None:
        self._element("delete", "blocked", *(f"{self._port(name)} . {p}" for p in ports))

    def _both_ways(self, a: str, b: str) -> list[str]:
        return [f"{self._port(a)} . {self._port(b)}", f"{self._port(b)} . {self._port(a)}"]

    def part(self, a: str, b: str) -> None:
        """These two do not hear each other any more; all others hear both."""
        self._element("add", "parted", *self._both_ways(a, b))

    def join(self, a: str, b: str) -> None:
        self._element("delete", "parted", *self._both_ways(a, b))
