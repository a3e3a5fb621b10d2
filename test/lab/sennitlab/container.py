# SPDX-License-Identifier: GPL-2.0-or-later
"""A container: a network namespace, bare until `sennit attach` wires it."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

from .host import Host
from .netns import Namespace
from .wait import patient, wait_for

INTERFACE = "eth0"
Address = IPv4Address | IPv6Address


class Container:
    def __init__(self, name: str, ns: Namespace, host: Host) -> None:
        self.name = name
        self.ns = ns
        self.host = host

    def attach(self, *options: str, check: bool = True) -> str:
        """What `sennit attach` printed (both streams)."""
        done = self.host.cli("attach", "--netns", str(self.ns.path), *options, check=check)
        return done.stdout + done.stderr

    def detach(self) -> None:
        self.host.cli("detach", "--netns", str(self.ns.path))

    def addresses(self) -> list[Address]:
        """Of its eth0, without what it has by itself; empty while it has none."""
        return [ip_address(a["local"])
                for link in self.ns.ip_json("addr", "show")
                if link.get("ifname") == INTERFACE
                for a in link["addr_info"] if a["scope"] == "global"]

    def ip_of(self, version: int) -> Address:
        """Of IPv4 or IPv6."""
        addresses = [a for a in self.addresses() if a.version == version]
        assert len(addresses) == 1, f"{self.name} has the addresses {addresses} of IPv{version}"
        return addresses[0]

    @property
    def ip(self) -> Address:
        """The only one, or that of IPv4."""
        versions = {a.version for a in self.addresses()}
        assert versions, f"{self.name} has no address"
        return self.ip_of(min(versions))

    @property
    def mac(self) -> bytes:
        link, = self.ns.ip_json("link", "show", "dev", INTERFACE)
        return bytes.fromhex(link["address"].replace(":", ""))

    @property
    def gateway(self) -> Address:
        route, = self.ns.ip_json(f"-{self.ip.version}", "route", "show", "default")
        return ip_address(route["gateway"])

    def ping(self, target: "Container | IPv4Address | IPv6Address", limit: float = 1) -> bool:
        """One echo, answered within `limit` seconds?"""
        address = target.ip if isinstance(target, Container) else target
        done = self.ns.run("ping", "-n", "-c", "1", "-W", f"{limit:g}", str(address), check=False,
                           limit=limit + 5)
        return done.returncode == 0

    def wait_ping(self, target: "Container | IPv4Address | IPv6Address", limit: float = 10) -> None:
        name = target.name if isinstance(target, Container) else str(target)
        wait_for(lambda: self.ping(target), limit, f"{self.name} reaches {name}",
                 self.host.describe)

    def udp(self, port: int = 0, version: int | None = None) -> socket.socket:
        """A UDP socket in here, with a time-out; of the family that `ip` is of."""
        v6 = (version or self.ip.version) == 6
        sock = self.ns.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(patient(2))
        sock.bind(("::" if v6 else "0.0.0.0", port))
        return sock

    def raw(self, ethertype: int = 0x0003) -> socket.socket:
        """A packet socket on its interface: sends any frame, hears all (ETH_P_ALL)."""
        sock = self.ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
        sock.settimeout(patient(2))
        sock.bind((INTERFACE, ethertype))
        return sock
