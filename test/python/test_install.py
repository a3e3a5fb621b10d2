# SPDX-License-Identifier: GPL-2.0-or-later
"""`meson install` puts every file where Debian expects it, and none besides."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess

import pytest

from sennitlab import programs

# below the prefix, but for what begins with a slash
FILES = {
    "bin/sennit", "bin/sennit-metadata", "bin/sennit-probe", "sbin/sennitd",
    "lib/systemd/system/sennitd.service",
    "lib/systemd/system/sennit-charon.service",
    "lib/systemd/system/sennit-metadata.service",
    "lib/systemd/networkd.conf.d/10-sennit.conf",
    "lib/systemd/network/10-sennit.network",
    "lib/NetworkManager/conf.d/10-sennit.conf",
    "lib/sysusers.d/sennit.conf",
    "lib/tmpfiles.d/sennit.conf",
    "share/bash-completion/completions/sennit",
    "share/bash-completion/completions/sennit-probe",
    "share/doc/sennit/README.md",
    "share/doc/sennit/mesh.schema.json",
    "share/doc/sennit/sennit.rules.yml",
    "share/man/man1/sennit-probe.1",
    "share/man/man1/sennit.1",
    "share/man/man5/mesh.json.5",
    "share/man/man5/sennit.json.5",
    "share/man/man8/sennit-metadata.8",
    "share/man/man8/sennitd.8",
    "/sennit/mesh.example.json",
    "/sennit/sennit.example.json",
}


class Installed:
    def __init__(self, build: pathlib.Path, folder: pathlib.Path) -> None:
        options = json.loads(subprocess.run(
            ["meson", "introspect", "--buildoptions", str(build)], capture_output=True, text=True,
            check=True).stdout)
        values = {option["name"]: option["value"] for option in options}
        self.prefix = pathlib.PurePosixPath(values["prefix"])
        self.etc = self.prefix / values["sysconfdir"]
        self.folder = folder
        subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet",
                        "--destdir", str(folder)], check=True, capture_output=True)

    def path(self, name: str) -> pathlib.Path:
        where = self.etc / name[1:] if name.startswith("/") else self.prefix / name
        return self.folder / where.relative_to("/")

    def unit(self, name: str) -> pathlib.Path:
        return self.path(f"lib/systemd/system/{name}")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    found = programs.find()
    assert not found.missing(), f"not built: {found.missing()}"
    return Installed(found.build, tmp_path_factory.mktemp("destdir"))


def test_every_file_is_there_and_no_other(installed: Installed) -> None:
    found = {path for path in installed.folder.rglob("*") if not path.is_dir()}
    wanted = {installed.path(name) for name in FILES}
    assert found == wanted, (found - wanted, wanted - found)


def test_programs_run_and_the_rest_does_not(installed: Installed) -> None:
    for name in FILES:
        mode = stat.S_IMODE(installed.path(name).stat().st_mode)
        assert mode == (0o755 if re.match("s?bin/", name) else 0o644), name
    done = subprocess.run([installed.path("sbin/sennitd"), "--version"], capture_output=True,
                          text=True, check=True)
    assert done.stdout.startswith("sennitd ")


def test_units_name_what_is_installed(installed: Installed) -> None:
    for name in ("sennitd", "sennit-charon", "sennit-metadata"):
        text = installed.unit(f"{name}.service").read_text()
        assert "@" not in text.replace("@system-service", "").replace("@privileged", "").replace(
            "@resources", ""), name
        for program in re.findall(r"^Exec\w+=(\S+)", text, re.M):
            if not program.startswith("/usr/sbin/charon"):
                assert (installed.folder / program[1:]).exists(), program


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_understands_the_units(installed: Installed, tmp_path: pathlib.Path) -> None:
    """verify looks for the programs, so the copies name them where they are now."""
    copies = []
    for name in ("sennitd", "sennit-charon", "sennit-metadata"):
        text = installed.unit(f"{name}.service").read_text()
        text = re.sub(r"^(Exec\w+=)(?!/usr/sbin/charon)", rf"\g<1>{installed.folder}", text,
                      flags=re.M)
        copies.append(tmp_path / f"{name}.service")
        copies[-1].write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, copies)],
                          capture_output=True, text=True, env={
                              **os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    said = [line for line in done.stderr.splitlines() if "sennit" in line]
    assert done.returncode == 0 and not said, done.stderr


@pytest.mark.parametrize("text", ["PartOf=", "BindsTo=", "Requires=", "PropagatesStopTo=",
                                  "StopPropagatedFrom="])
def test_neither_unit_ends_the_other(installed: Installed, text: str) -> None:
    for name in ("sennitd.service", "sennit-charon.service"):
        lines = installed.unit(name).read_text().splitlines()
        assert not [line for line in lines if line.startswith(text)]


def lines_of(path: pathlib.Path, key: str) -> list[str]:
    return [word for line in path.read_text().splitlines() if line.startswith(f"{key}=")
            for word in line.split("=", 1)[1].split()]


def test_the_units_stand_before_what_starts_containers(installed: Installed) -> None:
    for name in ("sennitd.service", "sennit-charon.service"):
        before = lines_of(installed.unit(name), "Before")
        assert {"docker.service", "containerd.service", "podman-restart.service"} <= set(before)
    # charon's settings are written when sennitd is ready
    assert "sennitd.service" in lines_of(installed.unit("sennit-charon.service"), "After")
    assert "sennit-charon.service" in lines_of(installed.unit("sennitd.service"), "Wants")


def test_charon_has_no_capability_that_sennitd_lacks(installed: Installed) -> None:
    """Else the kernel shows sennitd neither its executable nor its namespace (ptrace's rule)."""
    daemon, charon = (set(lines_of(installed.unit(name), "CapabilityBoundingSet"))
                      for name in ("sennitd.service", "sennit-charon.service"))
    assert charon and charon <= daemon


def test_the_run_folder_outlives_each_unit(installed: Installed) -> None:
    for name in ("sennitd.service", "sennit-charon.service"):
        assert lines_of(installed.unit(name), "RuntimeDirectoryPreserve") == ["yes"]
