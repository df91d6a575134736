"""Writers and cleaners whose every call to a store is one step, in an order that a seed decides.

Actors are threads of which one runs at a time: each stops before every call of the metadata
store or the store of Blobs, and goes on when it is chosen. After every step all Blobs that
committed facts refer to must be there.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from swell.errors import DataMissing
from swell.model.facts import RunFact
from swell.model.ids import RunId
from swell.seams.storage import Entry
from swell.testing.fake_clock import FakeClock

DEADLINE_S = 60.0
HOUR_S = 3600.0


class Turns:
    """Lets actors run one step at a time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._here = threading.local()
        self._stopped = threading.Semaphore(0)
        self._actors: dict[str, threading.Semaphore] = {}
        self._errors: list[BaseException] = []

    def step(self) -> None:
        """Stop until chosen; threads that are no actors go on."""
        turn = getattr(self._here, "turn", None)
        if turn is not None:
            self._stopped.release()
            assert turn.acquire(timeout=DEADLINE_S)

    def add(self, name: str, act: Callable[[], None]) -> None:
        """A new actor, which waits for its first turn."""
        turn = self._actors[name] = threading.Semaphore(0)

        def work() -> None:
            self._here.turn = turn
            turn.acquire()
            try:
                act()
            except BaseException as error:
                self._errors.append(error)
            del self._actors[name]
            self._here.turn = None
            self._stopped.release()

        threading.Thread(target=work, name=name, daemon=True).start()

    def run(self, steps: int, after: Callable[[], None]) -> int:
        """Up to ``steps`` steps, until no actor is left; how many."""
        for done in range(steps):
            if not self._actors:
                return done
            name = self.random.choice(sorted(self._actors))
            self._actors[name].release()
            assert self._stopped.acquire(timeout=DEADLINE_S), f"{name} does not stop"
            if self._errors:
                raise self._errors[0]
            after()
        return steps


class SteppedMetastore:
    """The methods of a metadata store, one step each."""

    def __init__(self, store: Any, turns: Turns, truth: Truth) -> None:
        self._store = store
        self._turns = turns
        self._truth = truth

    def delete_run(self, run: RunId, **also: Any) -> bool:
        self._turns.step()
        is_gone: bool = self._store.delete_run(run, **also)
        if is_gone:
            del self._truth.committed[run]
        return is_gone

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*given: Any, **also: Any) -> Any:
            self._turns.step()
            found = method(*given, **also)
            # Read now, not when somebody goes through it.
            return iter(list(found)) if name == "left_by" else found

        return call


class MemoryBucket:
    """The methods of ``ObjectStorage`` that sweeping and storing need, one step each."""

    url = "memory://bucket"

    def __init__(self, turns: Turns, clock: FakeClock) -> None:
        self._turns = turns
        self._clock = clock
        self.values: dict[str, tuple[bytes, float]] = {}

    def write(self, key: str, buffers: Sequence[bytes | memoryview]) -> bool:
        self._turns.step()
        if key in self.values:
            return False
        self._put(key, buffers)
        return True

    def upload(self, key: str, buffers: Sequence[bytes | memoryview], *_: Any) -> None:
        self._turns.step()
        self._put(key, buffers)

    def entry(self, key: str) -> Entry | None:
        self._turns.step()
        if key not in self.values:
            return None
        data, at = self.values[key]
        return Entry(key, len(data), at)

    def read(self, key: str, start: int = 0, length: int | None = None) -> memoryview:
        if key not in self.values:
            raise DataMissing(key)
        return memoryview(self.values[key][0])[start:][:length]

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        self._turns.step()
        found = [(key, value) for key, value in self.values.items() if key.startswith(prefix)]
        return iter(sorted(Entry(key, len(data), at) for key, (data, at) in found if key > after))

    def delete(self, keys: Sequence[str]) -> None:
        self._turns.step()
        for key in keys:
            self.values.pop(key, None)

    delete_once = delete

    def _put(self, key: str, buffers: Sequence[bytes | memoryview]) -> None:
        self.values[key] = (b"".join(buffers), self._clock())


class MemoryFolder(MemoryBucket):
    """The same as a local store: looking at an age and deleting are one step."""

    url = "memory://folder"

    def write(self, key: str, buffers: Sequence[bytes | memoryview]) -> bool:
        while True:
            if self.refresh(key):
                return False
            self._turns.step()
            if key not in self.values:
                self._put(key, buffers)
                return True

    def refresh(self, key: str) -> bool:
        self._turns.step()
        if key not in self.values:
            return False
        self._put(key, [self.values[key][0]])
        return True

    def delete_older(self, keys: Sequence[str], before: float) -> list[str]:
        self._turns.step()
        gone = [key for key in keys if key in self.values and self.values[key][1] < before]
        for key in gone:
            del self.values[key]
        return gone


class Truth:
    """What must hold: the Blobs of committed facts, and the runs that go on."""

    def __init__(self) -> None:
        self.committed: dict[RunId, set[str]] = {}
        self.alive: set[RunId] = set()

    def goes_on(self, run: RunFact) -> bool:
        return run.id in self.alive

    def lost(self, there: set[str]) -> list[tuple[RunId, str]]:
        """Committed references to Blobs that are not there."""
        return [(run, key) for run, keys in self.committed.items() for key in sorted(keys - there)]
