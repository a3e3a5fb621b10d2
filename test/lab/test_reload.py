# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGHUP: what can change under a running daemon does, the rest is named, nothing is lost."""

import signal

import pytest

from sennitlab import Lab, secret
from sennitlab.ctl import Refused
from sennitlab.host import Host

LAB = {"containers": 1}
RATE = 100


def hang_up(lab: Lab, host: Host, say: str) -> None:
    """SIGHUP, and what the log says of it after that."""
    before = host.log.stat().st_size
    host.signal(signal.SIGHUP)

    def said() -> bool:
        return say in host.log.read_bytes()[before:].decode(errors="replace")
    lab.wait(said, 5, f"{host.id} says: {say}")


def give_own_file(lab: Lab, host: Host, *secrets: bytes) -> None:
    secret.write(host.folder / "secret", *secrets)
    lab.configure(host, {"secret_file": str(host.folder / "secret")})


def authenticate_anew(lab: Lab, host: str, peer: str) -> None:
    """The tunnel is ended and another one is built, with the keys of now."""
    def tunnel() -> str | None:
        found = lab[host].peers()[peer]["tunnel"]
        return found and found["spi_i"]
    before = tunnel()
    with lab[host].vici() as vici:
        vici.terminate(ike=f"sennit-{peer}")
    lab.wait(lambda: tunnel() not in (None, before), 30, f"a new tunnel of {host} and {peer}")
    lab.wait_all_up()


def test_a_secret_is_rotated_over_all_hosts_without_loss(lab: Lab) -> None:
    old, new = lab.secret, secret.generate()
    with lab.watch() as watch, \
            lab.flows(lab.pairs_of_hosts(), rate=RATE, echo=True) as flows:
        flows.wait_all_arrive(5)
        for step in ((old, new), (new, old), (new,)):
            for host in lab.hosts.values():
                give_own_file(lab, host, *step)
                hang_up(lab, host, f"secrets: changed, {len(step)} now")
                lab.wait(lambda: host.plan() == [], 5, "charon has the keys")
                flows.wait_sent(RATE // 4, 20)
        report = flows.stop()
    assert not report.lost(), report.table()
    assert not watch.of(now="down"), [str(c) for c in watch.changes]
    # what holds from now on is the new one alone
    authenticate_anew(lab, "h1", "h2")


def test_hosts_that_are_in_different_steps_find_each_other(lab: Lab) -> None:
    first, second = secret.generate(), secret.generate()
    for host in lab.hosts.values():
        order = (second, first) if host.id == "h2" else (first, second)
        give_own_file(lab, host, *order)
        hang_up(lab, host, "secrets: changed, 2 now")
        lab.wait(lambda: host.plan() == [], 5, "charon has the keys")
    for peer in ("h1", "h3"):
        authenticate_anew(lab, "h2", peer)


@pytest.mark.parametrize("text, place", [
    ("{", "line 1"),
    ('{"mtu": 1}', "/mtu: is 1"),
    ('{"secret_file": "/nowhere/secret"}', "/nowhere/secret: No such file"),
])
def test_a_wrong_file_changes_nothing_and_is_named(lab: Lab, text: str, place: str) -> None:
    host = lab["h1"]
    good = host.config.read_text()
    try:
        host.config.write_text(text)
        hang_up(lab, host, "not read again, what was there holds")
        assert place in host.log.read_text()
        with pytest.raises(Refused) as refused:
            host.ask("reload")
        assert place in str(refused.value)
    finally:
        host.config.write_text(good)
    assert lab.everybody_up() and host.plan() == []
    assert host.cli("reload").stdout == "nothing has changed\n"


def test_each_changed_key_holds_or_is_said_to_take_a_restart(lab: Lab) -> None:
    host, settings = lab["h1"], lab["h1"].settings
    lab.configure(host, {**settings, "log": {"level": "info"}, "ready": {"min_up": 3},
                         "masquerade": False, "mtu": 1300, "bridge": {"name": "sn9"},
                         "http": {"listen": ["127.0.0.1:8112"]}})
    said = host.cli("reload").stdout.splitlines()
    assert [line.split(":")[0] for line in said] == [
        "bridge.name", "mtu", "masquerade", "http.listen", "ready.min_up", "log.level"]
    assert [line.endswith("holds") for line in said] == [True, False, False, True, False, False]
    lab.wait(lambda: host.plan() == [], 5, "nothing is left to do")
    assert host.http("/readyz")[0] == 503
    assert '"mtu":1300' in host.ns.run("ip", "-j", "link", "show", "snbr0").stdout.replace(" ", "")
    lab.configure(host, settings)
    host.cli("reload")
    lab.wait(lambda: host.http("/readyz")[0] == 200, 5, "ready")
    lab.wait(lambda: host.plan() == [], 5, "nothing is left to do")
    lab.wait_all_up()


def test_the_metadata_are_read_elsewhere(lab: Lab) -> None:
    host = lab["h1"]
    settings = host.settings
    pid = host.pid
    lab.configure(host, {**settings, "metadata": {"url": f"file://{lab.mesh.path}"}})
    with lab.flows(lab.pairs_of_hosts(), rate=RATE, echo=True) as flows:
        flows.wait_all_arrive(5)
        assert "metadata.url: changed" in host.cli("reload").stdout
        lab.wait(lambda: host.status()["mesh"]["source"].startswith("file:"), 10, "the file is read")
        # and it is watched
        entry = lab.mesh.remove("h3")
        lab.wait(lambda: "h3" not in host.states(), 10, "h3 is no peer")
        lab.mesh.put_back(entry)
        report = flows.stop()
    lost = [loss for loss in report.lost() if "c3" not in loss.pair]
    assert not lost, report.table()
    lab.configure(host, settings)
    host.cli("reload")
    lab.wait(lambda: host.status()["mesh"]["source"].startswith("http:"), 10, "the service is read")
    lab.wait_all_up(30)
    assert host.pid == pid


def test_a_level_set_by_hand_outlives_a_reload_that_says_nothing_of_it(lab: Lab) -> None:
    host = lab["h1"]
    level = host.settings["log"]["level"]
    host.cli("log-level", "warning")
    assert host.cli("reload").stdout == "nothing has changed\n"
    assert "warning" in host.cli("log-level", level).stdout
