"""Signals to the supervisor, as bytes in a pipe that its loop waits for."""

from __future__ import annotations

import os
import select
import signal
import time


class Stopped(BaseException):
    """The engine ends this attempt before the flow's process was there."""


class Wake:
    """Takes SIGTERM, SIGINT and SIGCHLD; threads may wake the loop too.

    ``stopped_at`` is the monotonic time of the first SIGTERM. Until ``quietly`` was called,
    a SIGTERM raises Stopped in the main thread.
    """

    def __init__(self) -> None:
        self.fd, self._write = os.pipe()
        self.stopped_at: float | None = None
        self._is_quiet = False
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)

    def quietly(self) -> None:
        """From now on a SIGTERM is only noted."""
        self._is_quiet = True

    def check(self) -> None:
        """Raises Stopped if a SIGTERM was noted."""
        if self.stopped_at is not None:
            raise Stopped

    def wake(self) -> None:
        """From any thread: let the loop look."""
        try:
            os.write(self._write, b"\0")
        except BlockingIOError:
            pass  # it is awake

    def pause(self, limit_s: float) -> None:
        """Wait until something wakes the loop, or for ``limit_s``."""
        select.select([self.fd], [], [], limit_s)
        self.drain()

    def drain(self) -> None:
        """Forget what woke the loop."""
        try:
            while os.read(self.fd, 4096):
                pass
        except BlockingIOError:
            pass

    def _on_stop(self, number: int, frame: object) -> None:
        if self.stopped_at is None:
            self.stopped_at = time.monotonic()
            if not self._is_quiet:
                raise Stopped
