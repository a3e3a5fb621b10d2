# SPDX-License-Identifier: GPL-2.0-or-later
"""In user space the selectors are the hosts' subnets, and nobody gets others."""

import signal

from sennitlab import Lab


def test_a_peer_gets_no_wider_selectors_than_its_own(lab: Lab) -> None:
    """h2's charon asks h1 for the whole overlay: h1 gives it what is h2's."""
    h2 = lab["h2"]
    with h2.vici() as vici:
        conns = vici.list_conns()["sennit-h1"]
        h2.signal(signal.SIGSTOP)  # or it would put all right at once
        try:
            child = next(iter(conns["children"]))
            vici.terminate(ike="sennit-h1")
            greedy = {"version": 2, "local_addrs": [str(h2.address)],
                      "remote_addrs": [str(lab["h1"].address)], "encap": True,
                      "remote_port": 4500, "local_port": 4500,
                      "local-1": {"auth": "psk", "id": "keyid:h2"},
                      "remote-1": {"auth": "psk", "id": "keyid:h1"},
                      "children": {child: {"local_ts": ["10.42.0.0/16"],
                                           "remote_ts": ["10.42.0.0/16"]}}}
            vici.request("load-conn", {"greedy": greedy})
            vici.request("initiate", {"ike": "greedy", "child": child, "timeout": 3000})
            for sa in lab["h1"].sas():
                for c in sa.get("child-sas", {}).values():
                    assert c["remote-ts"] in (["10.42.2.0/24"], ["10.42.3.0/24"]), c
                    assert c["local-ts"] == ["10.42.1.0/24"], c
        finally:
            vici.request("unload-conn", {"name": "greedy"})
            vici.terminate(ike="greedy")
            h2.signal(signal.SIGCONT)
    lab.wait_all_up(30)
