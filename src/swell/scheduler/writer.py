"""Commits facts in groups on a thread of its own: the next step may start meanwhile."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Sequence

import msgspec

from swell.model.facts import Fact
from swell.model.ids import RunId
from swell.scheduler.observe import Notice
from swell.seams.metastore import Metastore

GROUP_S = 0.02
"""Facts that come within this time are committed together (an fsync costs 0.3 to 8 ms)."""


class Written(msgspec.Struct, frozen=True):
    """Facts became durable; ``notices`` may be shown, ``tasks`` forgotten."""

    notices: tuple[Notice, ...]
    tasks: tuple[str, ...]


class WriteFailed(msgspec.Struct, frozen=True):
    """The store does not take facts any more."""

    error: Exception


class Entry(msgspec.Struct, frozen=True):
    """Facts to commit, the Blobs that must be durable before, and what to say after."""

    facts: tuple[Fact, ...]
    blobs: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    tasks: tuple[str, ...] = ()


class _Flush(msgspec.Struct):
    done: threading.Event


class _Beat(msgspec.Struct, frozen=True):
    at: float


class FactWriter:
    """``report`` gets Written and WriteFailed, from this writer's thread."""

    def __init__(
        self,
        run: RunId,
        metastore: Metastore,
        sync_blobs: Callable[[Collection[str]], None],
        report: Callable[[Written | WriteFailed], None],
    ) -> None:
        self._run = run
        self._metastore = metastore
        self._sync_blobs = sync_blobs
        self._report = report
        self._queue: queue.SimpleQueue[Entry | _Flush | _Beat | None] = queue.SimpleQueue()
        self._failed = False
        self._thread = threading.Thread(target=self._work, name="swell-facts", daemon=True)

    def start(self) -> None:
        """Begin. The thread is there so that no task waits for an fsync."""
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Commit ``entry`` soon; entries are committed in the order they come."""
        self._queue.put(entry)

    def beat(self, at: float) -> None:
        """Record that the driver is alive."""
        self._queue.put(_Beat(at))

    def flush(self) -> None:
        """Return when all that was put is durable, or the store has failed."""
        flush = _Flush(threading.Event())
        self._queue.put(flush)
        while not flush.done.wait(timeout=1.0):
            if not self._thread.is_alive():
                return

    def close(self) -> None:
        """Commit what is left and end the thread."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        is_open = True
        while is_open:
            entries, flushes, is_open = self._collect()
            self._write(entries)
            for flush in flushes:
                flush.done.set()

    def _collect(self) -> tuple[list[Entry], list[_Flush], bool]:
        """What came within the group time; ends early when somebody waits."""
        entries: list[Entry] = []
        flushes: list[_Flush] = []
        deadline: float | None = None
        while True:
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                item = self._queue.get(timeout=timeout)
            except queue.Empty:
                return entries, flushes, True
            match item:
                case None:
                    return entries, flushes, False
                case _Flush():
                    flushes.append(item)
                    deadline = time.monotonic()  # take what is there, then write
                case _Beat():
                    self._heartbeat(item.at)
                case _:
                    entries.append(item)
                    if deadline is None:
                        deadline = time.monotonic() + GROUP_S

    def _heartbeat(self, at: float) -> None:
        try:
            self._metastore.heartbeat(self._run, at)
        except Exception as error:
            self._fail(error)

    def _write(self, entries: Sequence[Entry]) -> None:
        if not entries or self._failed:
            return
        try:
            keys = {key for entry in entries for key in entry.blobs}
            if keys:
                self._sync_blobs(keys)
            self._metastore.commit([fact for entry in entries for fact in entry.facts])
        except Exception as error:
            self._fail(error)
            return
        self._report(
            Written(
                notices=tuple(notice for entry in entries for notice in entry.notices),
                tasks=tuple(task for entry in entries for task in entry.tasks),
            )
        )

    def _fail(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            self._report(WriteFailed(error))
