# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel carries ESP also without charon; what a dead charon left makes place for the new."""

import os
import signal
import time

from sennitlab import Lab
from sennitlab.host import Host
from sennitlab.kernel import xfrm_policies, xfrm_spis
from sennitlab.sas import tunnel_of

LAB = {"containers": 1, "settings": {"ike": {"encap": False}}}


def counts(host: Host) -> tuple[int, int]:
    """SAs, and policies with a number, in the kernel."""
    return len(xfrm_spis(host)), xfrm_policies(host)


def test_plain_esp_goes_on_while_charon_is_away(lab: Lab) -> None:
    host = lab["h1"]
    before, pid = xfrm_spis(host), host.charon_pid()
    assert pid
    with lab.flows(lab.pairs_of_hosts(), rate=100) as flows:
        flows.wait_all_arrive(5)
        host.signal(signal.SIGSTOP)  # or there would be a new one at once
        os.kill(pid, signal.SIGKILL)
        flows.wait_sent(100, 20)
        back = time.monotonic()
        host.signal(signal.SIGCONT)
        lab.wait(lambda: not before & xfrm_spis(host), 30, "the old SAs are gone")
        lab.wait_all_up(30)
        report = flows.stop()
    assert lab.capture.classes()["esp"]
    assert not report.lost(until=back), report.table()
    # what is sent by the new SAs before the other end has them, which takes how long it takes
    print(f"lost between old and new SAs: {len(report.lost())} of {report.count()} packets")
    assert counts(host) == (4, 6)
    for peer in ("h2", "h3"):
        assert {tunnel_of(host, peer).spi_in, tunnel_of(host, peer).spi_out} <= xfrm_spis(host)


def test_what_it_left_of_a_host_that_went_is_taken_away(lab: Lab) -> None:
    """Nobody else knows these SAs, and their number must not lead another peer's packets."""
    host = lab["h1"]
    pid = host.charon_pid()
    assert pid
    host.signal(signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    host.kill()
    assert counts(host) == (4, 6)
    entry = lab.mesh.remove("h3")
    host.start()
    lab.wait(lambda: counts(host) == (2, 3), 30, "h3 has neither SA nor policy")
    lab.mesh.put_back(entry)
    lab.wait_all_up(30)
    lab.wait(lambda: counts(host) == (4, 6), 30, "each pair has its own SAs and policies")
