"""Counts the seconds that a task waits for what it reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from swell.model.record import ArtifactRef, ItemRef
from swell.task.door import Comparer

T = TypeVar("T")


class TimedStore:
    """``store``, with the time that reading took in ``seconds``."""

    def __init__(self, store: Comparer) -> None:
        self.seconds = 0.0
        self._store = store

    def load(self, ref: ArtifactRef) -> object:
        return self._timed(lambda: self._store.load(ref))

    def load_many(self, refs: Sequence[ArtifactRef]) -> list[object]:
        return self._timed(lambda: self._store.load_many(refs))

    def load_item(self, ref: ItemRef) -> object:
        return self._timed(lambda: self._store.load_item(ref))

    def open_pack(self, path: str) -> Sequence[bytes]:
        return self._timed(lambda: self._store.open_pack(path))

    def same_content(self, one: ArtifactRef, other: ArtifactRef) -> bool:
        return self._store.same_content(one, other)

    def _timed(self, read: Callable[[], T]) -> T:
        began = time.perf_counter()
        try:
            return read()
        finally:
            self.seconds += time.perf_counter() - began
