"""What jobs print, line by line with its time, until the log service asks for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

_IN_MEMORY = 16_384
"""Bytes of one stream kept in memory; what is more goes to a file."""
_LONGEST_EVENT = 262_118
"""Docker's log driver for CloudWatch splits lines here: 256 KiB less 26 bytes a line."""
_BATCH_EVENTS, _BATCH_BYTES, _EVENT_OVERHEAD = 10_000, 1_048_576, 26
"""Limits of PutLogEvents."""


class StreamName(NamedTuple):
    """A stream and the group it is in."""

    group: str
    stream: str


class LogEvent(NamedTuple):
    """One line and when it came, in Unix milliseconds."""

    at_ms: int
    text: str


class LogStreams:
    """All streams of the sandbox; from any thread.

    Writing costs no call of the system until a stream is long, and sending waits until
    somebody reads: thousands of jobs whose logs nobody looks at cost next to nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._streams: dict[StreamName, _Stream] = {}
        self._made = 0

    def open(self, name: StreamName) -> None:
        """A container starts: its stream is there from now on, even if it prints nothing."""
        with self._lock:
            self._stream(name)

    def write(self, name: StreamName, data: bytes, at_ms: int, source: int = 0) -> None:
        """Bytes that were printed; a line counts when it is whole.

        Lines of several sources (standard output and error) come as they are whole.
        """
        with self._lock:
            self._stream(name).write(data, at_ms, source)

    def close(self, name: StreamName, at_ms: int) -> None:
        """The container ended: what it began is a line too."""
        with self._lock:
            self._stream(name).end_line(at_ms)

    def drop(self, name: StreamName) -> None:
        """There was no container after all."""
        with self._lock:
            self._streams.pop(name, None)

    def names(self, group: str, prefix: str = "") -> list[StreamName]:
        """The streams of ``group`` whose names begin with ``prefix``."""
        with self._lock:
            return [n for n in self._streams if n.group == group and n.stream.startswith(prefix)]

    def groups(self) -> list[str]:
        """All groups that have streams."""
        with self._lock:
            return sorted({name.group for name in self._streams})

    def take(self, name: StreamName) -> list[LogEvent] | None:
        """What came since the last time, in order; None for a stream that is not known."""
        with self._lock:
            stream = self._streams.get(name)
            return None if stream is None else stream.take()

    def _stream(self, name: StreamName) -> _Stream:
        found = self._streams.get(name)
        if found is None:
            path = self._folder / quote("@".join(name), safe="")[-200:]
            self._made += 1
            found = self._streams[name] = _Stream(f"{path}-{self._made}")
        return found


class _Stream:
    __slots__ = ("_lines", "_partials", "_path", "_size", "_spooled")

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: list[bytes] = []
        self._size = 0
        self._partials: dict[int, bytes] = {}
        self._spooled = 0

    def write(self, data: bytes, at_ms: int, source: int) -> None:
        *whole, partial = (self._partials.get(source, b"") + data).split(b"\n")
        for line in whole:
            self._add(line, at_ms)
        while len(partial) > _LONGEST_EVENT:
            self._add(partial[:_LONGEST_EVENT], at_ms)
            partial = partial[_LONGEST_EVENT:]
        self._partials[source] = partial

    def end_line(self, at_ms: int) -> None:
        for _, partial in sorted(self._partials.items()):
            self._add(partial, at_ms)
        self._partials = {}

    def take(self) -> list[LogEvent]:
        lines = []
        if self._spooled:
            with open(self._path, "rb+") as file:
                lines = file.read().split(b"\n")[:-1]
                file.truncate(0)
            self._spooled = 0
        lines += self._lines
        self._lines, self._size = [], 0
        return [_event(line) for line in lines]

    def _add(self, line: bytes, at_ms: int) -> None:
        # Empty lines are not sent by Docker's driver either: the service refuses them.
        line = line.removesuffix(b"\r")
        for start in range(0, len(line), _LONGEST_EVENT):
            part = line[start : start + _LONGEST_EVENT]
            self._lines.append(b"%d %s" % (at_ms, part))
            self._size += len(part)
        if self._size > _IN_MEMORY:
            with open(self._path, "ab") as file:
                file.write(b"\n".join(self._lines) + b"\n")
            self._spooled += self._size
            self._lines, self._size = [], 0


def in_batches(events: list[LogEvent]) -> Iterator[list[LogEvent]]:
    """``events`` in parts that PutLogEvents takes."""
    batch: list[LogEvent] = []
    size = 0
    for event in events:
        weight = len(event.text.encode()) + _EVENT_OVERHEAD
        if batch and (len(batch) == _BATCH_EVENTS or size + weight > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += weight
    if batch:
        yield batch


def _event(line: bytes) -> LogEvent:
    at, _, text = line.partition(b" ")
    return LogEvent(int(at), text.decode("utf-8", "replace"))
