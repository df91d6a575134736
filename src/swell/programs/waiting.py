"""Waiting written once, as a generator of pauses, for callers that block and that await."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

_SHORTEST_S = 0.005
_LONGEST_S = 0.05


def pauses() -> Iterator[float]:
    """Seconds to pause between two looks, without end: 5 ms at first, then up to 50."""
    pause = _SHORTEST_S
    while True:
        yield pause
        pause = min(pause * 1.5, _LONGEST_S)


def _nothing() -> None:
    return None


def block(waiting: Iterator[float], meanwhile: Callable[[], None] = _nothing) -> None:
    """Go through ``waiting`` asleep; before each pause do ``meanwhile``."""
    for pause in waiting:
        meanwhile()
        time.sleep(pause)


async def unblocked(waiting: Iterator[float], meanwhile: Callable[[], None] = _nothing) -> None:
    """The same, letting others of the event loop go on."""
    from asyncio import sleep  # late: it costs 40 ms, and many callers only block

    for pause in waiting:
        meanwhile()
        await sleep(pause)
