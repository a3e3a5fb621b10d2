# SPDX-License-Identifier: GPL-2.0-or-later
"""The situations that `sennit doctor` has to find, as a table for test_doctor.py.

In texts {folder}, {state}, {run}, {secret} and {eth0} (its number) stand for those of the host.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sennitlab import Lab
from sennitlab.lab import DATAPLANE

META = "192.0.2.250"
BARE_META = "192.0.2.249"
BAD_DNS = "192.0.2.251"
# ports of the services that are no metadata service
ODD = {"empty": 8081, "broken": 8082, "late": 8083, "silent": 8084, "tls": 8085}
ANY = None


@dataclass
class Case:
    name: str
    check: str
    severity: str
    words: str
    do: tuple[str, ...] = ()      # lines of sh in the host's namespace
    undo: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    resolv: str | None = None
    wan: Callable[[Lab], None] | None = None
    unwan: Callable[[Lab], None] | None = None
    host: str = "h4"
    # checks that may find something, too; ANY: not judged
    also: tuple[str, ...] | None = ()
    next: str = ""                # words of the advice
    slow: bool = False
    imitated: str = ""


def url(port: int) -> dict[str, Any]:
    return {"metadata": {"url": f"http://{META}:{port}/2016-07-29"}}


IPT_DOCKER = ("iptables -P FORWARD DROP", "iptables -N DOCKER-USER",
              "iptables -A FORWARD -j DOCKER-USER", "iptables -A DOCKER-USER -j RETURN",
              "iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
              "iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT")
FLUSH = ("nft flush ruleset",)
UFW = ("iptables -P INPUT DROP", "iptables -N ufw-before-input",
       "iptables -A INPUT -j ufw-before-input",
       "iptables -A ufw-before-input -i lo -j ACCEPT",
       "iptables -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
       "iptables -A ufw-before-input -p udp --sport 53 -j ACCEPT",
       "iptables -A ufw-before-input -p tcp --dport 22 -j ACCEPT")
FIREWALLD = ("""nft 'table inet firewalld {
    chain filter_IN_public { tcp dport 22 accept; }
    chain filter_INPUT { type filter hook input priority 10; policy accept;
        ct state established accept
        iifname lo accept
        jump filter_IN_public
        reject with icmpx admin-prohibited
    }
    chain filter_FORWARD { type filter hook forward priority 10; policy accept;
        ct state established accept
        reject with icmpx admin-prohibited
    }
}'""",)

# On kernels that are so.
WITHOUT_ESP = [
    Case("no ESP, and it is asked for", "kernel.dataplane", "fault", "no ESP",
         settings={"dataplane": "xfrm"}, also=ANY, next="xfrm_interface"),
    Case("no ESP, and it is not needed", "kernel.dataplane", "note", "no ESP",
         settings={"dataplane": "auto"}),
] if DATAPLANE == "libipsec" else []


CASES = [
    # configuration, secret, state
    Case("an unknown key", "config", "fault", "unknown key",
         do=("ip route add unreachable 169.254.169.250/32",),
         undo=("ip route del unreachable 169.254.169.250/32",), settings={"nonsense": 1}, also=ANY),
    Case("no secret", "secret", "fault", "No such file", settings={"secret_file": "/nowhere/x"}),
    Case("a secret that others may read", "secret", "fault", "has mode 0644",
         do=("cp {secret} {folder}/s; chmod 644 {folder}/s",),
         settings={"secret_file": "{folder}/s"}),
    Case("a short secret", "secret", "fault", "line 1",
         do=("rm -f {folder}/t; (umask 077; echo dG9vIHNob3J0 > {folder}/t)",),
         settings={"secret_file": "{folder}/t"}),
    Case("state of another owner", "state.folder", "fault", "belongs to the user 1",
         do=("mkdir -p {state}; chown 1 {state}",), undo=("rm -rf {state}",)),
    Case("state that others may write", "state.folder", "fault", "has mode 0777",
         do=("mkdir -p {state}; chmod 777 {state}",), undo=("rm -rf {state}",)),
    Case("a full disk", "state.folder", "fault", "has room for", do=("mkdir -p {state}",),
         mounts=("mount -t tmpfs -o mode=755,size=64k none {state}",), undo=("rm -rf {state}",)),
    Case("a read-only disk", "state.folder", "fault", "mounted read-only", do=("mkdir -p {state}",),
         mounts=("mount -t tmpfs -o mode=755,ro none {state}",), undo=("rm -rf {state}",)),
    Case("a damaged snapshot", "state.snapshot", "fault", "damaged",
         do=("mkdir -p {state}; echo '{\"sennit_snapshot\": 1, ' > {state}/snapshot.json",),
         undo=("rm -rf {state}",), also=("runtime",)),
    Case("a snapshot put aside", "state.snapshot", "note", "snapshot.json.bad",
         do=("mkdir -p {state}; touch {state}/snapshot.json.bad",), undo=("rm -rf {state}",)),
    # kernel
    *WITHOUT_ESP,
    Case("no TUN device", "kernel.tun", "fault", "no TUN device can be made",
         settings={"dataplane": "libipsec"}, mounts=("mount --bind /dev/null /dev/net/tun",),
         next="modprobe tun"),
    # charon
    Case("no charon", "charon.binary", "fault", "No such file",
         settings={"ike": {"charon": "/nowhere/charon-systemd"}}, next="charon-systemd"),
    Case("a charon that is no program", "charon.binary", "fault", "is not a program",
         settings={"ike": {"charon": "/etc/os-release"}}),
    Case("an old charon", "charon.binary", "fault", "is strongSwan 5.7.2",
         do=("sed 's/\\x005[.]9[.]8\\x00/\\x005.7.2\\x00/' /usr/sbin/charon-systemd >{folder}/old",
             "chmod +x {folder}/old"),
         settings={"ike": {"charon": "{folder}/old"}}),
    Case("a plugin is not installed", "charon.plugins", "fault", "kernel-libipsec is not installed",
         do=("mkdir -p {folder}/plugins; for f in /usr/lib/ipsec/plugins/*; do "
             "touch {folder}/plugins/${f##*/}; done; "
             "rm {folder}/plugins/libstrongswan-kernel-libipsec.so",),
         settings={"dataplane": "libipsec"},
         mounts=("mount --bind {folder}/plugins /usr/lib/ipsec/plugins",),
         next="libcharon-extra-plugins"),
    Case("AppArmor", "charon.apparmor", "fault", "is enforced and lacks: {run}/strongswan.conf r,",
         mounts=("mount -t tmpfs none /sys/kernel/security", "mkdir /sys/kernel/security/apparmor",
                 "cd /sys/kernel/security/apparmor",
                 "echo '/usr/sbin/charon-systemd (enforce)' >profiles"),
         next="apparmor_parser -r", imitated="the kernel's list of profiles is a file of ours"),
    # ports
    Case("somebody has UDP 500", "ports.ike", "fault", r"UDP port 500 .* is held by python3",
         do=("hold:500",), next="End it"),
    Case("somebody has UDP 4500", "ports.ike", "fault", r"UDP port 4500 .* is held by python3",
         do=("hold:4500",)),
    Case("somebody has the heartbeats' port", "ports.own", "fault", r"udp port 8112 .* python3",
         do=("hold:8112",)),
    # settings
    Case("router advertisements", "sysctl.accept-ra", "warning", "accept_ra is 1",
         do=("ip -6 addr add 2001:db8::4/64 dev eth0 valid_lft 3600 preferred_lft 1800 nodad",
             "echo 1 >/proc/sys/net/ipv6/conf/eth0/forwarding",
             "echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra"),
         undo=("ip -6 addr flush dev eth0 scope global",
               "echo 0 >/proc/sys/net/ipv6/conf/eth0/forwarding")),
    # names
    Case("no name server", "resolver", "warning", "names no server", resolv="search example.org\n"),
    Case("a name instead of an address", "resolver", "warning", "'dns.example' is not an address",
         resolv=f"nameserver dns.example\nnameserver {META}\n"),
    Case("a link-local server without its link", "resolver", "warning",
         "'fe80::1' has no interface",
         resolv=f"nameserver fe80::1\nnameserver {META}\n"),
    Case("a link-local server on a link that is not there", "resolver", "warning",
         "'fe80::1%eth7' names an interface that this host has not",
         resolv=f"nameserver fe80::1%eth7\nnameserver {META}\n"),
    Case("a link-local server", "resolver", "note", "is a server on the link eth0 only",
         resolv=f"nameserver fe80::1%eth0\nnameserver {META}\n"),
    Case("a link-local server by number", "resolver", "note", r"'fe80::1%\d+' is a server on the",
         resolv="nameserver fe80::1%{eth0}\n" f"nameserver {META}\n"),
    Case("a zone where none belongs", "resolver", "warning", "but is no link-local address",
         resolv=f"nameserver 192.0.2.1%eth0\nnameserver {META}\n"),
    Case("too many servers", "resolver", "note", "is the fourth",
         resolv=f"nameserver {META}\n" * 4),
    Case("a loop through the containers' DNS", "resolver", "fault", "the containers' DNS",
         resolv=f"nameserver 169.254.169.250\nnameserver {META}\n"),
    Case("a dead server", "resolver", "warning", "name server 192.0.2.99 does not answer",
         resolv=f"nameserver 192.0.2.99\nnameserver {META}\n", slow=True),
    Case("a server that is not there", "resolver", "warning", "nobody listens on UDP 53",
         resolv=f"nameserver 192.0.2.11\nnameserver {META}\n"),
    Case("a server that refuses", "resolver", "warning", "answers, but with REFUSED",
         resolv=f"nameserver {BAD_DNS}\nnameserver {META}\n",
         do=(f"ip route replace {BAD_DNS}/32 via {META}",), undo=(f"ip route del {BAD_DNS}/32",)),
    Case("all servers are dead", "resolver", "warning", "none of the name servers answers",
         resolv="nameserver 192.0.2.11\n"),
    # metadata, step by step
    Case("the name", "metadata", "fault", "step name: .*look-up of meta.example",
         settings={"metadata": {"url": "http://meta.example/2016-07-29"}}),
    Case("the route", "metadata", "fault", "step route: .*198.51.100.9",
         do=("ip route add unreachable 198.51.100.0/24",), undo=("ip route del 198.51.100.0/24",),
         settings={"metadata": {"url": "http://198.51.100.9/2016-07-29"}}),
    Case("TCP, refused", "metadata", "fault", "step TCP: .*refused", settings=url(81),
         next="nobody listens"),
    Case("TCP, silence", "metadata", "fault", "step TCP: .*time-out",
         do=("nft 'table ip q { chain c { type filter hook output priority 9; "
             "tcp dport 82 drop; }; }'",), undo=("nft delete table ip q",), settings=url(82),
         next="vanish", slow=True),
    Case("TLS", "metadata", "fault", "step TLS: ",
         settings={"metadata": {"url": f"https://{META}:{ODD['tls']}/2016-07-29"}},
         next="metadata.ca_file"),
    Case("TLS, silence", "metadata", "fault", "step TLS: .*time-out",
         settings={"metadata": {"url": f"https://{META}:{ODD['silent']}/2016-07-29"}},
         next="does not speak TLS", slow=True),
    Case("HTTP, a status", "metadata", "fault", "step HTTP: .*status 500",
         settings=url(ODD["broken"])),
    Case("HTTP, silence", "metadata", "fault", "step HTTP: .*time-out",
         settings=url(ODD["silent"]), slow=True),
    Case("the path", "metadata", "fault", "step HTTP: .*status 404",
         settings={"metadata": {"url": f"http://{BARE_META}/nonsense"}}),
    Case("the documents", "metadata", "fault", "step (documents|own entry): ",
         settings=url(ODD["empty"])),
    Case("the own entry", "metadata", "fault", "step own entry: ", host="h5", next="Register"),
    Case("one of two services is away", "metadata", "warning", "step TCP: .*refused",
         settings={"metadata": {"urls": [f"http://{META}:81/2016-07-29",
                                         f"http://{BARE_META}/2016-07-29"]}}),
    Case("a wrong clock", "metadata", "warning", "clock is 36[0-9][0-9] s ahead",
         settings=url(ODD["late"]), also=ANY),
    # rules of others
    Case("Docker's policy", "firewall.nftables", "fault",
         "table ip filter, chain FORWARD of Docker drops what is forwarded", do=IPT_DOCKER,
         undo=FLUSH, next="DOCKER-USER", imitated="Docker's own rules"),
    Case("ufw", "firewall.nftables", "warning",
         "chain INPUT of ufw drops what comes in, and nothing in it lets UDP 4500 pass", do=UFW,
         undo=FLUSH, next="ufw allow 500,4500/udp", imitated="ufw's own rules"),
    Case("firewalld", "firewall.nftables", "fault",
         "table inet firewalld, chain filter_FORWARD of firewalld drops", do=FIREWALLD, undo=FLUSH,
         next="firewall-cmd", imitated="firewalld's own rules"),
    Case("a rule against UDP 4500", "firewall.nftables", "warning",
         "a rule in table ip x, chain c of somebody drops UDP 4500",
         do=("nft 'table ip x { chain c { type filter hook input priority 0; "
             "udp dport { 4500, 9999 } drop; }; }'",), undo=FLUSH),
    Case("bridged packets pass those rules", "firewall.nftables", "warning",
         "bridge-nf-call-iptables is 1, and a chain", do=IPT_DOCKER, undo=FLUSH),
    Case("legacy iptables", "firewall.legacy", "fault",
         "the legacy iptables table filter .* drops what is forwarded",
         do=("iptables-legacy -P FORWARD DROP",), undo=("iptables-legacy -P FORWARD ACCEPT",)),
    Case("legacy iptables, input", "firewall.legacy", "warning", "drops what comes in",
         do=("iptables-legacy -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; "
             "iptables-legacy -A INPUT -p icmp -j ACCEPT; iptables-legacy -A INPUT -j DROP",),
         undo=("iptables-legacy -F",)),
    Case("legacy iptables that does nothing bad", "firewall.legacy", "note", "has 1 rules",
         do=("iptables-legacy -A OUTPUT -p tcp --dport 25 -j ACCEPT",),
         undo=("iptables-legacy -F",)),
    # the overlay's place
    Case("an address in the overlay", "overlap", "fault",
         "docker0 has the address 10.42.77.1/24, inside the overlay",
         do=("ip link add docker0 type bridge; ip addr add 10.42.77.1/24 dev docker0",),
         undo=("ip link del docker0",)),
    Case("a route in the overlay", "overlap", "fault", "a route of others leads to 10.42.9.0/24",
         do=("ip route add 10.42.9.0/24 via 192.0.2.254",), undo=("ip route del 10.42.9.0/24",)),
    Case("an interface in the bridge's group", "groups", "fault",
         "br7 is not sennit's, but in a link group",
         do=("ip link add br7 type bridge; ip link set br7 group 1936613890",),
         undo=("ip link del br7",), next="ip link set br7 group default"),
    Case("an interface in the tunnels' group", "groups", "fault",
         "br7 is not sennit's, but in a link group",
         do=("ip link add br7 type bridge; ip link set br7 group 1936619522",),
         undo=("ip link del br7",), next="ip link set br7 group default"),
    # MTU
    Case("the interface's MTU", "mtu", "warning", "carries packets of 1400 bytes",
         do=("ip link set eth0 mtu 1400",), undo=("ip link set eth0 mtu 1500",), also=("peers",),
         next='Set "mtu" to 13'),
    Case("a route's MTU", "mtu", "warning", "the way to h2 .* carries packets of 1300 bytes",
         do=("ip route add 192.0.2.12/32 dev eth0 mtu 1300",),
         undo=("ip route del 192.0.2.12/32",), also=("peers",)),
    Case("MTU on the way", "peers", "warning", "answers short packets, but none of",
         wan=lambda lab: lab.wan.ns.ip("link set wh4 mtu 1400"),
         unwan=lambda lab: lab.wan.ns.ip("link set wh4 mtu 1500"), slow=True),
    # leftovers
    Case("Rancher's chains", "leftovers.others", "warning", "chain CATTLE_FORWARD",
         do=("iptables -N CATTLE_FORWARD",), undo=FLUSH),
    Case("Rancher's VXLAN", "leftovers.others", "warning", "interface vtep1042",
         do=("ip link add vtep1042 type vxlan id 1042 dstport 4789 dev eth0",),
         undo=("ip link del vtep1042",)),
    Case("Rancher's route", "leftovers.others", "warning", "route 169.254.169.250/32 dev docker0",
         do=("ip link add docker0 type bridge; ip link set docker0 up; "
             "ip route add 169.254.169.250/32 dev docker0",), undo=("ip link del docker0",)),
    Case("flannel", "leftovers.others", "warning", "flannel left something: interface flannel.1",
         do=("ip link add flannel.1 type vxlan id 1 dstport 8472 dev eth0",),
         undo=("ip link del flannel.1",)),
    Case("flannel's file", "leftovers.others", "warning", "file /run/flannel/subnet.env",
         mounts=("mount -t tmpfs none /run", "mkdir /run/flannel",
                 "touch /run/flannel/subnet.env")),
    Case("Weave", "leftovers.others", "warning", "Weave left something: interface weave",
         do=("ip link add weave type bridge",), undo=("ip link del weave",)),
    Case("another sennit's interface", "leftovers.own", "warning",
         r"interface snbr7 is of another mesh \(sennit:other:bridge\)",
         do=("ip link add snbr7 type bridge; ip link set snbr7 alias sennit:other:bridge",),
         undo=("ip link del snbr7",), also=("objects",)),
    Case("another sennit's route", "leftovers.own", "warning",
         "1 route of a sennit with another overlay: 10.99.1.0/24",
         do=("ip route add 10.99.1.0/24 via 192.0.2.254 proto 83",),
         undo=("ip route del 10.99.1.0/24",), also=("objects",)),
    Case("IPsec policies of others", "leftovers.xfrm", "fault", "IPsec policy of others touches",
         do=("ip xfrm policy add src 10.42.1.0/24 dst 10.42.0.0/16 dir out tmpl src 192.0.2.14 "
             "dst 192.0.2.11 proto esp reqid 1234 mode tunnel",),
         undo=("ip xfrm policy flush",), next="Rancher's router"),
    # peers
    Case("a peer's UDP 4500", "peers", "warning", r"peer h2 \(192.0.2.12\), UDP 4500: ",
         wan=lambda lab: lab.wan.block_udp("h2", 4500),
         unwan=lambda lab: lab.wan.unblock_udp("h2", 4500), slow=True),
    Case("a peer that is off", "peers", "warning", r"peer h3 \(192.0.2.13\), UDP 500 and 4500: ",
         wan=lambda lab: lab.wan.cut("h3"), unwan=lambda lab: lab.wan.heal("h3"), slow=True),
    Case("no way to a peer", "peers", "fault", "there is no way to peer h2",
         do=("ip route add unreachable 192.0.2.12/32",), undo=("ip route del 192.0.2.12/32",)),
    Case("nobody answers", "peers", "fault", "none of the 3 peers answers",
         wan=lambda lab: lab.wan.block_udp("h4", 500, 4500),
         unwan=lambda lab: lab.wan.unblock_udp("h4", 500, 4500), slow=True),
    # last, on a host that nothing else needs: what is tracked stays for half a minute
    Case("a full table of connections", "sysctl.conntrack", "warning", "connections is nearly full",
         do=("nft 'table ip tracked { chain c { type filter hook output priority 0; "
             "ct state new accept; }; }'",
             "python3 -c '\nimport socket, sys\n"
             "most = int(open(\"/proc/sys/net/netfilter/nf_conntrack_max\").read())\n"
             "out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
             "for n in range(most * 95 // 100):\n"
             "    out.sendto(b\"\", (f\"127.0.{n >> 15}.1\", 1 + (n & 32767)))\n'"),
         host="h5", undo=("nft delete table ip tracked",), also=ANY, slow=True),
]
