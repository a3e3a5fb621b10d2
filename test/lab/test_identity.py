# SPDX-License-Identifier: GPL-2.0-or-later
"""Who a host is does not change by itself (design §9)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import judged
from sennitlab import Lab, programs
from sennitlab.ctl import Refused
from sennitlab.host import Host
from sennitlab.kernel import own_tables


@pytest.fixture
def lab(built: programs.Programs) -> Iterator[Lab]:
    with judged(Lab(hosts=2, containers=1)) as made:
        made.start()
        yield made


def identity(host: Host) -> dict[str, Any]:
    return json.loads((host.state_dir / "identity.json").read_text())


def problem(host: Host) -> str | None:
    found = [p["text"] for p in host.status()["problems"] if p["what"] == "identity-changed"]
    return found[0] if found else None


def rename(lab: Lab, old: str, new: str) -> None:
    """The host at this address is another one in the metadata, in one step."""
    entry = lab.mesh.hosts.pop(old)
    lab.mesh.put_back({**entry, "id": new})


def has_guard_alone(host: Host) -> bool:
    return bool(own_tables(host)) and not host.sas() and not host.states()


def test_it_is_remembered(lab: Lab) -> None:
    h1 = lab["h1"]
    assert identity(h1)["host"] == "h1" and identity(h1)["mesh"] == lab.mesh.id
    assert problem(h1) is None
    with pytest.raises(Refused, match="nothing is to be accepted"):
        h1.ask("accept-identity")


def test_a_copied_disk_builds_no_tunnel_until_it_is_accepted(lab: Lab) -> None:
    h1 = lab["h1"]
    h1.stop()
    ours = identity(h1)
    (h1.state_dir / "identity.json").write_text(json.dumps({**ours, "machine": "0" * 32}))
    h1.start()
    h1.wait_answers()
    if not ours["machine"]:
        # a machine without a machine-id(5), as some containers are, is not compared
        lab.wait_all_up(30)
        assert problem(h1) is None
        return
    lab.wait(lambda: has_guard_alone(h1), 15, "the guard stands, and no tunnel")
    assert "another machine" in (problem(h1) or "") and "h1" in (problem(h1) or "")
    assert h1.http("/healthz")[0] == 503
    assert "accept-identity" in h1.log.read_text()
    # not even a restart gives in
    h1.stop()
    h1.start()
    h1.wait_answers()
    lab.wait(lambda: problem(h1), 5, "it asks again")
    assert has_guard_alone(h1)
    assert "accepted" in h1.cli("accept-identity").stdout
    lab.wait_all_up(30)
    assert identity(h1) == ours and problem(h1) is None
    lab.c("c1").wait_ping(lab.c("c2"))


def test_another_id_in_the_configuration_is_asked_about(lab: Lab) -> None:
    h1 = lab["h1"]
    h1.stop()
    lab.configure(h1, {"host": {"id": "h9"}})
    rename(lab, "h1", "h9")
    h1.start()
    h1.wait_answers()
    lab.wait(lambda: has_guard_alone(h1), 15, "the guard stands, and no tunnel")
    assert "the configuration says that this is host h9" in (problem(h1) or "")
    accept_and_start(lab, h1)


def test_another_self_in_the_metadata_is_hearsay(lab: Lab) -> None:
    h1 = lab["h1"]
    lab.configure(lab["h2"])
    lab.metadata.stop()  # h2 does not hear of it
    lab["h2"].stop()
    lab["h2"].start()
    lab["h2"].wait_answers()
    rename(lab, "h1", "h9")
    h1.configure({**h1.settings, "metadata": {"url": f"file://{lab.mesh.path}"}})
    h1.cli("reload")
    lab.wait(lambda: problem(h1), 10, "it asks")
    assert "the metadata say that this is host h9" in (problem(h1) or "")
    lab.wait_all_up()
    lab.c("c1").wait_ping(lab.c("c2"))
    # and it is over when the metadata come to their senses
    rename(lab, "h9", "h1")
    lab.wait(lambda: not problem(h1), 10, "nothing is in question")
    rename(lab, "h1", "h9")
    lab.wait(lambda: problem(h1), 10, "it asks again")
    lab.metadata.start()
    accept_and_start(lab, h1)


def accept_and_start(lab: Lab, host: Host) -> None:
    """What systemd does (Restart=always) is done here."""
    assert "end" in host.cli("accept-identity").stdout
    assert host.wait_gone() == 0
    assert not host.charon_pid()
    host.start()
    host.wait_answers()
    lab.wait(lambda: host.states().get("h2") == "up" and lab["h2"].states().get("h9") == "up",
             30, "the host is h9 now")
    assert identity(host)["host"] == "h9" and problem(host) is None
