"""Which failures a step's retries are for, and with how much memory a task comes again.

Pure, and here so that the driver and the attempt itself decide alike.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from swell.model.cause import Cause

CAUSES = tuple(
    cause.value
    for cause in Cause
    if cause not in (Cause.OK, Cause.CANCELLED)  # nothing follows these
)
"""Causes that ``@retry(on=…)`` may name."""
USUAL_GROWTH = 2.0
"""How many times the memory an attempt gets after one that ran out of it."""
MOST_GROWTHS = 10
"""So often the memory of one task grows at most: a thousandfold where it doubles."""


def type_name(kind: type) -> str:
    """'ValueError' for a builtin, else 'package.module.Class'."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def kinds_of(error: BaseException) -> tuple[str, ...]:
    """What ``error`` is an instance of, its own class first, as far up as says something."""
    general = (BaseException, object)
    return tuple(type_name(kind) for kind in type(error).__mro__ if kind not in general)


def is_meant(on: Collection[str], cause: Cause, kinds: Collection[str]) -> bool:
    """Whether retries for ``on`` (causes, names of exceptions; none: any failure) are for a
    failure of that cause whose exception is of these ``kinds``."""
    if not on or cause.value in on:
        return True
    return any(kind in on or kind.rpartition(".")[2] in on for kind in kinds)


def grown_memory(memory_mb: int | None, growth: float | None, most_mb: int | None) -> int | None:
    """``memory_mb`` times ``growth``, up to ``most_mb``; None where that is not more, or where
    nobody said how much it was."""
    if memory_mb is None or growth is None:
        return None
    grown = math.ceil(memory_mb * growth)
    if most_mb is not None:
        grown = min(grown, most_mb)
    return grown if grown > memory_mb else None
