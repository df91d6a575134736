"""Which items of a foreach go first: the smallest, the largest, and random ones; pure but for
iterating."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from typing import Any

TWICE = (list, tuple, dict, set, frozenset, str, bytes)
"""What can be gone through twice; all else is looked at while it is stored."""


def size_of(item: object) -> float:
    """An item's measure: its number, its length, or the bytes of its pickle."""
    if isinstance(item, (int, float)):
        try:
            number = float(item)
        except OverflowError:
            return math.inf if item > 0 else -math.inf
        return 0.0 if math.isnan(number) else number
    try:
        return float(len(item))  # type: ignore[arg-type]  # what has no length raises
    except Exception:  # a class of the user's
        return _pickled_size(item)


def _pickled_size(item: object) -> float:
    import pickle

    try:
        return float(len(pickle.dumps(item, protocol=5)))
    except Exception:  # storing it will say so
        return 0.0


class CanaryChoice:
    """Chooses ``num`` of the items that go by, in memory that does not grow with them."""

    def __init__(self, num: int, chance: random.Random | None = None) -> None:
        self._num = num
        self._chance = chance or random.Random()
        self._count = 0
        self._smallest = (math.inf, 0)
        self._largest = (-math.inf, 0)
        self._sample: list[int] = []

    def over(self, items: Any) -> Any:
        """``items`` to be stored in its place; it is measured now, or as it is gone through."""
        if isinstance(items, range):
            ends = sorted({0, len(items) - 1}) if items else []
            for index in ends:
                self._measure(index, float(items[index]))
            wanted = min(self._num + 2, len(items))
            self._sample = self._chance.sample(range(len(items)), wanted)
            self._count = len(items)
            return items
        if isinstance(items, TWICE):
            for _ in self._watched(items):
                pass
            return items
        return self._watched(items)

    def indices(self) -> tuple[int, ...]:
        """The smallest item's index, the largest's, random ones; of one canary the largest's.

        Empty where all items would be canaries.
        """
        if self._count <= self._num:
            return ()
        chosen = [self._smallest[1], self._largest[1]]
        if self._num == 1:
            return (self._largest[1],)
        chosen = list(dict.fromkeys(chosen))
        for index in self._sample:
            if len(chosen) == self._num:
                break
            if index not in chosen:
                chosen.append(index)
        return tuple(chosen)

    def _watched(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._measure(self._count, size_of(item))
            self._choose(self._count)
            self._count += 1
            yield item

    def _measure(self, index: int, size: float) -> None:
        if size < self._smallest[0] or index == 0:
            self._smallest = (size, index)
        if size >= self._largest[0] or index == 0:
            self._largest = (size, index)

    def _choose(self, index: int) -> None:
        """Keep a uniform sample, large enough to leave out the smallest and the largest."""
        wanted = self._num + 2
        if len(self._sample) < wanted:
            self._sample.append(index)
            return
        place = self._chance.randrange(index + 1)
        if place < wanted:
            self._sample[place] = index
