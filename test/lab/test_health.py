# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that dies silently in the middle of the underlay is named by the others, and only it."""

import os
import signal
import time

from sennitlab import Lab, bound, secret
from sennitlab.lab import DATAPLANE

DOWN_BOUND = bound(2.0)  # design §8
UP_BOUND = 15.0


def trial(lab: Lab, victim: str) -> tuple[float, float]:
    """Seconds to `down` on the slowest of the others, and from heal to all up."""
    others = [name for name in lab.hosts if name != victim]
    with lab.watch() as watch, lab.flows(lab.pairs(without=[victim]), rate=50) as flows:
        cut = time.monotonic()
        lab.wan.cut(victim)
        try:
            lab.wait(lambda: all(watch.of(o, victim, "down") for o in others), 10,
                     f"{others} say {victim} is down")
            down = max(watch.of(o, victim, "down")[0].time for o in others) - cut
            for name in others:
                assert lab[name].is_well(), "one sick peer is one sick peer"
                assert lab[name].peers()[victim]["evidence"]
        finally:
            heal = time.monotonic()
            lab.wan.heal(victim)
        lab.wait_all_up(UP_BOUND)
        up = time.monotonic() - heal
        flows.wait_all_arrive(5)
        report = flows.stop()
    # what the victim itself says of the others is its own affair
    colour = [str(c) for c in watch.of() if c.host != victim and c.what != victim]
    assert not colour, colour
    assert not report.lost(), (f"pairs without {victim} lost {[str(x) for x in report.lost()]}\n"
                               f"{report.table()}")
    return down, up


def test_a_silent_death_is_seen_within_two_seconds(lab: Lab, long: bool) -> None:
    names = sorted(lab.hosts)
    times = [trial(lab, names[n % len(names)]) for n in range(20 if long else 3)]
    downs, ups = zip(*times)
    print(f"{len(times)} trials: down after {max(downs):.2f} s at worst, up after {max(ups):.2f} s")
    assert max(downs) <= DOWN_BOUND, f"down after {downs}"


def test_the_isolated_host_does_not_call_itself_sick_for_its_peers(lab: Lab) -> None:
    """/healthz is about this host's own machinery, never about peers (design §9)."""
    lab.wan.cut("h1")
    try:
        lab.wait(lambda: set(lab["h1"].states().values()) == {"down"}, 10, "h1 sees nobody")
        assert lab["h1"].is_well()
    finally:
        lab.wan.heal("h1")
        lab.wait_all_up()


def test_one_broken_leg_is_one_broken_leg(lab: Lab) -> None:
    """Only h1 and h2 do not hear each other: h3 hears both and says so."""
    with lab.watch("h3") as watch:
        lab.wan.part("h1", "h2")
        try:
            lab.wait(lambda: lab["h1"].states()["h2"] == lab["h2"].states()["h1"] == "down", 10,
                     "both ends of the leg see it")
            assert lab["h1"].states()["h3"] == lab["h2"].states()["h3"] == "up"
        finally:
            lab.wan.join("h1", "h2")
            lab.wait_all_up()
    assert not watch.changes, [str(c) for c in watch.changes]


def test_an_ill_daemon_is_not_a_dead_path(lab: Lab) -> None:
    """SIGSTOP of a sennitd: the path still answers, so it is not `down`."""
    with lab.watch("h1", "h3") as watch:
        lab["h2"].signal(signal.SIGSTOP)
        try:
            lab.wait(lambda: watch.of("h1", "h2") and watch.of("h3", "h2"), 10,
                     "the others notice that h2's daemon is away")
            assert lab["h1"].peers()["h2"]["cause"] == "peer-daemon-away"
        finally:
            lab["h2"].signal(signal.SIGCONT)
        lab.wait_all_up()
    assert not watch.of(now="down"), [str(c) for c in watch.changes]


def test_our_own_stall_is_held_against_nobody(lab: Lab) -> None:
    """Cut off meanwhile, so that no heartbeat waits in a socket to excuse the peers."""
    h2 = lab["h2"]
    stalls = h2.status()["loop"]["stalls"]
    size = h2.log.stat().st_size
    lab.wan.cut("h2")
    h2.signal(signal.SIGSTOP)
    begin = time.monotonic()
    try:
        lab.wait(lambda: time.monotonic() - begin > 3, 5, "every deadline is over")
    finally:
        lab.wan.heal("h2")
        h2.signal(signal.SIGCONT)
    lab.wait_all_up()
    assert h2.status()["loop"]["stalls"] > stalls
    with h2.log.open() as log:
        log.seek(size)
        text = log.read()
    assert "this process stood still" in text
    told = [line for line in text.splitlines() if " peer h" in line and ", was " in line]
    assert not told, told


def test_a_charon_that_says_nothing_is_not_the_peers_fault(lab: Lab) -> None:
    """In user space it carries the packets: whom it keeps silent is not to blame. The kernel
    carries them without it, until the other end believes us dead."""
    pid = lab["h1"].charon_pid()
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        if DATAPLANE == "xfrm":
            lab.wait(lambda: lab["h1"].http("/healthz")[0] == 503, 15, "h1 misses its charon")
            causes = {peer["cause"] for peer in lab["h1"].peers().values()}
            assert causes <= {"none", "ike-restarting"}
        else:
            for peer in ("h2", "h3"):
                lab.wait(lambda: lab["h1"].peers()[peer]["cause"] == "ike-restarting", 5,
                         f"{peer} is not to blame")
    finally:
        os.kill(pid, signal.SIGCONT)
    lab.wait_all_up(20)


def test_a_wrong_secret_is_named(lab: Lab) -> None:
    """By both ends, and it is an affair of this pair only."""
    h3 = lab["h3"]
    other = lab.folder / "other-secret"
    secret.write(other, secret.generate())
    h3.end()
    lab.configure(h3, {"secret_file": str(other)})
    h3.start()
    try:
        for host, peer in (("h1", "h3"), ("h3", "h1")):
            lab.wait(lambda: lab[host].peers()[peer]["cause"] == "auth-failed", 20,
                     f"{host} names the cause")
            assert lab[host].states()[peer] == "down"
        assert lab["h1"].states()["h2"] == "up"
        assert lab["h1"].is_well()
    finally:
        h3.end()
        lab.configure(h3)
        h3.start()
        lab.wait_all_up(30)
