"""Ctrl-C in a program that started runs: it is passed on to them, then to the program."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType

from swell.programs.command import Command


class InterruptWatch:
    """Passes SIGINT on to ``commands`` that still run, and then to whoever had it before."""

    def __init__(self, commands: Callable[[], Iterable[Command]]) -> None:
        self._commands = commands
        self._before: object = None
        self._is_installed = False

    def install(self) -> None:
        """Begin, in the main thread only; elsewhere, and where Ctrl-C is ignored, do nothing.

        May be called again: notebooks and event loops put other handlers in our place.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        present = signal.getsignal(signal.SIGINT)
        was_displaced = present in (signal.default_int_handler, signal.SIG_DFL)
        if present in (signal.SIG_IGN, None) or (self._is_installed and not was_displaced):
            return
        self._before = present
        self._is_installed = True
        signal.signal(signal.SIGINT, self._pass_on)

    def remove(self) -> None:
        """Give the signal back, unless somebody else has taken it meanwhile."""
        if threading.current_thread() is not threading.main_thread():
            return
        if self._is_installed and signal.getsignal(signal.SIGINT) == self._pass_on:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]  # as getsignal gave it
            self._is_installed = False

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        for command in self._commands():
            if command.returncode is None:
                command.ask_to_end(number)
        if callable(self._before):
            self._before(number, frame)
        else:
            signal.default_int_handler(number, frame)
