# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer keeps the number of its XFRM interface, whoever else comes and goes."""

import json

from sennitlab import Lab
from sennitlab.host import Host
from sennitlab.kernel import own_links
from sennitlab.wan import host_address

LAB = {"containers": 1}


def by_links(host: Host) -> dict[str, int]:
    """Peer: number, as the links' aliases tell."""
    return {str(link["ifalias"]).rsplit(":", 1)[1]: int(name.removeprefix("snx"))
            for name, link in own_links(host).items() if name.startswith("snx")}


def by_file(host: Host) -> dict[str, int]:
    return json.loads((host.state_dir / "if_ids.json").read_text())["peers"]


def indexes(host: Host) -> dict[str, int]:
    return {link["ifname"]: link["ifindex"] for link in host.ns.ip_json("link", "show")}


def test_numbers_are_kept_and_the_lowest_free_is_given(lab: Lab) -> None:
    host = lab["h1"]
    assert by_links(host) == {"h2": 1, "h3": 2}
    lab.wait(lambda: by_file(host) == {"h2": 1, "h3": 2}, 5, "the numbers are stored")
    before = indexes(host)
    with lab.flows(lab.pairs_of_hosts()) as flows:
        flows.wait_all_arrive(5)
        # would be the first of all, were they counted anew
        lab.mesh.add("a0", host_address(20), "10.42.20.0/24")
        lab.wait(lambda: by_links(host) == {"h2": 1, "h3": 2, "a0": 3}, 10, "a0 has a link")
        lab.wait(lambda: by_file(host) == {"h2": 1, "h3": 2, "a0": 3}, 5, "it is stored")
        host.kill()
        (host.state_dir / "if_ids.json").unlink()
        host.start()
        host.wait_answers()
        lab.wait(lambda: by_file(host) == {"h2": 1, "h3": 2, "a0": 3}, 10, "it is learned again")
        lab.wait(lambda: host.plan() == [], 10, "nothing is left to do")
        report = flows.stop()
    assert not report.lost(), report.table()
    assert {name: indexes(host)[name] for name in before} == before


def test_a_number_is_free_when_its_link_is_gone(lab: Lab) -> None:
    host = lab["h1"]
    lab.mesh.remove("a0")
    lab.wait(lambda: by_links(host) == {"h2": 1, "h3": 2}, 10, "a0 has no link")
    lab.wait(lambda: by_file(host) == {"h2": 1, "h3": 2}, 10, "a0 has no number")
    lab.mesh.add("h9", host_address(21), "10.42.21.0/24")
    lab.wait(lambda: by_links(host) == {"h2": 1, "h3": 2, "h9": 3}, 10, "h9 has a link")
    lab.mesh.remove("h9")
