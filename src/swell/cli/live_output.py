"""What of the tasks' output scrolls by on a terminal: all of it while it is little."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from swell.model.ids import JobId

LINES_PER_S = 50.0
BURST_LINES = 200
_TAIL_LINES = 8
_TRACEBACK = "Traceback (most recent call last):"
_GROUP_TRACEBACK = "  + Exception Group Traceback (most recent call last):"


class Shown(NamedTuple):
    """A line of a task: ``place`` is 'step/task'."""

    place: str
    text: str


class OutputGate:
    """Lets lines through until they come faster than a person reads.

    Up to 200 lines at once and 50 a second scroll by. Past that none do, so that what is
    seen has no holes, until the rate has been below it for some seconds.
    """

    def __init__(self) -> None:
        self.is_shut = False
        self.hidden = 0
        """Lines that did not scroll by, since the run began."""
        self.tail: deque[Shown] = deque(maxlen=_TAIL_LINES)
        self._tokens = float(BURST_LINES)
        self._at = 0.0

    def passes(self, line: Shown, at: float) -> bool:
        """Whether ``line``, printed at ``at`` (seconds), is to scroll by."""
        self._refill(at)
        has_token = self._tokens >= 1
        if has_token:
            self._tokens -= 1
        if not has_token:
            self.is_shut = True
        elif self.is_shut and self._tokens >= BURST_LINES / 2:
            self.is_shut = False
        if self.is_shut:
            self.hidden += 1
            self.tail.append(line)
        return not self.is_shut

    def _refill(self, at: float) -> None:
        if at > self._at:
            self._tokens = min(BURST_LINES, self._tokens + (at - self._at) * LINES_PER_S)
            self._at = at


class HeldTracebacks:
    """Holds back a traceback that a task prints, until it is known whether the task ended of
    it: then the view says so in one line, and the report at the end shows it once."""

    def __init__(self) -> None:
        self._held: dict[JobId, list[str]] = {}
        self._since: dict[JobId, float] = {}
        self._places: dict[JobId, str] = {}

    def takes(self, job: JobId, place: str, text: str, at: float) -> bool:
        """Whether a line of stderr is held back."""
        held = self._held.get(job)
        if held is None:
            if text not in (_TRACEBACK, _GROUP_TRACEBACK):
                return False
            held = self._held[job] = []
            self._since[job] = at
            self._places[job] = place
        held.append(text)
        return True

    def end(self, job: JobId, traceback: str | None) -> list[Shown]:
        """``job`` ended, of ``traceback`` if of any: lines that are to be shown after all."""
        held = self._held.pop(job, None)
        if held is None:
            return []
        del self._since[job]
        place = self._places.pop(job)
        own = (traceback or "").rstrip().splitlines()
        if own and held[: len(own)] == own:
            held = held[len(own) :]
        return [Shown(place, text) for text in held]

    def release(self, before: float) -> list[Shown]:
        """Lines held since before ``before``: their tasks go on, so they are output like any."""
        if not self._since:
            return []
        due = [job for job, since in self._since.items() if since < before]
        return [line for job in due for line in self.end(job, None)]
