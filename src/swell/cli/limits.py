"""What is given with ``--limit``: names and how much of each there is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from swell.errors import UsageError


def parse_limits(texts: Sequence[str]) -> dict[str, float]:
    """``NAME=N``, or several with commas between; of a name given twice the last counts.

    Raises UsageError for what is none of that.
    """
    found = {}
    for text in (part for given in texts for part in given.split(",")):
        name, equals, amount = (part.strip() for part in text.partition("="))
        if not equals or not name.isidentifier():
            raise UsageError(
                f"--limit {text.strip()!r} is not NAME=N.", remedy="Write it like --limit api=5."
            )
        number = _number(amount)
        if number is None:
            raise UsageError(
                f"--limit {name} is {amount!r}.", remedy="Give a number above 0, like api=5."
            )
        if name == "gpu" and number != int(number):
            raise UsageError(f"--limit gpu is {amount}.", remedy="Give a whole number.")
        found[name] = number
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
