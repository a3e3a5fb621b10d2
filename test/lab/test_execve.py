# SPDX-License-Identifier: GPL-2.0-or-later
"""sennitd runs no program but charon, in all that it does in a lab (strace sees every execve)."""

import os
import re
import signal

from sennitlab import Lab

LAB = {"trace": True}
EXECUTED = re.compile(r'execve(?:at)?\((?:\w+, )?"([^"]*)"')


def test_nothing_but_charon_is_executed(lab: Lab) -> None:
    h1, h2 = lab["h1"], lab["h2"]
    # work of every kind: restarts, a dead charon, containers, a removal, repair, the end
    h1.kill()
    h1.start()
    lab.wait_all_up(30)
    charon = h2.charon_pid()
    assert charon
    os.kill(charon, signal.SIGKILL)
    lab.wait(lambda: h2.charon_pid() not in (None, charon), 15, "a new charon")
    lab.wait_all_up(30)
    entry = lab.mesh.remove("h3")
    lab.wait(lambda: "h3" not in h1.states(), 10, "h3 is no peer")
    lab.mesh.put_back(entry)
    lab.wait_all_up(30)
    h1.ns.nft("delete table inet sennit\n")
    lab.c("c2").detach()
    lab.c("c2").attach()
    h1.cli("down")
    lab.wait(lambda: not h1.sas(), 15, "no tunnel is left")
    executed = {os.path.basename(name)
                for host in lab.hosts.values() for trace in host.traces
                for name in EXECUTED.findall(trace.read_text(errors="replace"))}
    assert executed == {"sennitd", "charon-systemd"}
