# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever happened to a sennit: cleanup leaves the host as it was before the first start,
beside things of others that Docker and people make.

Where the kernel makes no XFRM interfaces, a bridge with the name and alias of one stands for
those of another mesh."""

import itertools
import json
import pty
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import judged
from sennitlab import Lab, patient, proc, programs
from sennitlab.host import Host, environment
from sennitlab.kernel import (bridge_of, differences, own_links, snapshot, xfrm_policies,
                              xfrm_spis)
from sennitlab.lab import DATAPLANE
from sennitlab.vici import Vici

# What a host with Docker and an operator has. The last lines only look like Sennit's.
LINKS = (
    "link add docker0 type bridge", "addr add 172.17.0.1/16 dev docker0", "link set docker0 up",
    "route add 203.0.113.0/24 via 192.0.2.1 proto static",
    "route add 198.18.0.0/15 via 192.0.2.1 proto bgp table 77", "rule add from 10.9.9.9 lookup 77",
    "tuntap add tun9 mode tun", "addr add 10.99.0.1/24 dev tun9", "link set tun9 up",
    "route add 10.98.0.0/16 dev tun9 proto 84",
    "link add snort0 type bridge", "addr add 10.97.0.1/24 dev snort0", "link set snort0 up",
    "link add br9 type bridge", "link set br9 alias sennit:other:bridge",
    "rule add from all lookup 220 prio 221",
)
IPTABLES = (
    "-N DOCKER-USER", "-A DOCKER-USER -j RETURN", "-N DOCKER", "-P FORWARD DROP",
    "-A FORWARD -j DOCKER-USER", "-A FORWARD -o docker0 -j DOCKER",
    "-A FORWARD -s 10.42.0.0/16 -j ACCEPT", "-A FORWARD -d 10.42.0.0/16 -j ACCEPT",
    "-t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
)
TABLES = "".join(f"""
table inet {name} {{
    chain c {{
        type filter hook forward priority 10
        counter
    }}
}}
""" for name in ("sennit-like", "firewalld"))
LEFT_ALONE = ("link snort0", "link br9", "table sennit-like", "rule 221",
              "policy out to 10.96.0.0/16")


def make_foreign(host: Host) -> None:
    host.ns.ip(*LINKS)
    for line in IPTABLES:
        host.ns.run("iptables-nft", *line.split())
    host.ns.nft(TABLES)
    host.ns.run("ip", "xfrm", "policy", "add", "src", "0.0.0.0/0", "dst", "10.96.0.0/16", "dir",
                "out", "tmpl", "proto", "esp", "mode", "tunnel", "reqid", "5", "if_id", "77")


def files_of(host: Host) -> list[str]:
    return sorted(str(p) for folder in (host.run_dir, host.state_dir)
                  for p in (folder, *folder.glob("*")) if p.exists())


def everything(host: Host) -> dict[str, Any]:
    """All that Sennit may touch: the kernel, the processes, the files."""
    return {**snapshot(host.ns), "processes": sorted(proc.in_namespaces({host.ns.inode})),
            "files": files_of(host), "secret": Path(host.settings["secret_file"]).read_text(),
            "configuration": host.config.read_text() if host.config.exists() else None}


@pytest.fixture(scope="module")
def lab(built: programs.Programs) -> Iterator[Lab]:
    with judged(Lab(hosts=2, containers=1)) as made:
        make_foreign(made["h1"])
        made.before = everything(made["h1"])  # type: ignore[attr-defined]
        made.start()
        yield made


def ready(lab: Lab) -> Host:
    """h1 as it is in operation."""
    host = lab["h1"]
    lab.configure(host)
    if host.pid is None:
        host.start()
        host.wait_answers()
    lab.wait_all_up(30)
    lab.c("c1").attach()
    lab.c("c1").wait_ping(lab.c("c2"))
    return host


def kill_all(host: Host) -> None:
    charon = host.charon_pid()
    host.kill()
    if charon:
        proc.send(charon, signal.SIGKILL)
        while proc.is_alive(charon):
            time.sleep(0.005)


def stopped(_: Lab, host: Host) -> None:
    host.stop()


def killed(_: Lab, host: Host) -> None:
    kill_all(host)
    if DATAPLANE == "xfrm":
        assert xfrm_spis(host) and xfrm_policies(host), "a killed charon leaves its SAs"
    else:
        assert "fwmark 0x7777" in host.ns.run("ip", "rule").stdout, "and its rule"


def state_deleted(_: Lab, host: Host) -> None:
    host.kill()
    shutil.rmtree(host.state_dir)


def killed_and_all_files_deleted(_: Lab, host: Host) -> None:
    kill_all(host)
    shutil.rmtree(host.state_dir)
    shutil.rmtree(host.run_dir)


def run_dir_deleted(_: Lab, host: Host) -> None:
    host.kill()
    shutil.rmtree(host.run_dir)


def of_another_mesh(lab: Lab, host: Host) -> None:
    kill_all(host)
    for link, facts in own_links(host).items():
        if not link.startswith("sn"):
            continue
        other = facts["ifalias"].split(":", 2)
        host.ns.ip(f"link set {link} alias sennit:elsewhere:{other[2]}")
    lab.configure(host, {"mesh": {"id": "third"}, "bridge": {"name": "snother"}})


def with_a_tunnel_of_the_other_data_plane(_: Lab, host: Host) -> None:
    host.stop()
    host.ns.ip("link add snx7 type bridge", "link set snx7 alias sennit:elsewhere:peer:h9",
               "link set snx7 up", "route add 10.42.9.0/24 dev snx7 proto 83",
               "route add unreachable 10.43.0.0/16 metric 4278198272 proto 83",
               "addr add 169.254.169.250/32 dev lo label lo:sennit")
    host.ns.nft("table ip sennit {\n}\ntable bridge sennit {\n}\n")
    (host.state_dir / "sysctls.json.new").write_text("{")


HAPPENINGS = (stopped, killed, state_deleted, killed_and_all_files_deleted, run_dir_deleted,
              of_another_mesh, with_a_tunnel_of_the_other_data_plane)
RECORD_GONE = (state_deleted, killed_and_all_files_deleted)


def judge(lab: Lab, host: Host, *, record: bool = True) -> None:
    """As before; without the record of the settings all but the uplink's forwarding is."""
    before, after = dict(lab.before), everything(host)  # type: ignore[attr-defined]
    before["configuration"] = after["configuration"]  # some tests write it
    if not record:
        kept = [line for line in after["settings"] - before["settings"]]
        assert len(kept) == 1 and "/forwarding:1" in kept[0], kept
        host.ns.run("sh", "-c", f"echo 0 > {kept[0].split(':')[0]}")
        after = everything(host)
    left = differences(before, after)
    assert not left, "\n".join(left)


@pytest.mark.parametrize("happening", HAPPENINGS, ids=lambda f: f.__name__)
def test_nothing_is_left(lab: Lab, happening: Callable[[Lab, Host], None]) -> None:
    host = ready(lab)
    happening(lab, host)
    shown = host.cli("cleanup", "--dry-run", "--force").stdout
    said = host.cli("cleanup", "--force").stdout
    for word in LEFT_ALONE:
        assert f"left alone: {word}" in said, said
    assert f"kept: the secret {host.settings['secret_file']}" in said
    assert "all of that is gone" in said
    # what was announced is what was done
    lines = [line for line in shown.splitlines() if line.startswith("- ")]
    assert lines == [line for line in said.splitlines() if line.startswith("- ")]
    assert ("which told what it was before" in said) == (happening in RECORD_GONE)
    judge(lab, host, record=happening not in RECORD_GONE)
    again = host.cli("cleanup")
    assert "nothing of sennit is on this host" in again.stdout
    judge(lab, host)


def test_the_configuration_is_gone(lab: Lab) -> None:
    """charon's own environment tells the run_dir; the state_dir is the default one's place."""
    host = ready(lab)
    kept = host.config.read_text()
    host.stop()
    host.config.unlink()
    done = subprocess.run(
        host.ns.argv(str(lab.programs.sennit), "cleanup", "--force"), text=True,
        capture_output=True, timeout=patient(30), check=True,
        env={**environment(), "SENNIT_STATE_DIR": str(host.state_dir),
             "SENNIT_RUN_DIR": "/run/sennit-not-there",
             "SENNIT_SECRET_FILE": str(lab.secret_file)})
    assert "all of that is gone" in done.stdout
    host.config.write_text(kept)
    judge(lab, host)


def test_the_programs_are_gone(lab: Lab) -> None:
    """An upgrade or a removal has taken charon's file away, and its records are gone, too."""
    host = lab["h1"]
    if host.pid is not None:
        host.stop()
    host.cli("cleanup", "--force")
    own = lab.folder / "charon-systemd"
    shutil.copy("/usr/sbin/charon-systemd", own)
    lab.configure(host, {"ike": {"charon": str(own)}})
    host.start()
    lab.wait_all_up(30)
    host.kill()
    own.unlink()
    shutil.rmtree(host.run_dir)
    host.cli("cleanup", "--force")
    judge(lab, host)


def test_interrupted_and_run_again(lab: Lab, long: bool) -> None:
    """kill -9 at growing times, until it gets through."""
    ends = 0
    for step_ms in (3, 5, 7, 11) if long else (7,):
        host = ready(lab)
        host.kill()
        for delay_ms in itertools.count(1, patient(step_ms)):
            running = subprocess.Popen(
                host.ns.argv(str(lab.programs.sennit), "--config", str(host.config), "cleanup",
                             "--force"),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env=environment())
            try:
                _, said = running.communicate(timeout=delay_ms / 1000)
                assert running.returncode == 0, said
                break
            except subprocess.TimeoutExpired:
                running.kill()
                running.communicate()
                ends += 1
        judge(lab, host)
    assert ends >= 3, "it was interrupted"


def test_beside_a_daemon_it_refuses(lab: Lab) -> None:
    host = ready(lab)
    before = everything(host)
    for options in ((), ("--force",), ("--force", "--yes")):
        done = host.cli("cleanup", *options, check=False)
        assert done.returncode == 1, done
        assert f"sennitd runs (process {host.pid})" in done.stderr
        assert "systemctl disable --now" in done.stderr, "the next step"
    # also when nobody can reach it
    (host.run_dir / "control.sock").rename(host.run_dir / "moved")
    assert "sennitd runs" in host.cli("cleanup", check=False).stderr
    (host.run_dir / "moved").rename(host.run_dir / "control.sock")
    assert not differences(before, everything(host))
    assert lab.everybody_up()


def test_attached_containers_are_not_cut(lab: Lab) -> None:
    host = ready(lab)
    host.stop()
    for _ in range(2):
        done = host.cli("cleanup", check=False)
        assert done.returncode == 1 and "1 container is attached" in done.stderr, done
        assert "--force" in done.stderr
        assert lab.c("c1").addresses()
        # the second time without the record of it
        (host.state_dir / "attachments.json").unlink(missing_ok=True)
    lab.c("c1").wait_ping(lab.c("c2"))
    host.cli("cleanup", "--force")
    assert not lab.c("c1").addresses()
    judge(lab, host)


def answer(host: Host, lab: Lab, text: bytes) -> tuple[int, str]:
    """At a terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        argv = host.ns.argv(str(lab.programs.sennit), "--config", str(host.config), "cleanup")
        os.execvpe(argv[0], argv, environment())
    said = b""
    os.write(fd, text)
    try:
        while chunk := os.read(fd, 4096):
            said += chunk
    except OSError:
        pass
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()


def test_a_person_is_asked(lab: Lab) -> None:
    host = ready(lab)
    lab.c("c1").detach()
    host.stop()
    code, said = answer(host, lab, b"n\n")
    assert code == 1 and "Remove all of that? [y/N]" in said and "nothing was changed" in said
    assert bridge_of(host)
    code, said = answer(host, lab, b"y\n")
    assert code == 0 and "all of that is gone" in said
    judge(lab, host)


def test_a_setting_that_others_changed_stays(lab: Lab) -> None:
    host = ready(lab)
    host.stop()
    record = json.loads((host.state_dir / "sysctls.json").read_text())["sysctls"][0]
    path = Path("/proc/sys") / record["path"]
    host.ns.run("sh", "-c", f"echo 0 > {path}")
    record_value = host.ns.run("cat", str(path)).stdout.strip()
    said = host.cli("cleanup", "--force").stdout
    assert f"left alone: sysctl {record['path']} is {record_value}" in said
    judge(lab, host)


def answers(vici: Path) -> bool:
    try:
        with Vici(vici) as session:
            return bool(session.request("version"))
    except OSError:
        return False


def test_programs_of_other_users_are_nothing_to_it(lab: Lab) -> None:
    """Anybody may name a program charon and sennitd, and a folder of his: root deletes nothing
    there, and is not kept from cleaning up."""
    host = ready(lab)
    host.stop()
    folder = Path(tempfile.mkdtemp(prefix="sennit-stranger-"))
    folder.chmod(0o755)
    for name in ("charon", "sennitd"):
        shutil.copy("/usr/bin/sleep", folder / name)
    (folder / "strongswan.conf").write_text(
        "# Written by sennitd at each start of its charon.\ncharon-systemd {\n}\n")
    env = {**environment(), "STRONGSWAN_CONF": f"{folder}/strongswan.conf"}
    strangers = [subprocess.Popen(host.ns.argv("setpriv", "--reuid=65534", "--clear-groups",
                                               str(folder / name), "300"), env=env)
                 for name in ("charon", "sennitd")]
    try:
        for stranger in strangers:
            # in another mount namespace: its path may begin elsewhere, as in a chroot
            lab.wait(lambda pid=stranger.pid: str(folder) in os.readlink(f"/proc/{pid}/exe"), 10,
                     "the stranger's program runs")
        host.cli("cleanup", "--force")
        assert (folder / "strongswan.conf").exists()
        assert all(stranger.poll() is None for stranger in strangers)
    finally:
        for stranger in strangers:
            stranger.terminate()
            stranger.wait(patient(10))
        shutil.rmtree(folder)
    judge(lab, host)


def test_a_foreign_charon_is_left_alone(lab: Lab) -> None:
    """Of the very program; it only has another configuration."""
    host = ready(lab)
    host.stop()
    folder = lab.folder / "foreign"
    folder.mkdir()
    (folder / "strongswan.conf").write_text(
        "charon-systemd { load = random nonce openssl kdf kernel-netlink socket-default vici\n"
        " port = 0\n port_nat_t = 0\n routing_table = 0\n"
        " plugins { kernel-netlink { xfrm_acq_expires = 30 }\n"
        f" vici {{ socket = unix://{folder}/vici }} }} }}\n")
    env = {**environment(), "STRONGSWAN_CONF": f"{folder}/strongswan.conf"}
    foreign = subprocess.Popen(host.ns.argv("/usr/sbin/charon-systemd"), env=env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        lab.wait(lambda: answers(folder / "vici"), 10, "the foreign charon runs")
        said = host.cli("cleanup", "--force").stdout
        assert f"left alone: charon, process {foreign.pid}:" in said
        assert foreign.poll() is None
    finally:
        foreign.terminate()
        foreign.wait(patient(10))
    judge(lab, host)
