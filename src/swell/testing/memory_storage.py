"""A Storage in memory, with nothing but what every Storage has: a fake for tests."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence

from swell.errors import DataMissing
from swell.seams.storage import Entry


class MemoryStorage:
    """Keys and bytes in a dict. ``reads`` lists (key, start, length) of every read."""

    def __init__(self, url: str = "memory://test") -> None:
        self._url = url
        self._values: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self.reads: list[tuple[str, int, int | None]] = []

    @property
    def url(self) -> str:
        """As given."""
        return self._url

    def write(self, key: str, buffers: Sequence[bytes | memoryview]) -> bool:
        """See Storage."""
        data = b"".join(buffers)
        with self._lock:
            if key in self._values:
                return False
            self._values[key] = data
            return True

    def read(self, key: str, start: int = 0, length: int | None = None) -> memoryview:
        """See Storage."""
        self.reads.append((key, start, length))
        try:
            data = self._values[key]
        except KeyError:
            raise DataMissing(f"{self._url} has no '{key}'.") from None
        return memoryview(bytearray(data[start : None if length is None else start + length]))

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """See Storage; everything is 0 seconds old since 1970."""
        for key in sorted(self._values):
            if key.startswith(prefix) and key > after:
                yield Entry(key, len(self._values[key]), 0.0)

    def delete(self, keys: Collection[str]) -> None:
        """See Storage."""
        for key in keys:
            self._values.pop(key, None)

    def damage(self, key: str, data: bytes) -> None:
        """Put ``data`` where ``key`` is, as a broken disk might."""
        self._values[key] = data
