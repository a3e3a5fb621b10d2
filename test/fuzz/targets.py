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
# seconds of the wall, on a machine that may be loaded; what a parser holds is bounded, too
LIMITS = ("-timeout=20", "-rss_limit_mb=1024", "-max_len=8192", "-verbosity=0")

# The files whose lines a target is there to reach; of one that does other things too, the
# functions: "FILE:f,g".
PARSERS = {
    "apparmor": ("src/inspect/apparmor.c",),
    "attachments": ("src/attach/store.c",),
    "charon_answers": ("src/ike/sa.c", "src/ike/conn.c:read_addr,read_children,read_self,"
                       "conn_read,read_key,cmp_keys,conn_read_keys"),
    "config": ("src/model/config.c",),
    "ctl": ("src/ctl/frame.c",),
    "echo": ("src/probe/echo.c",),
    "heartbeat": ("src/probe/heartbeat.c",),
    "http": ("src/api/http_request.c",),
    "icmp_word": ("src/probe/icmp_word.c",),
    "identity": ("src/daemon/identity.c",),
    "ike_answer": ("src/probe/ike_probe.c:find_name,ike_notify_name,ike_group_name,"
                   "transform_name,get16,get32,has_marker,ike_message_spi,add_transform,"
                   "read_proposal,read_hash,read_notify,read_v1_notify,read_vendor,"
                   "read_payload,read_payloads,kind_of_v2,ike_answer_parse",),
    "legacy": ("src/inspect/legacy.c:verdict_of,look_at_ports,is_for_everything,look_at_rule,"
               "chain_drops,entry_at,legacy_parse",),
    "look_around": ("src/metadata/look_around.c:next_line,look_around_resolv_conf,"
                    "look_around_route,parse_hex,look_around_ipv6_route",),
    "mesh_file": ("src/model/mesh_file.c",),
    "metadata_answer": ("tools/metadata/answer.c", "tools/metadata/document.c",
                        "tools/metadata/history.c", "tools/metadata/render.c"),
    "metadata_arguments": ("tools/metadata/arguments.c",),
    "metadata_request": ("tools/metadata/request.c",),
    "rancher": ("src/model/rancher.c", "src/model/settle.c", "src/model/claims.c",
                "src/model/draft.c"),
    "rancher_changes": ("src/model/rancher_changes.c",),
    "rancher_entries": ("src/model/json_stream.c",),
    "redact": ("src/inspect/redact.c",),
    "render": ("src/cli/render.c", "src/cli/render_peers.c", "src/cli/render_status.c",
               "src/cli/face.c"),
    "resolv_conf": ("src/inspect/resolv_conf.c",),
    "ruleset": ("src/inspect/ruleset.c",),
    "secret": ("src/secret/secret.c",),
    "snapshot": ("src/model/stored.c",),
    "sysctls": ("src/net/sysctl.c:path_is_valid,full_path,sysctl_read,find,sysctl_original,read_field,"
                "read_record,read_records,load_file,sysctls_load,sysctls_free,observe_one,"
                "sysctl_observe",),
    "token": ("src/metadata/token.c",),
    "verbs": ("src/daemon/verbs.c",),
    "vici": ("src/ike/vici_codec.c",),
}

# And those that several targets reach together.
SHARED = {
    "src/model/rancher_facts.c": ("rancher", "rancher_changes", "rancher_entries"),
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


def reached(program: Path, profile: Path, parsers: tuple[str, ...]) -> dict[str, dict[int, bool]]:
    """Of each file the lines that have code, and whether they were reached."""
    out = subprocess.run(["llvm-cov", "export", "-format=lcov", f"-instr-profile={profile}",
                          str(program)], capture_output=True, text=True, check=True).stdout
    wanted = dict(parser.partition(":")[::2] for parser in parsers)
    lines: dict[str, dict[int, bool]] = {}
    name, functions = "", {}
    for record in out.splitlines():
        kind, _, rest = record.partition(":")
        if kind == "SF":
            name, functions = os.path.relpath(os.path.realpath(rest), ROOT), {}
        elif kind == "FN":
            line, function = rest.split(",", 1)
            functions[int(line)] = function.rpartition(":")[2]
        elif kind == "DA" and name in wanted:
            number, count = map(int, rest.split(",")[:2])
            inside = functions.get(max((n for n in functions if n <= number), default=0), "")
            if not wanted[name] or inside in wanted[name].split(","):
                lines.setdefault(name, {})[number] = count > 0
    return lines
