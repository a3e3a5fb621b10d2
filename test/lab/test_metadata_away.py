# SPDX-License-Identifier: GPL-2.0-or-later
"""It never prunes on ignorance (promise 5): away, empty, torn, wrong, too new."""

import json
import os

import pytest

from sennitlab import Lab


def test_a_start_without_the_service_uses_the_store(lab: Lab) -> None:
    assert lab.metadata
    lab.metadata.stop()
    try:
        for name in ("h1", "h2"):
            lab[name].end()
        for name in ("h1", "h2"):
            lab[name].start()
        lab.wait_all_up(20)
        lab.c("c1").wait_ping(lab.c("c3"))
        status = lab.wait(lambda: (s := lab["h1"].status())["metadata"].get("error") and s, 10,
                          "the status says that the service is away")
        assert lab["h1"].is_well()
        assert status["metadata"]["from_store"] is True
        assert status["metadata"]["stored_s"] > 0
        assert "from the copy stored " in lab["h1"].cli("status").stdout
    finally:
        lab.metadata.start()
    lab.wait(lambda: not lab["h1"].status()["metadata"].get("error"), 30, "the service is back")


def test_a_host_without_a_store_waits_for_the_service(lab: Lab) -> None:
    assert lab.metadata
    host = lab["h3"]
    for c in lab.of_host("h3"):
        c.detach()
    host.end()
    host.cli("cleanup", "--force", check=False)
    assert not host.state_dir.exists()
    lab.metadata.stop()
    host.start()
    host.wait_answers()
    assert host.http("/readyz")[0] == 503
    assert host.http("/ping")[0] == 200
    lab.metadata.start()
    lab.wait_all_up(40)
    assert host.http("/readyz")[0] == 200
    for c in lab.of_host("h3"):
        c.attach()
        lab.c("c1").wait_ping(c)


WRONG = {
    "empty": "",
    "torn": '{"mesh": "m", "hosts": [ {"id"',
    "no hosts": json.dumps({"mesh": "m", "overlay": "10.42.0.0/16", "hosts": []}),
    "no JSON": "<html>bad gateway</html>",
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_document_changes_nothing(lab: Lab, kind: str) -> None:
    path = lab.mesh.path
    with lab.watch() as watch, lab.flows(lab.pairs(across=True), rate=50) as flows:
        flows.wait_all_arrive(5)
        new = path.with_suffix(".wrong")
        new.write_text(WRONG[kind])
        os.replace(new, path)
        flows.wait_sent(150, 20)
        lab.mesh.write()
        report = flows.stop()
    assert not watch.changes, [str(c) for c in watch.changes]
    assert not report.lost(), report.table()


def test_one_wrong_host_is_refused_alone(lab: Lab) -> None:
    """Its last good form stays; status names the place."""
    good = lab.mesh.hosts["h3"]["prefixes"]
    lab.mesh.set("h3", prefixes=["172.16.0.0/12"])
    try:
        refused, = lab.wait(lambda: lab["h1"].status()["refused"], 10, "h1 says what it refused")
        assert refused["place"].startswith("/hosts/") and "172.16.0.0/12" in refused["text"]
        assert lab["h1"].states()["h3"] == "up"
        lab.c("c1").wait_ping(lab.of_host("h3")[0])
    finally:
        lab.mesh.set("h3", prefixes=good)
    lab.wait(lambda: not lab["h1"].status()["refused"], 10, "all is well again")


def test_another_mesh_is_refused_also_after_a_restart(lab: Lab) -> None:
    """Only a person says that a host is another one; a restart alone would not help."""
    mesh_id = lab.mesh.id
    lab.mesh.id = "another"
    try:
        lab.mesh.write()
        lab["h1"].end()
        lab["h1"].start()
        lab["h1"].wait_answers()
        error = lab.wait(lambda: lab["h1"].status()["metadata"].get("error"), 15,
                         "h1 says that the metadata speak of another mesh")
        assert "of mesh another" in error
        next_steps = [p["next"] for p in lab["h1"].status()["problems"]
                      if p["what"] == "identity-changed"]
        assert len(next_steps) == 1 and "sennit accept-identity" in next_steps[0]
        lab.c("c1").wait_ping(lab.c("c3"))
    finally:
        lab.mesh.id = mesh_id
        lab.mesh.write()
    lab.wait(lambda: not lab["h1"].status()["metadata"].get("error"), 15, "all is well again")
