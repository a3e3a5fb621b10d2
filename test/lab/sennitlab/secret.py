# SPDX-License-Identifier: GPL-2.0-or-later
"""The mesh's secret, what is derived from it, and the search for both."""

import base64
import hashlib
import os
from itertools import combinations
from pathlib import Path


def generate() -> bytes:
    return os.urandom(32)


def write(path: Path, *secrets: bytes) -> None:
    """The first is the one that is used; a reader sees the old file or the new one."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.writelines(base64.b64encode(secret) + b"\n" for secret in secrets)
    new.rename(path)


def pair_key(secret: bytes, mesh: str, a: str, b: str) -> bytes:
    """As src/secret/secret.h says, from hashlib instead of libsodium."""
    words = ["sennit-psk-v1", mesh, *sorted((a, b), key=str.encode)]
    data = b"".join(bytes([len(w.encode())]) + w.encode() for w in words)
    return hashlib.blake2b(data, key=secret, digest_size=32).digest()


class Search:
    """Finds any secret of a mesh in any usual writing: raw, base64, hex."""

    def __init__(self, secret: bytes, mesh: str, hosts: list[str]) -> None:
        self.patterns: dict[bytes, str] = {}
        self._add("the mesh secret", secret)
        for a, b in combinations(hosts, 2):
            self._add(f"the key of {a} and {b}", pair_key(secret, mesh, a, b))

    def _add(self, name: str, value: bytes) -> None:
        # the end of a base64 text depends on what follows; 40 of 44 characters never do
        for form, data in (("raw", value), ("base64", base64.b64encode(value)[:40]),
                           ("base64url", base64.urlsafe_b64encode(value)[:40]),
                           ("hex", value.hex().encode()),
                           ("HEX", value.hex().upper().encode())):
            self.patterns.setdefault(data, f"{name} ({form})")

    def found_in(self, data: bytes) -> list[str]:
        return [name for pattern, name in self.patterns.items() if pattern in data]
