"""When an attempt is ended by us, and how: decisions only, no clock, no process."""

from __future__ import annotations

import signal

LOST_REASON = "swell: driver lost"
"""Why an array is ended by an attempt of its own; the driver that takes over reads it."""
GRACE_S = 5.0
"""Between SIGTERM and SIGKILL, for the time limit and the lease."""
STOP_GRACE_S = 20.0
"""The same after a SIGTERM of the engine, which gives 30 s in all."""
STOP_BUDGET_S = 28.0
"""After that SIGTERM all must be told by then."""


class Ends:
    """Who ended the flow's process, and which signal is due. Times are of one clock."""

    def __init__(self) -> None:
        self.ended_by: str | None = None
        self.sentence = ""
        self._is_told = True
        self._kill_at: float | None = None

    def ask(self, why: str, sentence: str, kill_at: float) -> None:
        """Ask for an end. The first reason stays; a later one can only hasten it."""
        if self.ended_by is None:
            self.ended_by, self.sentence = why, sentence
            self._is_told = False
            self._kill_at = kill_at
        elif self._kill_at is not None:
            self._kill_at = min(self._kill_at, kill_at)

    def due(self, now: float) -> int | None:
        """The signal to send now: each is given once."""
        if not self._is_told:
            self._is_told = True
            return signal.SIGTERM
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            return signal.SIGKILL
        return None

    def due_at(self) -> float | None:
        """When ``due`` has something next."""
        return self._kill_at


def has_expired(word: str, age_s: float, lease_s: float) -> bool:
    """Whether the newest beat says that nobody waits for this attempt any more."""
    return word.strip() != "detached" and age_s > lease_s


def exit_code_of(child: int | None, ended_by: str | None, is_signalled: bool) -> int:
    """What the engine is told. Codes of our own are never those of the flow's process.

    0: it ended with 0, or another job does this work. 75: the machine is taken back, another
    try may go well. 78: image, packages or rights are wrong. Else the process's own code; 1
    for a signal, or where it would be one of ours.
    """
    if ended_by == "claimed":
        return 0
    if ended_by == "environment":
        return EXIT_ENVIRONMENT
    if ended_by == "spot":
        return EXIT_TRY_AGAIN
    if is_signalled or child is None or child in (EXIT_TRY_AGAIN, EXIT_ENVIRONMENT):
        return 1
    return child


EXIT_TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: the store cannot be reached, or the machine is taken back."""
EXIT_ENVIRONMENT = 78
"""EX_CONFIG: the image, the packages or the rights are wrong; another try ends the same."""
