"""Trying again: how often, after which waits, and saying so."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from swell.errors import SwellError

_T = TypeVar("_T")
Say = Callable[[str], None]

_QUIET_S = 1.0


class Patience(msgspec.Struct, frozen=True):
    """At most ``retries`` further tries, none begun later than ``within_s`` after the first.

    Waits double from ``first_wait_s`` to ``max_wait_s``; each is cut by a random part of
    up to a half, so that a thousand tasks do not come back at once.
    """

    retries: int = 6
    first_wait_s: float = 0.5
    max_wait_s: float = 10.0
    within_s: float = 120.0


def wait_before(patience: Patience, retry: int, chance: float) -> float:
    """Seconds before ``retry`` (1, 2, …); ``chance`` is random, from 0 to 1."""
    longest = min(patience.max_wait_s, patience.first_wait_s * 2.0 ** (retry - 1))
    return longest * (1 - chance / 2)


class Persistence:
    """Tries calls again as ``patience`` allows; ``say`` is told before each wait.

    Safe for many threads; those that wait for the same fault say it once a second.
    """

    def __init__(
        self,
        patience: Patience,
        say: Say,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._patience = patience
        self._say = say
        self._sleep = sleep
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._said_at: float | None = None

    def call(
        self, attempt: Callable[[int], _T], mapped: Callable[[BaseException], SwellError]
    ) -> _T:
        """``attempt(n)`` with n = 0, 1, …; what it raises is ``mapped``, and tried again
        where that is retryable. Raises the last mapped error."""
        began = self._clock()
        patience = self._patience
        tries = 0
        while True:
            try:
                return attempt(tries)
            except SwellError:
                raise
            except Exception as error:
                told = mapped(error)
                tries += 1
                wait = wait_before(patience, tries, self._chance())
                is_late = self._clock() + wait - began > patience.within_s
                if not told.retryable or tries > patience.retries or is_late:
                    if tries > 1:
                        told.message += f" Tried {tries} times in {self._clock() - began:.0f} s."
                    raise told from error
            self._tell(f"{told.message} Trying again in {wait:.1f} s ({tries} of "
                       f"{patience.retries}).")  # fmt: skip
            self._sleep(wait)

    def _tell(self, text: str) -> None:
        with self._lock:
            now = self._clock()
            if self._said_at is not None and now - self._said_at < _QUIET_S:
                return
            self._said_at = now
        self._say(text)
