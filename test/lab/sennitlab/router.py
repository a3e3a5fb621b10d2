# SPDX-License-Identifier: GPL-2.0-or-later
"""A router on the underlay with a network of its own behind it: hosts that sit behind NAT,
and filters on the way.

    wan bridge ── eth0 [router] lan ── eth0 [host]
               192.0.2.x      10.9.x.254   10.9.x.y
"""

import socket
import struct
from ipaddress import IPv4Address, IPv4Network

from .netns import Namespace

NETLINK_NETFILTER, CT_DELETE, NLM_F_REQUEST, NLM_F_ACK = 12, 0x102, 1, 4

# masquerade as a home router does it, and with another source port for each flow
_NAT = """
table ip nat {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        ip saddr {net} oifname "eth0" masquerade {how}
    }}
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        {forward}
    }}
}}
"""


class Router:
    """wan: the lab's; number: of its address, as of a host's."""

    def __init__(self, ns: Namespace, address: IPv4Address, number: int) -> None:
        self.ns = ns
        self.address = address
        self.net = IPv4Network(f"10.9.{number}.0/24")
        self.gateway = self.net.broadcast_address - 1
        self._ports = 0
        ns.ip("link add name lan type bridge", f"addr add {self.gateway}/24 dev lan",
              "link set dev lan up")
        ns.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")

    def connect(self, ns: Namespace, number: int) -> IPv4Address:
        """Gives ns an eth0 behind the router and a default route; its address there."""
        address = self.net.network_address + number
        self._ports += 1
        port = f"p{self._ports}"
        self.ns.ip(f"link add name {port} type veth peer name eth0 netns {ns.name}",
                   f"link set dev {port} master lan up")
        ns.ip("link set dev eth0 addrgenmode none", f"addr add {address}/24 dev eth0",
              "link set dev eth0 up", f"route add default via {self.gateway}")
        return address

    def hide(self, how: str = "fully-random", forward_to: IPv4Address | None = None) -> None:
        """NAT from now on, forgetting all that stood: as after a restart of the router.

        forward_to: who behind it gets UDP 500 and 4500."""
        forward = (f"ip daddr {self.address} udp dport {{ 500, 4500 }} dnat to {forward_to}"
                   if forward_to else "")
        self.ns.nft("table ip nat\ndelete table ip nat\n" +
                    _NAT.format(net=self.net, how=how, forward=forward))
        self.forget()

    def forget(self) -> None:
        """Every mapping is gone; what comes next from inside gets a new one."""
        # as `conntrack -F`: IPCTNL_MSG_CT_DELETE of all, and the kernel's answer
        with self.ns.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
            sock.send(struct.pack("=IHHIIBBH", 20, CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, 1, 0,
                                  socket.AF_UNSPEC, 0, 0))
            error, = struct.unpack_from("=i", sock.recv(4096), 16)
        assert error == 0, f"the connections of {self.ns.name} are kept: {error}"

    def filter(self, *rules: str) -> None:
        """What it does with packets that it passes on, until unfilter()."""
        self.ns.nft("table inet way\ndelete table inet way\ntable inet way { chain forward { "
                    "type filter hook forward priority 0; " + "; ".join(rules) + "; }; }\n")

    def unfilter(self) -> None:
        self.ns.nft("table inet way\ndelete table inet way\n")
