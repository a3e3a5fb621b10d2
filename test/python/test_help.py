# SPDX-License-Identifier: GPL-2.0-or-later
"""Every program explains itself on one screen, and of a wrong line says what was meant."""

import json
import pathlib
import re
import subprocess

import pytest

from sennitlab import programs

COLUMNS, ROWS = 80, 23  # of a terminal of 24 rows one is the prompt's
USAGE = 2
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}


def run(program: str, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    found = programs.find()
    path = {"sennit": found.sennit, "sennitd": found.sennitd, "sennit-metadata": found.metadata,
            "sennit-probe": found.probe}
    return subprocess.run([path[program], *args], capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL, env={**ENV, **more})


def verbs() -> list[str]:
    return re.findall(r"^  ([a-z][a-z-]+) +[A-Z]", run("sennit", "help").stdout, re.M)


def helps() -> list[tuple[str, ...]]:
    each = [("sennit", verb, "--help") for verb in verbs()]
    return [("sennit", "--help"), ("sennit", "help"), ("sennitd", "--help"), ("sennitd", "-h"),
            ("sennit-metadata", "--help"), ("sennit-probe", "--help"),
            ("sennit-probe", "-h"), *each, *[("sennit", "help", v) for v in verbs()]]


def test_every_help_fits_a_screen_and_has_an_example() -> None:
    assert len(verbs()) > 15
    for line in helps():
        done = run(*line)
        assert done.returncode == 0 and not done.stderr, line
        rows = done.stdout.splitlines()
        assert rows[0].startswith(f"usage: {line[0]} "), line
        assert len(rows) <= ROWS, f"{line}: {len(rows)} rows"
        wide = [row for row in rows if len(row) > COLUMNS]
        assert not wide, f"{line}: {wide}"
        assert "\t" not in done.stdout, line
        examples = done.stdout.partition("\nExample")[2]
        assert line[0] in examples, f"{line}: no example"


def test_an_example_is_a_line_of_its_own_verb() -> None:
    """Each names the program and the verb that it is about."""
    for verb in verbs():
        examples = run("sennit", "help", verb).stdout.partition("\nExample")[2].splitlines()[1:]
        assert examples and all(row.startswith("  ") for row in examples), verb
        assert any(f"sennit {verb}" in row for row in examples), verb


def test_the_variables_fit_the_width() -> None:
    done = run("sennitd", "--variables")
    assert done.returncode == 0 and "SENNIT_RUN_DIR" in done.stdout
    assert not [row for row in done.stdout.splitlines() if len(row) > COLUMNS]


# The line, and what its complaint says; each ends with exit code 2.
WRONG = [
    (("sennit", "stauts"), "did you mean 'status'?"),
    (("sennit", "Status"), "did you mean 'status'?"),
    (("sennit", "clean"), "did you mean 'cleanup'?"),
    (("sennit", "log_level"), "did you mean 'log-level'?"),
    (("sennit", "dance"), "'sennit help' lists them"),
    (("sennit", "help", "atach"), "did you mean 'attach'?"),
    (("sennit", "help", "a", "b"), "'b' is one word too many"),
    (("sennit", "--confg", "x"), "did you mean '--config'?"),
    (("sennit", "--config"), "'--config' needs a value"),
    (("sennit", "-x"), "there is no option '-x'"),
    (("sennit", "status", "--jsno"), "did you mean '--json'?"),
    (("sennit", "status", "--json=1"), "'--json' takes no value"),
    (("sennit", "status", "now"), "'now' is one word too many"),
    (("sennit", "attach", "--netsn", "x"), "did you mean '--netns'?"),
    (("sennit", "attach", "--pid"), "'--pid' needs a value"),
    (("sennit", "attach"), "either --netns or --pid"),
    (("sennit", "attach", "--i", "x"), "'--i' could be '--ifname' or '--ip'"),
    (("sennit", "detach"), "one of --netns, --pid and --id"),
    (("sennit", "kick"), "which peer?"),
    (("sennit", "cleanup", "--dryrun"), "did you mean '--dry-run'?"),
    (("sennit", "genkey", "--json"), "there is no option '--json'"),
    (("sennitd", "--chek"), "did you mean '--check'?"),
    (("sennitd", "--config"), "'--config' needs a value"),
    (("sennitd", "start"), "'start' is no option"),
    (("sennitd", "--dry-run=x"), "'--dry-run' takes no value"),
    (("sennit-metadata",), "--mesh FILE names it"),
    (("sennit-metadata", "--mseh", "x"), "did you mean '--mesh'?"),
    (("sennit-metadata", "--mesh"), "'--mesh' needs a value"),
    (("sennit-metadata", "--mesh", "x", "y"), "'y' is no option"),
    (("sennit-metadata", "--mesh", "x", "--listen", "y"), "like 192.0.2.11:8080"),
    (("sennit-metadata", "--mesh", "x", "--max", "3"), "'--max-connections' or '--max-per-client'"),
    (("sennit-metadata", "--mesh", "x", "--max-connections", "0"), "a number from 1 to"),
    (("sennit-probe",), "no host is given"),
    (("sennit-probe", "500"), "no host is given, only ports"),
    (("sennit-probe", "--jsn", "h"), "did you mean '--json'?"),
    (("sennit-probe", "--mtu=3", "h"), "'--mtu' takes no value"),
    (("sennit-probe", "-x", "h"), "there is no option '-x'"),
    (("sennit-probe", "-b", "h"), "broadcast addresses are never asked"),
    (("sennit-probe", "-w", "soon", "h"), "not seconds from 0.1 to 300"),
    (("sennit-probe", "-w"), "'-w' needs a value"),
    (("sennit-probe", "-c", "0", "h"), "not a number from 1 to"),
    (("sennit-probe", "h", "500-"), "not a port from 1 to 65535"),
    (("sennit-probe", "h", "10-5"), "nor a range of them"),
    (("sennit-probe", "h", "70000"), "not a port"),
    (("sennit-probe", "h", "1-2000"), "more than 1024 ports"),
    (("sennit-probe", "-s", "here", "h"), "neither an IPv4 nor an IPv6 address"),
    (("sennit-probe", "--full", "-c", "2", "h"), "not with -c or -i"),
]


@pytest.mark.parametrize("line, said", WRONG, ids=lambda v: " ".join(v) if isinstance(v, tuple)
                         else "")
def test_a_wrong_line(line: tuple[str, ...], said: str) -> None:
    done = run(*line)
    assert done.returncode == USAGE, done
    assert said in done.stderr and not done.stdout
    first = done.stderr.splitlines()[0]
    assert first.startswith(f"{line[0]}: ")
    # the next step: the usage itself, or where it stands, or the very word
    assert re.search(r"usage: |--help|sennit help|did you mean|like |number from", done.stderr)
    assert all(len(row) <= COLUMNS for row in done.stderr.splitlines()[1:])


def test_what_a_terminal_would_obey_is_only_shown() -> None:
    """Hosts to ask come from lists, too, which others have written. U+009B is ESC [ in one."""
    hostile = "h\x1b[2J\u009b2J"
    for line in (("sennit", hostile), ("sennit-probe", f"--{hostile}"),
                 ("sennit-probe", "-s", hostile, "h"), ("sennit-probe", "-n", "--json", hostile),
                 ("sennit-probe", "-n", hostile)):
        done = run(*line)
        assert done.returncode != 0 and "2J" in done.stdout + done.stderr, done
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout + done.stderr), done


def test_every_verb_knows_its_options() -> None:
    """A slip in any of them, and the word it is a slip of."""
    for verb in verbs():
        usage = run("sennit", "help", verb).stdout.split("\n\n")[0]
        for option in re.findall(r"--([a-z-]+)", usage):
            slip = f"--{option[:-1]}{option[-1] * 2}x" if len(option) > 5 else f"--{option}x"
            done = run("sennit", verb, slip)
            assert done.returncode == USAGE, (verb, slip)
            assert f"did you mean '--{option}'?" in done.stderr, (verb, slip, done.stderr)


KEYS = [
    ({"metadata": {"ulr": "http://x/"}}, "/metadata/ulr: unknown key; did you mean 'metadata.url'?"),
    ({"metdata": {"url": "http://x/"}}, "/metdata: unknown key"),
    ({"url": "http://x/"}, "did you mean 'metadata.url'?"),
    ({"ike": {"secret_file": "/x"}}, "/ike/secret_file: unknown key"),
    ({"log": {"levl": "info"}}, "did you mean 'log.level'?"),
    ({"mut": 1400}, "did you mean 'mtu'?"),
    ({"dataplan": "xfrm"}, "did you mean 'dataplane'?"),
    ({"zebra": 1}, "sennit.json(5) explains"),
]


@pytest.mark.parametrize("settings, said", KEYS)
def test_a_wrong_key(settings: dict, said: str, tmp_path: pathlib.Path) -> None:
    config = tmp_path / "sennit.json"
    config.write_text(json.dumps(settings))
    for line in (("sennit", "check", str(config)), ("sennitd", "--check", "--config", str(config))):
        done = run(*line)
        assert done.returncode == 1 and said in done.stderr, done
        assert str(config) in done.stderr


def test_a_wrong_variable(tmp_path: pathlib.Path) -> None:
    config = tmp_path / "sennit.json"
    config.write_text("{}")
    for name, said in (("SENNIT_METADATA_ULR", "did you mean 'SENNIT_METADATA_URL'?"),
                       ("SENNIT_SECRET", "did you mean 'SENNIT_SECRET_FILE'?"),
                       ("SENNIT_ZEBRA", "'sennitd --variables' lists")):
        done = run("sennit", "check", str(config), **{name: "hush"})
        assert done.returncode == 1 and said in done.stderr and "hush" not in done.stderr, done


def test_a_wrong_key_of_the_mesh(tmp_path: pathlib.Path) -> None:
    mesh = tmp_path / "mesh.json"
    mesh.write_text(json.dumps({"mesh": "m", "overlay": "10.42.0.0/16",
                                "hosts": [{"id": "h1", "adresses": ["192.0.2.1"]}]}))
    argv = [programs.find().metadata, "--mesh", str(mesh), "--listen", "127.0.0.1:1"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=ENV) as service:
        assert service.stderr
        try:
            said = service.stderr.readline()
        finally:
            service.kill()
    assert "/hosts/0/adresses: unknown key; did you mean 'addresses'?" in said
