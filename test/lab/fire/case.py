# SPDX-License-Identifier: GPL-2.0-or-later
"""What a row of the table is, and the words to write one with."""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .stand import Stand

Documents = dict[str, Any]  # path: what is served there
Act = Callable[["Stand"], None]


class Did(enum.Enum):
    """What sennitd is to do with an answer."""
    KEPT = "kept the last good state, took nothing"
    PARTLY = "left out what is wrong, took the rest"
    TOOK = "took it"
    AGAIN = "said so, read all again"


@dataclass(frozen=True)
class Case:
    """act makes the fault and lets it be seen. sennitd must do `did`, and say each of `says` in
    its log and in `sennit status`: of a failure, or of an entry that it left out.

    what: more that has to hold while the fault lasts. heal: how the fault ends, where serving
    the good documents again is not enough. long: too slow for every day."""
    name: str
    did: Did
    says: tuple[str, ...]
    act: Act
    what: Act | None = None
    heal: Act | None = None
    restarts: bool = False
    long: bool = False
    limit: float = field(default=8)
    file: bool = False  # the source is mesh.json
    comes: str = ""  # a host that is let in, without a subnet: with xfrm it gets a tunnel


def kept(name: str, says: str | tuple[str, ...], act: Act, **more: Any) -> Case:
    return Case(name, Did.KEPT, (says,) if isinstance(says, str) else says, act, **more)


def partly(name: str, says: str | tuple[str, ...], act: Act, **more: Any) -> Case:
    return Case(name, Did.PARTLY, (says,) if isinstance(says, str) else says, act, **more)


def again(name: str, says: str, act: Act, **more: Any) -> Case:
    return Case(name, Did.AGAIN, (says,), act, **more)


def took(name: str, says: str | tuple[str, ...], act: Act, **more: Any) -> Case:
    return Case(name, Did.TOOK, (says,) if isinstance(says, str) else says, act, **more)
