"""What of the tasks' output scrolls by on a terminal: all of it while it is little."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from swell.model.ids import JobId

LINES_PER_S = 50.0
BURST_LINES = 200
_TAIL_LINES = 8
_TAIL_FOR_S = 3.0
_BEGINNINGS = (
    "Traceback (most recent call last):",
    "  + Exception Group Traceback (most recent call last):",
    "swell.errors.",
)
"""How a traceback begins; one without frames begins with its exception."""


class Shown(NamedTuple):
    """A line of a task: ``place`` is 'step/task'."""

    place: str
    text: str


class OutputGate:
    """Lets the lines of one step through until they come faster than a person reads.

    Up to 200 lines at once and 50 a second scroll by. Past that none do, so that what is
    seen has no holes, until the rate has been below it for some seconds.
    """

    def __init__(self) -> None:
        self.is_shut = False
        self.hidden = 0
        """Lines that did not scroll by since the run began."""
        self.hidden_at = 0.0
        self._tokens = float(BURST_LINES)
        self._at = 0.0

    def passes(self, at: float) -> bool:
        """Whether a line printed at ``at`` (seconds) is to scroll by."""
        self.settle(at)
        if self._tokens >= 1:
            self._tokens -= 1
        else:
            self.is_shut = True
        if self.is_shut:
            self.hidden += 1
            self.hidden_at = at
        return not self.is_shut

    def settle(self, at: float) -> None:
        """Time has come to ``at``: open again if it has been calm."""
        if at > self._at:
            self._tokens = min(BURST_LINES, self._tokens + (at - self._at) * LINES_PER_S)
            self._at = at
        if self.is_shut and self._tokens >= BURST_LINES / 2:
            self.is_shut = False


class OutputGates:
    """The output of all steps on its way to the terminal.

    A step that prints much does not keep another one's lines from being seen.
    """

    def __init__(self) -> None:
        self.tail: deque[Shown] = deque(maxlen=_TAIL_LINES)
        """The latest lines that did not scroll by."""
        self._gates: dict[str, OutputGate] = {}
        self._told: dict[str, int] = {}

    def passes(self, step: str, line: Shown, at: float) -> bool:
        """Whether ``line`` of ``step`` is to scroll by."""
        gate = self._gates.get(step)
        if gate is None:
            gate = self._gates[step] = OutputGate()
        if gate.passes(at):
            return True
        self.tail.append(line)
        return False

    @property
    def hidden(self) -> int:
        """Lines that did not scroll by since the run began."""
        return sum(gate.hidden for gate in self._gates.values())

    def is_hiding(self, at: float) -> bool:
        """Whether lines were hidden in the last seconds."""
        return any(
            gate.is_shut and at - gate.hidden_at < _TAIL_FOR_S for gate in self._gates.values()
        )

    def gaps(self, at: float) -> list[tuple[str, int]]:
        """Steps that have become calm at ``at``, with how many of their lines were hidden."""
        gaps = []
        for step, gate in self._gates.items():
            gate.settle(at)
            hidden = gate.hidden - self._told.get(step, 0)
            if hidden and not gate.is_shut:
                self._told[step] = gate.hidden
                gaps.append((step, hidden))
        return gaps


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
            if not text.startswith(_BEGINNINGS):
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
