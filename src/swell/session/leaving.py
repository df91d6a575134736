"""Asks on a terminal, after Ctrl-C, whether jobs elsewhere are to be ended or left alone."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from swell.scheduler.events import Interrupted, LeftAlone
from swell.scheduler.loop import Inbox

ANSWER_S = 30.0
WHY = "interrupted (Ctrl-C)"


class LeaveQuestion:
    """One question, asked at most once at a time. ``can_be_left`` says whether it makes sense.

    Its thread is there because a signal handler may neither wait nor write, and the run goes
    on while somebody thinks. Use ``open`` and ``close``.
    """

    def __init__(
        self,
        inbox: Inbox,
        can_be_left: Callable[[], bool],
        say: Callable[[str], None],
        *,
        terminal: TextIO | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._inbox = inbox
        self._can_be_left = can_be_left
        self._say = say
        self._terminal = terminal or sys.stdin
        self._answer_s = answer_s
        self._wanted = threading.Event()
        self._over = False
        self.is_asked = False
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._wait, name="swell-ask", daemon=True)

    def open(self) -> None:
        """Be ready to ask."""
        self._thread.start()

    def ask(self) -> bool:
        """Ask, from a signal handler; False where it was asked already or makes no sense."""
        if self.is_asked or not self._can_be_left():
            return False
        self.is_asked = True
        self._wanted.set()
        return True

    def close(self) -> None:
        """No answer is needed any more."""
        self._over = True
        self._wanted.set()
        os.write(self._wake_write, b"x")
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _wait(self) -> None:
        self._wanted.wait()
        if self._over:
            return
        self._say(
            "Ctrl-C. What runs elsewhere can go on without this process: type d and Enter to "
            f"detach, k and Enter to kill it (in {self._answer_s:.0f} s by itself; Ctrl-C again: "
            "now)."
        )
        answer = self._answer()
        if self._over:
            return
        if answer.strip().lower() in ("d", "detach"):
            self._inbox.put(LeftAlone(time.time()))
        else:
            self._inbox.put(Interrupted(time.time(), WHY))

    def _answer(self) -> str:
        """A line from the terminal, or nothing."""
        ready, _, _ = select.select([self._terminal, self._wake_read], [], [], self._answer_s)
        return self._terminal.readline() if self._terminal in ready else ""
