# SPDX-License-Identifier: GPL-2.0-or-later
"""conf/mesh.schema.json is a schema, the example fits it, and what the parser refuses it refuses."""

import copy
import json
import pathlib

import jsonschema
import pytest

CONF = pathlib.Path(__file__).resolve().parents[2] / "conf"
SCHEMA = json.loads((CONF / "mesh.schema.json").read_text())
EXAMPLE = json.loads((CONF / "mesh.example.json").read_text())


def validator():
    return jsonschema.Draft202012Validator(
        SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def with_host(**members):
    """A mesh whose second host differs from the example's; None takes a member out."""
    mesh = copy.deepcopy(EXAMPLE)
    for key, value in members.items():
        if value is None:
            mesh["hosts"][1].pop(key, None)
        else:
            mesh["hosts"][1][key] = value
    return mesh


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_example_fits():
    validator().validate(EXAMPLE)


@pytest.mark.parametrize(
    "mesh",
    [
        with_host(state=None, prefixes=None, containers=None, created=None, overlay_ip=None),
        with_host(addresses=["2001:db8::1"]),
        with_host(containers=[{"ip": "10.42.9.9"}]),
        with_host(prefixes=["10.42.9.9"]),
        with_host(created="2026-11-23T07:00:00.5+01:00"),
        with_host(id="x" * 63),
        {**EXAMPLE, "overlay": ["10.42.0.0/16", "fd00:42::/48"]},
        with_host(prefixes=["10.42.9.0/24", "fd00:42:0:9::/64"],
                  overlay_ip=["10.42.9.1", "fd00:42:0:9::1"]),
    ],
)
def test_good_meshes_fit(mesh):
    validator().validate(mesh)


@pytest.mark.parametrize(
    "mesh",
    [
        [],
        {},
        {**EXAMPLE, "mesh": "%any"},
        {**EXAMPLE, "overlay": 7},
        {**EXAMPLE, "overlay": "all"},
        {**EXAMPLE, "overlay": []},
        {**EXAMPLE, "overlay": ["10.42.0.0/16", "fd00:42::/48", "fd00:43::/48"]},
        {**EXAMPLE, "hosts": []},
        {**EXAMPLE, "hosts": {}},
        {**EXAMPLE, "unknown": 1},
        with_host(id=None),
        with_host(id="*"),
        with_host(id="a\n"),
        with_host(id="x" * 64),
        with_host(id=7),
        with_host(addresses=None),
        with_host(addresses=[]),
        with_host(addresses=["192.0.2"]),
        with_host(addresses=["host.example"]),
        with_host(addresses=["192.0.2.1"] * 17),
        with_host(prefixes="10.42.1.0/24"),
        with_host(prefixes=["10.42.1.0/0999"]),
        with_host(state="gone"),
        with_host(created="yesterday"),
        with_host(overlay_ip="x"),
        with_host(name=7),
        with_host(unknown=1),
        with_host(containers=[{"name": "x"}]),
        with_host(containers=[{"ip": "10.42.9.9", "mac": "x"}]),
    ],
)
def test_wrong_meshes_do_not(mesh):
    assert not validator().is_valid(mesh)
