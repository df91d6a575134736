"""Signals while a run is driven: they ask for an end; the run ends by its own rules."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from swell.scheduler.events import Interrupted
from swell.scheduler.loop import Inbox
from swell.session.leaving import WHY, LeaveQuestion

_WORDS = {
    signal.SIGINT: WHY,
    signal.SIGTERM: "asked to end (SIGTERM)",
    signal.SIGHUP: "its terminal was closed (SIGHUP)",
}


class EndedBySignal:
    """Which signal came, if any."""

    signal: int | None = None


@contextmanager
def signals_into(
    inbox: Inbox, ended_by: EndedBySignal, question: LeaveQuestion | None = None
) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into events; elsewhere than in the main thread do nothing.

    The first SIGINT asks ``question``, if there is one.
    """

    def ask_to_end(number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGINT and question is not None and question.ask():
            return
        ended_by.signal = ended_by.signal or number
        inbox.put(Interrupted(time.time(), _WORDS[signal.Signals(number)]))

    before = {}
    try:
        for number in _WORDS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup wants SIGHUP ignored
                before[number] = signal.signal(number, ask_to_end)
    except ValueError:
        pass  # not the main thread: whoever runs us there handles signals
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
