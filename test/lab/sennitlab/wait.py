# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for conditions. The only place of the lab that sleeps."""

import json
import math
import os
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# All limits times this: a machine under emulation is slower, and no test is about that.
PATIENCE = float(os.environ.get("SENNIT_LAB_PATIENCE", "1"))
# What a look at a moving system may raise while it is not there yet.
NOT_YET = (OSError, LookupError, ValueError, json.JSONDecodeError, subprocess.SubprocessError)


class Unmet(AssertionError):
    """A condition did not come true in time; the text says what was seen."""


def patient(seconds: float) -> float:
    """A bound or a time-out as this machine can be held to it."""
    return seconds * PATIENCE


def bound(seconds: float) -> float:
    """What is promised within this time. Under emulation no duration says anything: no bound,
    that it comes at all is what a wait's limit is for."""
    return seconds if PATIENCE == 1 else math.inf


def wait_for(predicate: Callable[[], T], limit: float, what: str,
             seen: Callable[[], str] | None = None, step: float = 0.01) -> T:
    """The first true value of predicate(), looked at every `step` seconds.

    Raises Unmet after `limit` seconds (times PATIENCE), with seen() to explain."""
    limit = patient(limit)
    end = time.monotonic() + limit
    while True:
        last: object
        try:
            value = predicate()
            if value:
                return value
            last = value
        except NOT_YET as e:
            last = f"{type(e).__name__}: {e}"
        if time.monotonic() >= end:
            text = f"not within {limit:g} s: {what} (last look: {last!r})"
            raise Unmet(text + ("\n" + seen() if seen else ""))
        time.sleep(step)
