# SPDX-License-Identifier: GPL-2.0-or-later
"""sennitd and charon as two units: here the test is systemd (conf/systemd/)."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import end_and_judge
from sennitlab import Lab, programs
from sennitlab.host import Host
from sennitlab.lab import DATAPLANE
from sennitlab.manager import Manager, start_managed

RATE = 100


@pytest.fixture(scope="module")
def lab(built: programs.Programs) -> Iterator[Lab]:
    made = Lab(hosts=2, containers=1, settings={"ike": {"start": False}})
    managers: dict[str, Manager] = {}
    try:
        managers.update(start_managed(made))
        made.managers = managers  # type: ignore[attr-defined]
        yield made
        for manager in managers.values():
            manager.end_charon(signal.SIGTERM)
        end_and_judge(made)
    finally:
        for manager in managers.values():
            manager.close()
        made.close()


def manager_of(lab: Lab, name: str) -> Manager:
    return lab.managers[name]  # type: ignore[attr-defined]


def test_sennitd_starts_none_of_its_own(lab: Lab) -> None:
    for name, host in lab.hosts.items():
        charon = manager_of(lab, name).charon
        assert charon and host.charon_pid() == charon.pid == host.status()["charon"]["pid"]


def test_the_manager_hears_of_life(lab: Lab) -> None:
    manager = manager_of(lab, "h1")
    assert manager.hear("WATCHDOG=1") == "WATCHDOG=1"
    lab["h1"].signal(signal.SIGHUP)
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", manager.hear("RELOADING"))
    assert manager.hear("READY") == "READY=1"


def test_the_status_line_tells_the_peers(lab: Lab) -> None:
    manager = manager_of(lab, "h1")
    lab["h1"].kill()
    lab["h1"].start()
    lab.wait_all_up()
    while "1 of 1 peers up" not in manager.hear("STATUS="):
        pass


@pytest.mark.skipif(DATAPLANE != "libipsec", reason="of what only libipsec refuses")
def test_the_manager_hears_of_life_after_a_refusal(lab: Lab) -> None:
    host, manager = lab["h1"], manager_of(lab, "h1")

    def refused() -> bool:
        return "refused" in [p["what"] for p in host.status()["problems"]]
    good, settings = lab.mesh.hosts["h1"]["prefixes"], host.settings
    lab.configure(host, {**settings, "metadata": {"url": f"file://{lab.mesh.path}"}})
    host.cli("reload")
    # libipsec cannot carry a host without a subnet
    for _ in range(2):
        lab.mesh.set("h1", prefixes=["10.42.1.1/32"])
        lab.wait(refused, 10, "it is refused")
        lab.mesh.set("h1", prefixes=good)
        lab.wait(lambda: not refused(), 10, "all is well again")
    lab.configure(host, settings)
    host.cli("reload")
    manager.forget()
    manager.hear("WATCHDOG=1")
    lab.wait_all_up(30)


@pytest.mark.parametrize("end", [Host.stop, Host.kill, Host.kill_session])
def test_a_restart_of_sennitd_loses_nothing(lab: Lab, end) -> None:
    host, manager = lab["h1"], manager_of(lab, "h1")
    charon = host.charon_pid()
    with lab.flows(lab.pairs_of_hosts(), rate=RATE, echo=True) as flows:
        flows.wait_all_arrive(5)
        end(host)
        if end is Host.stop:
            manager.hear("STOPPING=1")
        flows.wait_sent(RATE // 2, 20)
        host.start()
        manager.hear("READY=1")
        host.wait_answers()
        lab.wait_all_up()
        report = flows.stop()
    assert not report.lost(), report.table()
    assert host.charon_pid() == charon
    assert host.plan() == []


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_of_charon_is_noticed_and_joined(lab: Lab, sig: signal.Signals) -> None:
    host, manager = lab["h2"], manager_of(lab, "h2")
    sennitd, boot = host.pid, host.status()["charon"]["boot_id"]
    manager.end_charon(sig)
    lab.wait(lambda: not host.status()["charon"]["online"], 5, "h2 notices")
    manager.start_charon()
    lab.wait(lambda: host.status()["charon"]["online"], 5, "h2 adopts the new one")
    lab.wait_all_up(30)
    assert host.pid == sennitd
    assert host.status()["charon"]["boot_id"] != boot
    lab.c("c2").wait_ping(lab.c("c1"))


def test_cleanup_takes_the_settings_first(lab: Lab) -> None:
    """Without them systemd does not start charon anew (ConditionPathExists)."""
    said = lab["h1"].cli("cleanup", "--dry-run").stdout
    assert str(Path(lab["h1"].run_dir) / "strongswan.conf") in said
    assert os.path.exists(lab["h1"].run_dir / "strongswan.conf")
