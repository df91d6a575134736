"""A clock that stands still until a test moves it."""

from __future__ import annotations


class FakeClock:
    """Call it for the time in Unix seconds; ``advance`` moves it, ``step_s`` does at each call."""

    def __init__(self, now: float = 1_000.0, *, step_s: float = 0.0) -> None:
        self.now = now
        self._step_s = step_s

    def __call__(self) -> float:
        self.now += self._step_s
        return self.now

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.now += seconds
