# SPDX-License-Identifier: GPL-2.0-or-later
"""`sennit doctor`: on a healthy host it finds nothing; each situation is found, in its words.

Every situation is made for real in the lab, but where `imitated` says how: this
kernel has no AppArmor, and ufw, firewalld and Docker would take the whole machine, so
their own rules stand for them. h1 to h3 run sennitd. h4 is a host before
its first start: a metadata service of its own knows it, beside the others, which so
have no silent peer; nobody knows h5.
"""

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from doctor_cases import (ANY, BAD_DNS, BARE_META, CASES, IPT_DOCKER, META, ODD, UFW, Case)
from sennitlab import Lab, bound, proc, programs
from sennitlab.doctor import Examination, NameServer, OddService, examine
from sennitlab.host import Host, environment
from sennitlab.metadata import Mesh, MetadataService
from sennitlab.netns import run

MOST_MS = bound(10_000)  # of one examination


class Neighbourhood:
    """What the hosts ask, beside the lab's own metadata: all in the namespace of that."""

    def __init__(self, lab: Lab) -> None:
        ns = lab.metadata_ns
        ns.ip(f"addr add {BARE_META}/24 dev eth0", f"addr add {BAD_DNS}/32 dev lo")
        mesh = Mesh(lab.folder / "bare.json", lab.mesh.id)
        mesh.hosts = dict(lab.mesh.hosts)
        lab.mesh.hosts = {k: v for k, v in mesh.hosts.items() if k not in ("h4", "h5")}
        lab.mesh.write()
        del mesh.hosts["h5"]
        mesh.write()
        self._metadata = MetadataService(lab.programs.metadata, ns, IPv4Address(BARE_META),
                                         mesh.path, lab.folder / "bare.log")
        self._metadata.start()
        for name in ("h4", "h5"):
            lab.configure(lab[name], {"metadata": {"url": self._metadata.url}})
        self._services: list[Any] = [
            NameServer(ns, META), NameServer(ns, BAD_DNS, 5), OddService(ns, META, ODD["empty"]),
            OddService(ns, META, ODD["broken"], status=500),
            OddService(ns, META, ODD["late"], clock_s=-3600),
            OddService(ns, META, ODD["tls"], certificate=lab.folder / "tls.pem")]
        quiet = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        quiet.bind((META, ODD["silent"]))
        quiet.listen(8)
        self._services.append(quiet)
        (lab.folder / "resolv.conf").write_text(f"nameserver {META}\n")

    def close(self) -> None:
        self._metadata.stop()
        for service in self._services:
            service.close()


def start(lab: Lab) -> None:
    assert lab.metadata
    lab.metadata.start()
    for name in ("h1", "h2", "h3"):
        lab[name].start()
    lab.wait_all_up(30)
    for container in lab.containers.values():
        container.attach()


@pytest.fixture(scope="module")
def lab(built: programs.Programs) -> Iterator[Lab]:
    made = Lab(hosts=3, containers=1, capture=False)
    around = None
    try:
        made.add_host("h4", 4)
        made.add_host("h5", 5)
        around = Neighbourhood(made)
        start(made)
        yield made
    finally:
        if around:
            around.close()
        made.close()


def resolv(lab: Lab, text: str | None = None) -> str:
    """The line that gives the process another /etc/resolv.conf."""
    path = lab.folder / "resolv.conf"
    if text is not None:
        path = lab.folder / "resolv.conf.odd"
        path.write_text(text)
    return f"mount --bind {path} /etc/resolv.conf"


def look(lab: Lab, host: Host, *args: str, mounts: tuple[str, ...] = (),
         config: Path | None = None) -> Examination:
    plain = () if any("resolv.conf" in m for m in mounts) else (resolv(lab),)
    return examine(host, lab.programs.sennit, *args, mounts=(*plain, *mounts), config=config)


# --- healthy hosts


def test_a_healthy_host_has_no_finding(lab: Lab) -> None:
    times = []
    for host in (lab["h1"], lab["h2"], lab["h4"]):
        result = look(lab, host)
        assert result.code == 0 and not result.findings and not result.unseen, str(result)
        times.append(f"{host.id} {result.took_ms} ms")
        assert {f["check"] for f in result.fine} >= {"peers", "metadata", "objects", "mtu"}
    print("doctor on healthy hosts:", ", ".join(times))


# --- situations


def hold(host: Host, port: int) -> subprocess.Popen[str]:
    """A program that has this UDP port."""
    script = (f"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
              f"s.bind(('0.0.0.0', {port})); print('bound', flush=True); input()")
    holder = subprocess.Popen(host.ns.argv(sys.executable, "-c", script), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "bound\n"
    return holder


def filled(lab: Lab, host: Host, value: Any) -> Any:
    """The names that a case uses, put in."""
    if isinstance(value, dict):
        return {k: filled(lab, host, v) for k, v in value.items()}
    if isinstance(value, list):
        return [filled(lab, host, v) for v in value]
    if not isinstance(value, str):
        return value
    for name, text in (("folder", host.folder), ("state", host.state_dir), ("run", host.run_dir),
                       ("secret", lab.secret_file)):
        value = value.replace(f"{{{name}}}", str(text))
    return value.replace("{eth0}", str(host.ns.ip_json("link", "show", "eth0")[0]["ifindex"]))


@contextlib.contextmanager
def situation(lab: Lab, case: Case) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Made for the time of the block: what to mount, and the configuration."""
    host = lab[case.host]
    holders = []
    config = host.folder / "case.json"
    settings = filled(lab, host, case.settings)
    config.write_text(json.dumps({**host.settings, **settings}))
    mounts = tuple(filled(lab, host, m) for m in case.mounts)
    if case.resolv is not None:
        mounts = (resolv(lab, filled(lab, host, case.resolv)), *mounts)
    try:
        for line in case.do:
            if line.startswith("hold:"):
                holders.append(hold(host, int(line.removeprefix("hold:"))))
            else:
                host.ns.run("sh", "-ec", filled(lab, host, line))
        if case.wan:
            case.wan(lab)
        yield mounts, config
    finally:
        for holder in holders:
            holder.communicate("\n")
        if case.unwan:
            case.unwan(lab)
        for line in case.undo:
            host.ns.run("sh", "-c", filled(lab, host, line))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_found(lab: Lab, case: Case, long: bool) -> None:
    if case.slow and not long:
        pytest.skip("waits for a time-out: with --long")
    host = lab[case.host]
    with situation(lab, case) as (mounts, config):
        result = look(lab, host, mounts=mounts, config=config)
    words = filled(lab, host, case.words)
    found = [f for f in result.of(case.check)
             if f["severity"] == case.severity and re.search(words, f["seen"])]
    assert found, f"{case.name}: {words!r} is not among\n{result}"
    assert found[0]["why"] and found[0]["next"]
    assert case.next in found[0]["next"], found[0]["next"]
    if case.check == "metadata" and case.also is not ANY:
        assert len(result.of("metadata")) == 1, f"{case.name}: one step is named\n{result}"
    others = {f["check"] for f in result.findings} - {case.check, *(case.also or ())}
    if case.also is not ANY:
        assert not others, f"{case.name}: also found\n{result}"
    assert result.took_ms < MOST_MS, f"{case.name}: {result.took_ms} ms"


# --- hosts where sennitd was


def words_of(result: Examination, check: str) -> str:
    return "\n".join(f["seen"] for f in result.of(check))


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """It is there and does nothing."""
    proc.send(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        proc.send(pid, signal.SIGCONT)


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    """h1, whole before and afterwards."""
    lab.wait_all_up()
    lab.wait(lambda: lab["h1"].plan() == [], 10, "nothing is left to do")
    yield lab["h1"]
    if lab["h1"].pid is None:
        lab["h1"].start()
    lab["h1"].wait_answers()
    lab.wait_all_up()
    lab.wait(lambda: lab["h1"].plan() == [], 10, "nothing is left to do")


def test_what_sennitd_would_repair(lab: Lab, host: Host) -> None:
    assert host.pid
    forwarding = "/proc/sys/net/ipv4/conf/snbr0/forwarding"
    with stopped(host.pid):
        host.ns.nft("delete table inet sennit\n")
        host.ns.ip("route del 10.42.2.0/24")
        host.ns.run("sh", "-c", f"echo 0 >{forwarding}")
        result = look(lab, host)
        assert "missing: table inet sennit, route 10.42.2.0/24" in words_of(result, "objects")
        assert result.of("objects")[0]["severity"] == "fault" and result.code == 4
        assert f"{forwarding} is 0, and should be 1" in words_of(result, "sysctl.forwarding")
        fixed = look(lab, host, "--fix")
        assert fixed.of("sysctl.forwarding")[0]["fix"]["done"]
        assert host.ns.run("cat", forwarding).stdout == "1\n"
        assert not look(lab, host).of("sysctl.forwarding")


def test_a_charon_that_ended_or_stands_still(lab: Lab, host: Host) -> None:
    charon = host.charon_pid()
    assert host.pid and charon
    with stopped(host.pid):
        with stopped(charon):
            seen = words_of(look(lab, host), "charon.process")
            assert f"our charon (pid {charon}) does not answer" in seen
        proc.end(charon)
        seen = words_of(look(lab, host), "charon.process")
        assert "sennitd runs, but its charon does not" in seen


def test_a_killed_sennitd(lab: Lab, host: Host) -> None:
    host.kill()
    result = look(lab, host)
    assert result.code == 5 and "sennitd does not run" in words_of(result, "runtime")
    assert "nobody listens on" in words_of(result, "runtime")
    fixed = look(lab, host, "--fix")
    assert all(f["fix"]["done"] for f in fixed.of("runtime") if "fix" in f)
    assert not (host.run_dir / "control.sock").exists()
    assert {f["check"] for f in look(lab, host).findings} == {"runtime"}


def test_a_machine_that_was_off(lab: Lab, host: Host) -> None:
    """sennitd and charon were killed: sockets and a record remain, and the ports are free."""
    host.kill()
    charon = host.charon_pid()
    assert charon
    proc.send(charon, signal.SIGKILL)
    lab.wait(lambda: host.charon_pid() is None, 5, "charon is gone")
    seen = words_of(look(lab, host), "runtime")
    assert "charon.vici (charon is not running)" in seen
    assert "charon.json names a process that does not run" in seen
    look(lab, host, "--fix")
    assert not list(host.run_dir.glob("charon.vici")) + list(host.run_dir.glob("charon.json"))


# --- rules that let us pass are not found


@pytest.mark.parametrize("rules", [
    (*IPT_DOCKER, "iptables -I DOCKER-USER -i snbr0 -j ACCEPT"),
    ("nft 'table inet f { chain c { type filter hook forward priority 5; policy drop; "
     "iifname { \"eth9\", \"snbr0\" } accept; }; }'",),
    ("nft 'table inet f { chain c { type filter hook forward priority 5; policy drop; "
     "ip daddr 10.42.0.0/16 accept; }; }'",),
    (*UFW, "iptables -A ufw-before-input -p udp --dport 500 -j ACCEPT",
     "iptables -A ufw-before-input -p udp --dport 4500 -j ACCEPT"),
    ("nft 'table inet f { chain in { type filter hook input priority 5; policy drop; jump ike; "
     "ct state established accept; iifname \"lo\" accept; udp sport 53 accept; }; "
     "chain ike { udp dport { 500, 4500 } accept; }; }'",),
    ("iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -i snbr0 -j ACCEPT",),
])
def test_rules_that_let_it_pass(lab: Lab, rules: tuple[str, ...]) -> None:
    host = lab["h4"]
    try:
        for line in rules:
            host.ns.run("sh", "-ec", line)
        result = look(lab, host)
        assert not result.of("firewall.nftables"), str(result)
        assert not [f for f in result.of("firewall.legacy") if f["severity"] != "note"], str(result)
    finally:
        host.ns.run("nft", "flush", "ruleset")
        host.ns.run("sh", "-c", "iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F")


def test_fixes_are_done_and_told(lab: Lab) -> None:
    case = next(c for c in CASES if c.check == "sysctl.accept-ra")
    with situation(lab, case):
        result = look(lab, lab["h4"], "--fix")
        fix = result.of("sysctl.accept-ra")[0]["fix"]
        assert fix["done"] and fix["what"].startswith("write 2 to /proc/sys/net/ipv6/conf/eth0/")
        assert result.code == 0
        assert not look(lab, lab["h4"]).findings
    secret = next(c for c in CASES if "others may read" in c.name)
    with situation(lab, secret) as (_, config):
        assert look(lab, lab["h4"], "--fix", config=config).code == 0
        assert (lab["h4"].folder / "s").stat().st_mode & 0o777 == 0o600


# --- bounds, faces, the report


def test_a_host_where_nothing_works_takes_less_than_ten_seconds(lab: Lab) -> None:
    """Silence everywhere: name servers, the metadata service, every peer by the stored mesh."""
    host = lab["h4"]
    host.state_dir.mkdir(exist_ok=True)
    shutil.copy(lab["h1"].state_dir / "snapshot.json", host.state_dir)
    config = host.folder / "case.json"
    config.write_text(json.dumps(host.settings))
    lab.wan.cut("h4")
    try:
        dead = resolv(lab, "nameserver 192.0.2.98\nnameserver 192.0.2.99\n")
        result = look(lab, host, mounts=(dead,))
    finally:
        lab.wan.heal("h4")
        (host.state_dir / "snapshot.json").unlink()
        host.state_dir.rmdir()
    print(f"doctor on a host that is cut off: {result.took_ms} ms")
    assert result.took_ms < MOST_MS and result.code == 4
    assert {"resolver", "metadata", "peers"} <= {f["check"] for f in result.findings}


def test_another_user_is_told_what_was_not_seen(lab: Lab) -> None:
    host = lab["h1"]
    for path in (host.folder, lab.folder, host.config):
        path.chmod(0o755)
    try:
        done = run(*host.ns.argv("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                 str(lab.programs.sennit), "--config", str(host.config), "doctor",
                                 "--json"), check=False, env=environment())
    finally:
        lab.folder.chmod(0o700)
    result = json.loads(done.stdout)
    unseen = "\n".join(result["unseen"])
    assert "sennitd does not run" not in done.stdout and "runtime:" in unseen, "it does"
    for check in ("secret:", "kernel.dataplane:", "firewall.nftables:", "firewall.legacy:"):
        assert check in unseen, done.stdout


def test_the_report_has_all_and_no_secret(lab: Lab, host: Host) -> None:
    path = host.folder / "report.json"
    config = host.folder / "case.json"
    config.write_text(json.dumps({**host.settings, "metadata": {
        "url": "http://ann:passwort@192.0.2.250/2016-07-29"}}))
    look(lab, host, "--report", str(path), config=config)
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    report = json.loads(text)
    assert set(report) >= {"system", "doctor", "config", "status", "plan", "log_level", "kernel",
                           "strongswan.conf", "charon.log"}
    assert report["status"]["host"]["id"] == "h1"
    assert any("proto 83" in route for route in report["kernel"]["routes"])
    assert "sennit" in json.dumps(report["kernel"]["nftables"])
    assert report["charon.log"] and report["log_level"] == "debug"
    assert "passwort" not in text and "ann:" not in text
    assert lab.secret_file.read_text().strip() not in text


def test_names_from_outside_do_no_harm(lab: Lab) -> None:
    """A program's name with an escape sequence, on a terminal's face."""
    host = lab["h4"]
    script = ("import socket, ctypes; "
              "ctypes.CDLL(None).prctl(15, b'\\x1b[2Jx', 0, 0, 0); "
              "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 500)); "
              "print('bound', flush=True); input()")
    holder = subprocess.Popen(host.ns.argv(sys.executable, "-c", script), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout and holder.stdout.readline() == "bound\n"
        shown = host.cli("doctor", check=False).stdout
    finally:
        holder.communicate("\n")
    assert "\x1b" not in shown and "\\x1b[2Jx" in shown
