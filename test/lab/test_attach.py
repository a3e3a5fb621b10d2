# SPDX-License-Identifier: GPL-2.0-or-later
"""Containers come and go: no address twice, nothing half done, the outside by masquerade."""

import subprocess

from sennitlab import Lab, patient
from sennitlab.container import Container
from sennitlab.host import environment
from sennitlab.kernel import own_links
from sennitlab.wan import OUTSIDE


def own_veths(lab: Lab, name: str) -> set[str]:
    return {link for link in own_links(lab[name]) if link.startswith("snv")}


def assert_consistent(lab: Lab, name: str) -> None:
    """As many host ends as attachments, each address once."""
    attachments = lab[name].status()["attachments"]
    assert len(own_veths(lab, name)) == len(attachments)
    addresses = [c.ip for c in lab.of_host(name) if c.addresses()]
    assert len(addresses) == len(set(addresses)) == len(attachments)


def test_attaching_again_changes_nothing(lab: Lab) -> None:
    c1 = lab.c("c1")
    before = c1.ip, c1.mac, own_veths(lab, "h1")
    c1.attach()
    assert (c1.ip, c1.mac, own_veths(lab, "h1")) == before
    assert_consistent(lab, "h1")


def test_what_a_container_gets(lab: Lab) -> None:
    c1 = lab.c("c1")
    link, = c1.ns.ip_json("link", "show", "dev", "eth0")
    assert link["mtu"] == lab["h1"].status()["dataplane"]["mtu"]
    assert str(c1.gateway) == "10.42.1.1"
    assert str(c1.ip).startswith("10.42.1.")


def test_detached_is_gone_and_its_address_is_free(lab: Lab) -> None:
    extra = lab.add_container(lab["h1"])
    extra.attach()
    address = extra.ip
    extra.detach()
    assert not extra.addresses()
    assert_consistent(lab, "h1")
    extra.attach("--ip", str(address))
    assert extra.ip == address
    lab.c("c3").wait_ping(extra)
    extra.detach()


def test_wishes_that_cannot_be_are_refused(lab: Lab) -> None:
    extra = lab.add_container(lab["h1"])
    for wish in (str(lab.c("c1").ip), "10.42.1.1", "10.42.2.77", "10.42.1.255", "192.0.2.11"):
        done = lab["h1"].cli("attach", "--netns", str(extra.ns.path), "--ip", wish, check=False)
        assert done.returncode != 0 and done.stderr.strip(), f"{wish} was given"
        assert not extra.addresses()
    done = lab["h1"].cli("attach", "--netns", str(lab["h1"].ns.path), check=False)
    assert done.returncode != 0, "the host's own namespace is no container"
    assert_consistent(lab, "h1")


def attach_and_kill(lab: Lab, container: Container) -> None:
    """kill -9 of the daemon somewhere in the work."""
    host = container.host
    asking = subprocess.Popen(
        host.ns.argv(str(lab.programs.sennit), "--config", str(host.config), "attach",
                     "--netns", str(container.ns.path)),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment())
    # the moment differs from trial to trial by itself: what is there decides
    lab.wait(lambda: asking.poll() is not None or len(own_veths(lab, host.id)) > attach_and_kill.at,
             10, "the work has begun")
    host.kill()
    asking.wait(patient(10))


def test_kill_in_the_middle_leaves_no_half(lab: Lab, long: bool) -> None:
    host = lab["h2"]
    for _ in range(20 if long else 4):
        extra = lab.add_container(host)
        attach_and_kill.at = len(own_veths(lab, "h2"))
        attach_and_kill(lab, extra)
        host.start()
        host.wait_answers()
        lab.wait_all_up()
        extra.attach()
        assert_consistent(lab, "h2")
        lab.c("c1").wait_ping(extra)
        extra.detach()


def test_a_container_whose_namespace_ends_gives_its_address_back(lab: Lab) -> None:
    extra = lab.add_container(lab["h3"])
    extra.attach()
    address = str(extra.ip)
    extra.ns.delete()
    lab.wait(lambda: address not in str(lab["h3"].status()["attachments"]), 10,
             "the attachment is gone")
    del lab.containers[extra.name]
    assert_consistent(lab, "h3")


def test_attachments_outlive_the_daemon(lab: Lab) -> None:
    before = sorted(str(c.ip) for c in lab.of_host("h1") if c.addresses())
    lab["h1"].kill()
    lab["h1"].start()
    lab["h1"].wait_answers()
    assert len(lab["h1"].status()["attachments"]) == len(before)
    assert "10.42.1." in lab["h1"].cli("attachments").stdout
    lab.wait_all_up()


def test_the_outside_sees_the_host(lab: Lab) -> None:
    c1 = lab.c("c1")
    c1.wait_ping(OUTSIDE, 5)
    with lab.wan.ns.socket(2, 2) as ear, c1.udp() as mouth:
        ear.settimeout(patient(5))
        ear.bind((str(OUTSIDE), 7900))
        mouth.sendto(b"hello", (str(OUTSIDE), 7900))
        data, source = ear.recvfrom(99)
        assert (data, source[0]) == (b"hello", str(lab["h1"].address))
        ear.sendto(b"answer", source)
        assert mouth.recv(99) == b"answer"


def test_the_overlay_sees_the_container(lab: Lab) -> None:
    c1, c3 = lab.c("c1"), lab.c("c3")
    with c3.udp(7900) as ear, c1.udp() as mouth:
        mouth.sendto(b"hello", (str(c3.ip), 7900))
        assert ear.recvfrom(99)[1][0] == str(c1.ip)
