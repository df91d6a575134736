"""How much to ask for, from what attempts used: one rule for advice and for ``"auto"``; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

QUANTILE = 0.98
"""Of the attempts so many are to fit into what ``"auto"`` asks for; the rest grows."""
MARGIN = 1.05
"""Times what was used: the same code on the same data needs a few percent more or less."""
LEAST_MEMORY_MB = 64
"""Less is never advised: hardly a Python process runs in it."""
_STEPS = (1, 2.5, 5)
_ROUNDING = 0.02
"""Numbers are rounded up to fine ones, by less than this share of what was used."""


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` that at least ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def memory_to_ask(peak_mb: float) -> int:
    """Whole MB to ask for where ``peak_mb`` were needed: above it, by 7 % at most (from 100 MB
    on), and a number that is easily read: 7,500 for 7,112. The peak of a forked attempt is told
    some MB too high: so the sum stays within 10 % of the truth."""
    wanted = max(peak_mb * MARGIN, LEAST_MEMORY_MB)
    return math.ceil(wanted / _step(peak_mb)) * _step(peak_mb)


def cpu_to_ask(cores: float) -> float:
    """Whole cores to ask for where ``cores`` were busy in the mean, at least one: beside too many
    others a task is busy less than it would be, and to ask for that would make it worse.

    A tenth of a core over a whole number is not worth another one.
    """
    return float(max(1, math.ceil(cores - 0.1)))


def _step(peak_mb: float) -> int:
    """The largest of 1, 5, 10, 25, 50, 100, 250… that rounding up to costs little."""
    most = peak_mb * _ROUNDING
    steps = (factor * 10**power for power in range(7) for factor in _STEPS)
    return max([int(step) for step in steps if step == int(step) and step <= most], default=1)
