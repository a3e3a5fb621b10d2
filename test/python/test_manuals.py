# SPDX-License-Identifier: GPL-2.0-or-later
"""The manuals are well-formed and name every verb, option and key that there is."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from sennitlab import programs

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANUALS = ("src/daemon/sennitd.8", "src/cli/sennit.1", "tools/metadata/sennit-metadata.8",
           "tools/probe/sennit-probe.1",
           "conf/sennit.json.5", "conf/mesh.json.5")


def leaves(value: dict, prefix: str = "") -> list[str]:
    found = []
    for key, item in value.items():
        found += leaves(item, f"{prefix}{key}.") if isinstance(item, dict) else [prefix + key]
    return found


def help_of(program: pathlib.Path, *args: str) -> str:
    return subprocess.run([program, *args], capture_output=True, text=True, check=True).stdout


def options_in(text: str) -> set[str]:
    return set(re.findall(r"--[a-z][a-z-]*", text))


def options_of_manual(name: str) -> set[str]:
    return {f"-{option}" for option in re.findall(r"(?:Fl )(-[a-z][a-z-]*)",
                                                  (ROOT / name).read_text())} | {
        f"-{o}" for line in re.findall(r"Fl (-[a-z-]+ , -[a-z-]+)", (ROOT / name).read_text())
        for o in line.split(" , ")}


@pytest.mark.skipif(not shutil.which("mandoc"), reason="needs mandoc")
@pytest.mark.parametrize("name", MANUALS)
def test_mandoc_has_nothing_against_it(name: str) -> None:
    done = subprocess.run(["mandoc", "-Tlint", str(ROOT / name)], capture_output=True, text=True)
    # whether the others are installed is no matter
    said = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    assert not said


def test_every_key_of_the_configuration_is_explained() -> None:
    example = json.loads((ROOT / "conf/sennit.example.json").read_text())
    manual = (ROOT / "conf/sennit.json.5").read_text()
    explained = re.findall(r"^\.It Cm (\S+)$", manual, re.M)
    assert sorted(explained) == sorted(leaves(example))


def test_the_live_keys_are_marked() -> None:
    manual = (ROOT / "conf/sennit.json.5").read_text()
    marked = {part.split("\n")[0] for part in manual.split(".It Cm ")[1:] if ".Sy Live" in part}
    table = (ROOT / "test/unit/model/test_config.c").read_text()
    live = set(re.findall(r'\{ "\{.*?\}", "([a-z_.]+)", true \}', table))
    assert live and marked == live


def test_every_key_of_the_mesh_is_explained() -> None:
    schema = json.loads((ROOT / "conf/mesh.schema.json").read_text())
    manual = (ROOT / "conf/mesh.json.5").read_text()
    explained = set(re.findall(r"^\.It Cm (\S+)$", manual, re.M))
    host = json.dumps(schema)
    assert set(schema["properties"]) - {"$schema"} <= explained
    assert all(f'"{key}"' in host for key in explained)


def test_every_verb_is_explained() -> None:
    verbs = re.findall(r"^  ([a-z][a-z-]+) +[A-Z]", help_of(programs.find().sennit, "help"), re.M)
    manual = (ROOT / "src/cli/sennit.1").read_text()
    explained = re.findall(r"^(?:\.It )?(?:\.)?Cm ([a-z-]+)", manual, re.M)
    assert len(verbs) > 10 and set(verbs) <= set(explained), set(verbs) - set(explained)
    for verb in verbs:
        used = options_in(help_of(programs.find().sennit, "help", verb).split("\n\n")[0])
        assert used <= options_of_manual("src/cli/sennit.1"), verb


def test_every_option_of_the_daemons_is_explained() -> None:
    found = programs.find()
    said = options_in(help_of(found.sennitd, "--help"))
    assert said and said <= options_of_manual("src/daemon/sennitd.8")
    said = options_in(help_of(found.metadata, "--help"))
    assert said and said <= options_of_manual("tools/metadata/sennit-metadata.8")


def test_every_option_of_the_probe_is_explained() -> None:
    said = help_of(programs.find().probe, "--help")
    assert options_in(said) <= options_of_manual("tools/probe/sennit-probe.1")
    manual = (ROOT / "tools/probe/sennit-probe.1").read_text()
    letters = set(re.findall(r"(?<![\w-])-([a-zA-Z0-9])\b", said))
    explained = set(re.findall(r"Fl ([a-zA-Z0-9])(?= |$)", manual, re.M))
    assert letters and letters <= explained, letters - explained


def test_every_outcome_of_the_probe_is_explained() -> None:
    words = re.findall(r'\] = "([a-z-]+)",', (ROOT / "src/probe/ike_verdict.c").read_text()
                       .split("ike_verdict_to_string")[0])
    explained = set(re.findall(r"Pq ([a-z-]+)", (ROOT / "tools/probe/sennit-probe.1").read_text()))
    assert len(words) == 8 and set(words) <= explained, set(words) - explained


def test_every_check_of_the_doctor_is_explained() -> None:
    table = (ROOT / "src/inspect/doctor.c").read_text()
    checks = re.findall(r'^\t\{ "([a-z.-]+)",', table, re.M)
    manual = (ROOT / "src/cli/sennit.1").read_text()
    explained = {name for row in re.findall(r"^\.It Sy (.*)$", manual, re.M)
                 for name in row.split(" , ")}
    assert len(checks) > 25 and set(checks) <= explained, set(checks) - explained
