# SPDX-License-Identifier: GPL-2.0-or-later
"""The operator's everyday story: a host dies and is added again. With cleanup before or
without, as who it was or as somebody else, it is up at once, and nothing of before is left on
any host."""

import itertools
import json
import re
import signal
import time
from typing import Any


from sennitlab import Lab, bound, proc
from sennitlab.host import Host, troubles
from sennitlab.kernel import own_addresses, own_links, own_routes, own_tables
from sennitlab.sas import same_tunnel, sas_of
from sennitlab.wan import host_address, mac_of

LAB = {"hosts": 3, "containers": 1}
# Seconds, from the start of the daemon until every host says so of every other. A host that is
# back before the others have noticed has to wait for their dead peer detection.
UP_WITHIN, UP_WITHIN_UNNOTICED = bound(5.0), bound(15.0)
CHANGES = ("nothing", "id", "name", "address", "machine")
# Which of the combinations of a change and with or without cleanup; a round takes some 10 s.
ROUNDS, ROUNDS_LONG = (3, 6), range(20)


def told(lab: Lab, text: str) -> str:
    """Whatever a host is called and wherever it is, it is the same one to us."""
    for number, host in enumerate(lab.hosts.values(), 1):
        text = re.sub(rf"(?<![\w.-]){re.escape(host.id)}(?![\w.])", f"HOST{number}", text)
        text = text.replace(f"sennit-{host.id}", f"sennit-HOST{number}")
        text = re.sub(rf"(?<![\d.]){host.address}(?!\d)", f"ADDRESS{number}", text)
    # names that content gives: of a connection's child, of a MAC, of a veth
    return re.sub(r"net-[0-9a-f]{16}|snv[0-9a-f]+|attachment:[0-9a-f]{16}", "NAME", text)


def objects(lab: Lab, host: Host) -> str:
    """All that Sennit has on a host, in the kernel and in charon."""
    with host.vici() as vici:
        conns, keys, sas = vici.list_conns(), vici.shared_keys(), vici.list_sas()
    found: dict[str, Any] = {
        "links": sorted(map(str, own_links(host).values())), "routes": own_routes(host),
        "tables": {str(k): v for k, v in own_tables(host).items()},
        "addresses": own_addresses(host),
        "rules": host.ns.run("ip", "rule").stdout + host.ns.run("ip", "-6", "rule").stdout,
        "peers": sorted(f"{p['id']} {p['state']}" for p in host.status()["peers"]),
        "problems": sorted(troubles(host.status())),
        "conns": sorted(f"{name} {conn['local_addrs']} {conn['remote_addrs']}"
                        for name, conn in conns.items()),
        "keys": sorted(keys),
        "sas": sorted(f"{sa['name']} {sa['state']} {len(sa.get('child-sas', {}))}" for sa in sas),
        "charons": len([p for p in proc.in_namespaces({host.ns.inode})
                        if b"charon" in proc.cmdline(p)]),
    }
    text = json.dumps(found, indent=1)
    # numbers are the hosts', and another id is another host
    for name, link in own_links(host).items():
        if ":peer:" in link["ifalias"]:
            text = re.sub(rf"\b{name}\b", "TO:" + link["ifalias"].rpartition(":")[2], text)
    text = told(lab, text)
    return "\n".join(sorted(text.splitlines()))


def die(host: Host) -> None:
    """As by a power cut: nothing says good-bye."""
    charon = host.charon_pid()
    host.signal(signal.SIGSTOP)
    if charon:
        proc.send(charon, signal.SIGKILL)
    host.kill()


def move(lab: Lab, host: Host, number: int) -> None:
    """Another underlay address, and the hardware address that the lab gives it."""
    old, host.address = host.address, host_address(number)
    host.ns.ip(f"addr del {old}/24 dev eth0", "link set dev eth0 down",
               f"link set dev eth0 address {mac_of(host.address)}",
               f"addr add {host.address}/24 dev eth0", "link set dev eth0 up",
               "route add default via 192.0.2.1")


def add_again(lab: Lab, host: Host, change: str, number: int, cleaned: bool) -> bool:
    """The new entry, and what the operator does on the host; true when he has to accept it."""
    old = host.id
    lab.mesh.hosts.pop(old)
    if change == "id":
        host.id = f"h3-{number}"
        lab.hosts = {host.id if name == old else name: h for name, h in lab.hosts.items()}
    elif change == "address":
        move(lab, host, 100 + number)
    elif change == "machine" and not cleaned:
        path = host.state_dir / "identity.json"
        identity = json.loads(path.read_text())
        path.write_text(json.dumps({**identity, "machine": f"{number:032x}"}))
    lab.configure(host)
    lab.mesh.add(host.id, host.address, host.prefix,
                 name=f"renamed-{number}" if change == "name" else f"node-{old}")
    return not cleaned and (change == "id" or (change == "machine" and bool(identity["machine"])))


def accept(lab: Lab, host: Host) -> None:
    """What `identity-changed` in the status asks for; systemd then starts the daemon anew."""
    host.wait_answers()
    lab.wait(lambda: "identity-changed" in [p["what"] for p in host.status()["problems"]], 10,
             "it asks who it is")
    if "end" in host.cli("accept-identity").stdout:
        host.wait_gone()
        host.start()


def all_settled(lab: Lab) -> bool:
    """Each pair has exactly one tunnel, and both ends mean the same one."""
    hosts = list(lab.hosts.values())
    try:
        return all(same_tunnel(a, b) for a, b in itertools.combinations(hosts, 2)) and \
            all(len(h.sas()) == len(hosts) - 1 for h in hosts) and \
            all(not h.plan() for h in hosts)
    except (ValueError, OSError):
        return False


def is_noticed(lab: Lab, dead: Host) -> bool:
    """Nobody holds a tunnel to it any more."""
    return all(not any(sa["state"] == "ESTABLISHED" for sa in sas_of(host, dead.id))
               for host in lab.hosts.values() if host is not dead)


def one_round(lab: Lab, number: int) -> float:
    """Returns the seconds until all were up."""
    change, cleaned = CHANGES[number % len(CHANGES)], number // len(CHANGES) % 2 == 1
    host = list(lab.hosts.values())[2]
    sudden = change == "nothing"  # a reboot faster than anybody looks
    die(host)
    if not sudden:
        lab.wait(lambda: is_noticed(lab, host), 20, "the others have noticed")
    if cleaned:
        host.cli("cleanup", "--force")
        assert "nothing of sennit" in host.cli("cleanup").stdout
    asks = add_again(lab, host, change, number, cleaned)
    begin = time.monotonic()
    host.start()
    if asks:
        accept(lab, host)
    lab.wait_all_up(30)
    took = time.monotonic() - begin
    print(f"round {number}: new {change}, {'after' if cleaned else 'without'} cleanup: "
          f"up {took:.2f} s after its start{', accepted by hand' if asks else ''}"
          f"{', unnoticed before' if sudden else ''}")
    limit = UP_WITHIN_UNNOTICED if sudden else UP_WITHIN
    assert took <= limit, f"round {number}: up after {took:.2f} s"
    for container in lab.of_host(host.id):
        container.attach()
    lab.wait(lambda: all_settled(lab), 10, "one tunnel a pair, and nothing to do")
    for container in lab.of_host(host.id):
        lab.c("c1").wait_ping(container)
        container.wait_ping(lab.c("c2"))
    return took


def test_killed_and_added_again(lab: Lab, long: bool) -> None:
    lab.wait(lambda: all_settled(lab), 10, "one tunnel a pair, and nothing to do")
    fresh = [objects(lab, host) for host in lab.hosts.values()]
    times = []
    for number in ROUNDS_LONG if long else ROUNDS:
        times.append(one_round(lab, number))
        for host, expected in zip(lab.hosts.values(), fresh, strict=True):
            now = objects(lab, host)
            left = [f"new  {line}" for line in now.splitlines() if line not in expected] + \
                [f"gone {line}" for line in expected.splitlines() if line not in now]
            assert not left, f"round {number}, {host.id}:\n" + "\n".join(left)
    print(f"up after {min(times):.2f} to {max(times):.2f} s, mean {sum(times) / len(times):.2f} s")
