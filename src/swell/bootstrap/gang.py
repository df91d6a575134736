"""Keeps a gang together: its main node ends last, since the engine ends the others with it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable

from swell.bootstrap.place import Keys, Place
from swell.bootstrap.store import Store, StoreFailure

BEAT_S = 300.0
"""How often a node shows that it lives."""
SILENT_S = 900.0
"""A node that showed nothing for so long is gone, or will never begin: pulling its image may
take minutes, and a beat may be lost."""
_FIRST_LOOK_S = 0.2
_SLOWEST_LOOK_S = 5.0


class NodeBeats:
    """Signs of life of a node that is not the main one, until ``end``.

    A thread, since the flow's process runs meanwhile.
    """

    def __init__(self, store: Store, keys: Keys, every_s: float = BEAT_S) -> None:
        self._store = store
        self._keys = keys
        self._every_s = every_s
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="swell-node", daemon=True).start()

    def end(self) -> None:
        """Say that this node has told all it had to tell. Raises StoreFailure."""
        self._stop.set()
        self._store.write(lambda: self._keys.node_end, b"")

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._store.write(lambda: self._keys.node_beat(self._store.now()), b"")
            except StoreFailure:
                pass  # the next one says the same
            self._stop.wait(self._every_s)


class OtherNodes:
    """The nodes that end with the main one, as that sees them."""

    def __init__(self, store: Store, keys: Keys, place: Place, silent_s: float = SILENT_S) -> None:
        self._store = store
        self._keys = keys
        self._others = {str(index) for index in range(place.nodes)} - {str(place.index)}
        self._silent_s = silent_s

    def wait(self, is_over: Callable[[], bool], pause: Callable[[float], object]) -> None:
        """Return when all have ended or are silent, or ``is_over`` says so.

        ``pause`` waits for at most so many seconds. A store that does not answer is asked again.
        """
        began = time.monotonic()
        pause_s = _FIRST_LOOK_S
        while not is_over():
            try:
                keys = self._news()
            except StoreFailure:
                keys = None
            is_early = time.monotonic() - began < self._silent_s
            if keys is not None and not awaited(self._others, keys, is_early):
                return
            pause(pause_s * (0.5 + os.urandom(1)[0] / 255))
            pause_s = min(pause_s * 1.5, _SLOWEST_LOOK_S)

    def _news(self) -> list[str]:
        since = self._keys.nodes_since(self._store.now() - self._silent_s)
        return [one.key for one in self._store.listing(self._keys.nodes, since)]


def awaited(others: Collection[str], keys: Iterable[str], is_early: bool) -> set[str]:
    """Which of ``others`` must still be waited for.

    ``keys`` are their latest signs of life: <milliseconds>/<node>, ended/<node>. One that
    has shown nothing is waited for only while it ``is_early``: it may not have begun yet.
    """
    ended: set[str] = set()
    alive: set[str] = set()
    for key in keys:
        _, kind, node = key.rsplit("/", 2)
        (ended if kind == "ended" else alive).add(node)
    waiting = set(others) - ended
    return waiting if is_early else waiting & alive
