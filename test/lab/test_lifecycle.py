# SPDX-License-Identifier: GPL-2.0-or-later
"""Start, down, up again, cleanup: nothing is left, and nothing of others is touched."""

from collections.abc import Iterator

import pytest

from conftest import judged
from sennitlab import Lab, programs
from sennitlab.kernel import bridge_of, differences, own_routes, own_tables, snapshot


@pytest.fixture
def lab(built: programs.Programs) -> Iterator[Lab]:
    with judged(Lab(hosts=2, containers=1)) as made:
        yield made


def test_a_life(lab: Lab) -> None:
    h1 = lab["h1"]
    before = snapshot(h1.ns)
    lab.start()
    c1, c2 = lab.c("c1"), lab.c("c2")
    c1.wait_ping(c2)
    lab.wait(lambda: h1.plan() == [], 5, "the second plan is empty")

    # down: no tunnel, but the guard
    h1.cli("down")
    lab.wait(lambda: not h1.sas() and not h1.states(), 10, "no tunnel and no peer is left")
    assert own_tables(h1), "the guard stays"
    assert "unreachable 10.42.0.0/16" in h1.ns.run("ip", "route", "show").stdout
    with lab.flows(rate=50) as flows:
        flows.wait_sent(50, 10)
        report = flows.stop()
    assert len(report.lost()) == report.count()
    assert not lab.capture.clear_packets() and not lab.capture.plaintext()

    # up again; a restart in between changes nothing of it
    h1.kill()
    h1.start()
    h1.wait_answers()
    assert h1.status()["mode"] == "down" and not h1.sas()
    h1.cli("up")
    lab.wait_all_up(30)
    c1.wait_ping(c2)

    # cleanup: says what it would do, refuses with containers, then leaves nothing
    stands = snapshot(h1.ns)
    said = h1.cli("cleanup", "--dry-run", check=False).stdout
    for word in (bridge_of(h1), "table", "10.42.0.0/16"):
        assert word in said, said
    assert not differences(stands, snapshot(h1.ns)), "--dry-run changed something"
    assert h1.cli("cleanup", check=False).returncode != 0, "a running daemon would put it back"
    h1.stop()
    refused = h1.cli("cleanup", check=False)
    assert refused.returncode != 0 and "attach" in refused.stderr, refused
    assert c1.addresses()
    h1.cli("cleanup", "--force")
    assert not c1.addresses()
    lab.wait(lambda: h1.charon_pid() is None, 15, "charon ended")
    left = differences(before, snapshot(h1.ns))
    assert not left, "\n".join(left)
    again = h1.cli("cleanup", "--dry-run").stdout
    assert "table" not in again and "link" not in again, "a second cleanup has nothing to do"


def test_cleanup_by_force_and_without_a_daemon(lab: Lab) -> None:
    h1 = lab["h1"]
    before = snapshot(h1.ns)
    lab.start()
    h1.kill()
    h1.cli("cleanup", "--force")
    lab.wait(lambda: h1.charon_pid() is None, 10, "charon ended")
    left = differences(before, snapshot(h1.ns))
    assert not left, "\n".join(left)
    assert not lab.c("c1").addresses()


def test_guard_first(lab: Lab) -> None:
    """A host that knows its mesh has the guard before a tunnel can be, as after a boot: the
    kernel is empty, the network is not there, only the store is."""
    lab.start(attach=False)
    h1 = lab["h1"]
    h1.end()
    for family, name in own_tables(h1):
        h1.ns.nft(f"delete table {family} {name}\n")
    h1.ns.ip(f"link del dev {bridge_of(h1)}", *(f"route del {route}" for route in own_routes(h1)
                                                if route.startswith("unreachable")))
    assert not own_tables(h1) and not own_routes(h1)
    lab.wan.cut("h1")
    h1.start()
    lab.wait(lambda: own_tables(h1), 5, "the guard, from the stored snapshot")
    lab.wan.heal("h1")
    lab.wait_all_up(30)


def test_a_second_daemon_on_the_same_state_is_refused(lab: Lab) -> None:
    lab.start(attach=False)
    h1 = lab["h1"]
    done = h1.ns.run(str(lab.programs.sennitd), "--config", str(h1.config), check=False, limit=15)
    assert done.returncode != 0
    assert h1.answers() and lab.everybody_up()
