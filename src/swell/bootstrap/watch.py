"""Watches the flow's process from its start to its end: output, limits, signals."""

from __future__ import annotations

import os
import select
import time

from swell.bootstrap.child import Child
from swell.bootstrap.ends import GRACE_S, STOP_GRACE_S, Ends
from swell.bootstrap.log_feed import LogFeed
from swell.bootstrap.sender import Sender
from swell.bootstrap.wake import Wake

BEGAN_AFTER_S = 2.0
"""What ends sooner says so by its end alone."""
_LOOK_S = 1.0
_READ = 1 << 16
_LAST_WORDS = 2048
_OWN = {"stdout": 1, "stderr": 2}


class Watch:
    """One run of the flow's process. ``expire`` may be called from any thread.

    ``last_words`` is the end of what it wrote to stderr.
    """

    def __init__(self, child: Child, sender: Sender, feed: LogFeed, wake: Wake) -> None:
        self.ends = Ends()
        self.segments = 0
        self.last_words = b""
        self._child = child
        self._sender = sender
        self._feed = feed
        self._wake = wake
        self._open = dict(child.outs)
        self._deaf: set[str] = set()
        self._expired: str | None = None

    def expire(self, sentence: str) -> None:
        """The lease has run out."""
        self._expired = sentence
        self._wake.wake()

    def until_gone(self, timeout_s: float | None, segment_s: float, began: bytes) -> None:
        """Return when the process has ended, all it left is killed, and its pipes are empty."""
        started = time.monotonic()
        poller = select.poll()
        poller.register(self._wake.fd, select.POLLIN)
        for fd in self._open:
            poller.register(fd, select.POLLIN)
        is_told = False
        while not self._child.is_gone:
            for fd, _ in poller.poll(self._pause_ms(started, timeout_s, segment_s)):
                if fd == self._wake.fd:
                    self._wake.drain()
                elif not self._read(fd):
                    poller.unregister(fd)
            now = time.monotonic()
            self._find_reasons(started, timeout_s, now)
            due = self.ends.due(now)
            if due is not None:
                self._child.signal(due)
            is_due = self._is_segment_due(segment_s)
            if not is_told and (is_due or now >= started + BEGAN_AFTER_S):
                is_told = True
                self._sender.send("began", 0, began)
            if is_due:
                self._send_segments()
            self._child.reap()
        self._child.end_leftovers()
        for fd in list(self._open):
            while self._read(fd):
                pass
        self._feed.end()
        self._send_segments()

    def _find_reasons(self, started: float, timeout_s: float | None, now: float) -> None:
        if self._wake.stopped_at is not None:
            sentence = "The engine ended the attempt."
            self.ends.ask("stop", sentence, self._wake.stopped_at + STOP_GRACE_S)
        if self._expired is not None:
            self.ends.ask("lease", self._expired, now + GRACE_S)
            self._expired = None
        if timeout_s is not None and now >= started + timeout_s and self.ends.ended_by is None:
            sentence = f"It ran longer than its limit of {timeout_s:g} s and was ended."
            self.ends.ask("timeout", sentence, now + GRACE_S)

    def _pause_ms(self, started: float, timeout_s: float | None, segment_s: float) -> float:
        now = time.monotonic()
        times = [now + _LOOK_S]
        if timeout_s is not None and self.ends.ended_by is None:
            times.append(started + timeout_s)
        kill_at = self.ends.due_at()
        if kill_at is not None:
            times.append(kill_at)
        due_at = self._feed.due_at(segment_s)
        if due_at is not None:
            times.append(now + due_at - time.time())
        return max(0.0, min(times) - now) * 1000

    def _is_segment_due(self, segment_s: float) -> bool:
        due_at = self._feed.due_at(segment_s)
        return due_at is not None and time.time() >= due_at

    def _send_segments(self) -> None:
        for segment in self._feed.take():
            self.segments += 1
            self._sender.send("log", self.segments, segment)

    def _read(self, fd: int) -> bool:
        """Take what is there; False when no more comes now, or ever."""
        stream = self._open.get(fd)
        if stream is None:
            return False
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return not self._child.is_gone
        if not data:
            os.close(fd)
            del self._open[fd]
            return False
        if stream == "stderr":
            self.last_words = (self.last_words + data)[-_LAST_WORDS:]
        self._feed.add(stream, data, time.time())
        self._tee(stream, data)
        return True

    def _tee(self, stream: str, data: bytes) -> None:
        if stream in self._deaf:
            return
        try:
            while data:
                data = data[os.write(_OWN[stream], data) :]
        except OSError:
            self._deaf.add(stream)  # nobody takes it: the segments have it
