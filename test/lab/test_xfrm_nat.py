# SPDX-License-Identifier: GPL-2.0-or-later
"""Encapsulation that is not forced: UDP where there is NAT, plain ESP where there is none."""

from collections.abc import Iterator

import pytest

from conftest import judged
from sennitlab import Lab
from sennitlab.capture import now_ns
from sennitlab.host import Host
from sennitlab.programs import Programs
from sennitlab.router import Router
from sennitlab.sas import sas_of


@pytest.fixture(scope="module")
def lab(built: Programs) -> Iterator[Lab]:
    """h1 and h5 outside, h3 behind a router."""
    with judged(Lab(hosts=1, containers=1, settings={"ike": {"encap": False}})) as made:
        router = made.add_router(9)
        router.hide()
        made.add_container(made.add_host_behind(router, "h3", 3))
        made.mesh.hosts["h3"]["nat"] = True
        made.add_container(made.add_host("h5", 5))
        made.mesh.write()
        made.start()
        made.router = router
        yield made


def in_udp(host: Host, peer: str) -> bool:
    sa, = sas_of(host, peer)
    child, = sa["child-sas"].values()
    return child.get("encap") == "yes"


def test_nat_is_found_and_only_there_esp_goes_in_udp(lab: Lab) -> None:
    since = now_ns()
    with lab.flows(lab.pairs_of_hosts(), rate=50, echo=True) as flows:
        flows.wait_all_arrive(10)
        flows.wait_sent(100, 20)
        report = flows.stop()
    assert not report.lost(), report.table()
    assert in_udp(lab["h1"], "h3") and in_udp(lab["h3"], "h1") and in_udp(lab["h5"], "h3")
    assert not in_udp(lab["h1"], "h5") and not in_udp(lab["h5"], "h1")
    lab.capture.sync()
    seen = lab.capture.classes(since)
    assert seen["esp"] > 100 and seen["esp-in-udp"] > 100, seen


def test_a_new_mapping_is_followed_with_the_same_keys(lab: Lab) -> None:
    """By the kernel's word to charon, when the first packet comes by it."""
    router: Router = lab.router
    before = sas_of(lab["h1"], "h3")[0]
    router.forget()
    lab.wait(lambda: sas_of(lab["h1"], "h3")[0]["remote-port"] != before["remote-port"], 20,
             "the new port")
    lab.wait_all_up(20)
    after = sas_of(lab["h1"], "h3")[0]
    assert after["initiator-spi"] == before["initiator-spi"]
    with lab.flows(lab.pairs_of_hosts(), rate=50, echo=True) as flows:
        flows.wait_all_arrive(10)
