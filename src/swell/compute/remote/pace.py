"""How often to look: soon after something happened, ever more seldom when nothing does."""

from __future__ import annotations


class Pace:
    """A wait that starts at ``shortest_s`` and grows by ``growth`` up to ``longest_s``."""

    def __init__(self, shortest_s: float, longest_s: float, growth: float = 1.3) -> None:
        self._shortest_s = shortest_s
        self._longest_s = longest_s
        self._growth = growth
        self._wait_s = shortest_s
        self.next_at = 0.0

    def looked(self, now: float, *, found: bool) -> None:
        """A look was made at ``now``; with or without something new."""
        wait = self._wait_s * self._growth
        self._wait_s = self._shortest_s if found else min(self._longest_s, wait)
        self.next_at = now + self._wait_s

    def hurry(self, now: float) -> None:
        """Something is about to happen: look after the shortest wait again."""
        self._wait_s = self._shortest_s
        self.next_at = min(self.next_at, now + self._shortest_s)


class Paces:
    """How often the store is looked at, and the engine asked; ``poll_s`` is the shortest wait."""

    def __init__(self, poll_s: float) -> None:
        self.store = Pace(poll_s, 10 * poll_s)
        self.engine = Pace(min(5.0, 5 * poll_s), 30.0, growth=1.5)

    def hurry(self, now: float) -> None:
        """Something is about to happen."""
        self.engine.hurry(now)
        self.store.hurry(now)

    def failed(self, now: float) -> None:
        """One of them did not answer."""
        self.store.looked(now, found=False)
        self.engine.looked(now, found=False)
