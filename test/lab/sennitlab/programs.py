# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the programs under test are: $SENNIT_BUILD, else build/."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Programs:
    build: Path

    @property
    def sennitd(self) -> Path:
        return self.build / "src/daemon/sennitd"

    @property
    def sennit(self) -> Path:
        return self.build / "src/cli/sennit"

    @property
    def metadata(self) -> Path:
        return self.build / "tools/metadata/sennit-metadata"

    @property
    def probe(self) -> Path:
        return self.build / "tools/probe/sennit-probe"

    @property
    def flows(self) -> Path:
        return self.build / "test/lab/sennit-flows"

    def every(self) -> list[Path]:
        return [self.sennitd, self.sennit, self.metadata, self.probe, self.flows]

    def missing(self) -> list[Path]:
        return [path for path in self.every() if not path.exists()]


def find() -> Programs:
    return Programs((ROOT / os.environ.get("SENNIT_BUILD", "build")).resolve())
