# SPDX-License-Identifier: GPL-2.0-or-later
"""The fuzz targets: what each is to reach, and its seeds as files of bytes."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "test/fuzz/corpus"
SANITIZE = ("-Db_sanitize=address,undefined",)
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
               "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
# a second is an age for one input; what a parser holds is bounded, too
LIMITS = ("-timeout=1", "-rss_limit_mb=1024", "-max_len=8192", "-verbosity=0")

# The files whose lines a target is there to reach.
PARSERS = {
    "attachments": ("src/attach/store.c",),
    "charon_answers": ("src/ike/sa.c", "src/ike/conn.c"),
    "config": ("src/model/config.c",),
    "ctl": ("src/ctl/frame.c",),
    "echo": ("src/probe/echo.c",),
    "heartbeat": ("src/probe/heartbeat.c",),
    "http": ("src/api/http_request.c",),
    "identity": ("src/daemon/identity.c",),
    "ike_answer": ("src/probe/ike_probe.c", "src/probe/ike_verdict.c"),
    "mesh_file": ("src/model/mesh_file.c",),
    "metadata_answer": ("tools/metadata/answer.c", "tools/metadata/document.c",
                        "tools/metadata/history.c", "tools/metadata/render.c"),
    "metadata_arguments": ("tools/metadata/arguments.c",),
    "metadata_request": ("tools/metadata/request.c",),
    "rancher": ("src/model/rancher.c", "src/model/rancher_facts.c", "src/model/settle.c",
                "src/model/claims.c"),
    "rancher_changes": ("src/model/rancher_changes.c",),
    "rancher_entries": ("src/model/json_stream.c", "src/model/rancher_facts.c"),
    "render": ("src/cli/render.c", "src/cli/render_peers.c", "src/cli/render_status.c",
               "src/cli/face.c"),
    "secret": ("src/secret/secret.c",),
    "snapshot": ("src/model/stored.c", "src/model/snapshot.c"),
    "sysctls": ("src/net/sysctl.c",),
    "token": ("src/metadata/token.c",),
    "verbs": ("src/daemon/verbs.c",),
    "vici": ("src/ike/vici_codec.c",),
}


def expand(name: str, folder: Path) -> Path:
    """Writes the target's seeds into the folder, those in hex as their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for seed in sorted((CORPUS / name).iterdir()):
        data = seed.read_bytes()
        if seed.suffix == ".hex":
            data = bytes.fromhex(data.decode())
        # the name would have replay.c decode it
        (folder / seed.name.removesuffix(".hex")).write_bytes(data)
    return folder


def programs(build: Path) -> Iterator[tuple[str, Path]]:
    """Every libFuzzer program of a build with -Dfuzzing=true."""
    for program in sorted((build / "test/fuzz").glob("fuzz-*")):
        if program.is_file() and os.access(program, os.X_OK):
            yield program.name.removeprefix("fuzz-"), program


def command(program: Path, found: Path, seeds: Path, *walk: str) -> list[str]:
    """What is found goes into the folder, what fails beside it."""
    found.mkdir(parents=True, exist_ok=True)
    return [str(program), *walk, *LIMITS, f"-artifact_prefix={found}-", str(found), str(seeds)]


def reached(program: Path, profile: Path, names: tuple[str, ...]) -> dict[str, dict[int, bool]]:
    """Of each file the lines that have code, and whether they were reached."""
    out = subprocess.run(["llvm-cov", "export", "-format=lcov", f"-instr-profile={profile}",
                          str(program)], capture_output=True, text=True, check=True).stdout
    lines: dict[str, dict[int, bool]] = {}
    wanted = {str(ROOT / name): name for name in names}
    name = None
    for record in out.splitlines():
        if record.startswith("SF:"):
            name = wanted.get(os.path.realpath(record[3:]))
        elif record.startswith("DA:") and name:
            number, count = record[3:].split(",")[:2]
            lines.setdefault(name, {})[int(number)] = int(count) > 0
    return lines
