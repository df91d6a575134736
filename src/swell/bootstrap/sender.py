"""Sends news to the store in their order, from a thread of its own, until told to finish."""

from __future__ import annotations

import threading
import time
from collections import deque

from swell.bootstrap.place import Keys
from swell.bootstrap.store import Store, StoreFailure

_ROUND_S = 60.0
_MAX_PAUSE_S = 30.0


class _News:
    def __init__(self, kind: str, number: int, body: bytes) -> None:
        self.kind = kind
        self.number = number
        self.body = body


class Sender:
    """News of one attempt. What the store does not take is tried again until ``finish``.

    A thread, so that the flow's process is watched and its pipes are emptied while the
    store is slow or away.
    """

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys
        self._waiting: deque[_News] = deque()
        self._change = threading.Condition()
        self._give_up: float | None = None
        self._failure: StoreFailure | None = None
        self._thread = threading.Thread(target=self._run, name="swell-sender", daemon=True)
        self._thread.start()

    def send(self, kind: str, number: int, body: bytes) -> None:
        """Put news behind those that wait."""
        with self._change:
            self._waiting.append(_News(kind, number, body))
            self._change.notify()

    def finish(self, limit_s: float) -> None:
        """Return when all is stored. Raises StoreFailure when it is not after ``limit_s``."""
        with self._change:
            self._give_up = time.monotonic() + limit_s
            self._change.notify()
        self._thread.join(limit_s + _ROUND_S)
        if self._failure is not None:
            raise self._failure
        if self._waiting or self._thread.is_alive():
            raise StoreFailure(f"The store took nothing for {limit_s:.0f} s.", is_passing=True)

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._waiting and self._give_up is None:
                    self._change.wait()
                if not self._waiting:
                    return
                news = self._waiting[0]
            failure = self._stored(news)
            if failure is not None:
                self._failure = failure
                return
            self._waiting.popleft()

    def _stored(self, news: _News) -> StoreFailure | None:
        pause_s = 1.0
        while True:
            try:
                # The time is that of each try: who looks later begins at a later time. A
                # key that is there is another job's, of the same millisecond.
                while not self._store.write(
                    lambda: self._keys.news(news.kind, news.number, self._store.now()),
                    news.body,
                    self._time_left(),
                ):
                    time.sleep(0.002)
            except StoreFailure as failure:
                if self._time_left() <= 0:
                    return failure
            else:
                return None
            with self._change:
                self._change.wait_for(lambda: self._give_up is not None, pause_s)
            pause_s = min(pause_s * 2, _MAX_PAUSE_S)

    def _time_left(self) -> float:
        if self._give_up is None:
            return _ROUND_S
        return min(_ROUND_S, self._give_up - time.monotonic())
