"""What may stand beside ``foreach``: how many children may fail, and how many go first; pure."""

from __future__ import annotations

FOREACH_EXTRAS = ("allow_empty", "canary", "max_failures")
"""Keywords that may stand beside ``foreach``."""


def canary_problem(value: object) -> str:
    """Why ``canary=value`` cannot be, in words; '' when it can."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return ""
    return f"canary={_shown(value)}: it takes a whole number of at least 1, such as canary=3"


def max_failures_problem(value: object) -> str:
    """Why ``max_failures=value`` cannot be, in words; '' when it can."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return ""
    if isinstance(value, str) and 0 <= _percent(value) <= 100:
        return ""
    return (
        f"max_failures={_shown(value)}: it takes a whole number of at least 0, or a share of the "
        "items as text, such as '2%'"
    )


def _percent(text: str) -> float:
    """2.0 for '2%'; -1 for what is none."""
    if not text.endswith("%"):
        return -1.0
    try:
        number = float(text[:-1])
    except ValueError:
        return -1.0
    return number if number == number else -1.0


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
