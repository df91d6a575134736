"""How far a long transfer is: one line on a terminal, from its third second on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

FROM_S = 2.0
_EVERY_S = 0.25


class Progress:
    """Counts objects and bytes from any thread. Shows nothing where no one sits."""

    def __init__(
        self,
        doing: str,
        objects: int,
        stream: TextIO | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._doing = doing
        self._objects = objects
        self._stream = sys.stderr if stream is None else stream
        self._lock = threading.Lock()
        self._began = self._shown_at = clock()
        self._done = self._bytes = self._expected = 0
        self._is_shown = False

    def expect(self, size: int) -> None:
        """So many more bytes are to come."""
        with self._lock:
            self._expected += size

    def moved(self, size: int) -> None:
        """So many bytes came or went."""
        with self._lock:
            self._bytes += size
            self._show()

    def ended(self) -> None:
        """One object is done."""
        with self._lock:
            self._done += 1
            self._show()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            if self._is_shown:
                self._stream.write("\r\x1b[K")
                self._stream.flush()

    def _show(self) -> None:
        now = self._clock()
        is_soon = now - self._shown_at < (_EVERY_S if self._is_shown else FROM_S)
        if is_soon or not self._stream.isatty():
            return
        self._is_shown = True
        self._shown_at = now
        self._stream.write(f"\r\x1b[K{self.line(now - self._began)}")
        self._stream.flush()

    def line(self, seconds: float) -> str:
        """What is shown after ``seconds``."""
        parts = [f"{self._done:,} of {self._objects:,} objects"] if self._objects > 1 else []
        moved = f"{self._bytes / 1e6:,.0f} MB"
        if self._expected > self._bytes:
            moved = f"{self._bytes / 1e6:,.0f} of {self._expected / 1e6:,.0f} MB"
        speed = f"{self._bytes / 1e6 / max(seconds, 1e-3):,.0f} MB/s"
        return f"{self._doing}: {', '.join([*parts, moved, speed])}"
