"""Notices whether the script seeds Python's global generator; loaded with the first import.

So it imports nothing but ``random`` itself.
"""

from __future__ import annotations

import random
from typing import Any


class WatchedSeed:
    """Stands in for ``random.seed`` and knows whether it was called with a seed."""

    def __init__(self, seed: Any) -> None:
        self._seed = seed
        self.seeded = False
        self.__doc__ = seed.__doc__
        self.__name__ = "seed"

    def __call__(self, a: Any = None, version: int = 2) -> None:
        """Seed Python's global generator."""
        self._seed(a, version)
        self.seeded = a is not None

    def __reduce__(self) -> tuple[Any, ...]:
        return (getattr, (random, "seed"))


def watch_random_seed() -> WatchedSeed:
    """Note from now on whether ``random.seed`` is called. Twice is as good as once."""
    if isinstance(random.seed, WatchedSeed):
        return random.seed
    watched = WatchedSeed(random.seed)
    random.seed = watched
    return watched
