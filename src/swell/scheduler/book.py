"""The Records that tasks about to start will read: in memory while fresh, else from the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence

KEPT_BYTES = 16 << 20
"""Committed Records are dropped, oldest first, past this many bytes."""


class RecordBook:
    """``read`` fetches encoded Records of committed tasks, in the order asked for."""

    def __init__(
        self, read: Callable[[Sequence[str]], list[bytes]], kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._read = read
        self._kept_bytes = kept_bytes
        self._records: dict[str, bytes] = {}
        self._committed: OrderedDict[str, None] = OrderedDict()
        self._bytes = 0

    def put(self, task: str, record: bytes) -> None:
        """Keep the Record of ``task``, which is not committed yet."""
        self._records[task] = record
        self._bytes += len(record)

    def committed(self, tasks: Collection[str]) -> None:
        """The Records of ``tasks`` can be read from the store from now on."""
        for task in tasks:
            if task in self._records:
                self._committed[task] = None
        while self._bytes > self._kept_bytes and self._committed:
            task, _ = self._committed.popitem(last=False)
            self._bytes -= len(self._records.pop(task))

    def get(self, tasks: Sequence[str]) -> list[bytes]:
        """The encoded Records of ``tasks`` in that order."""
        known = self._records
        missing = [task for task in tasks if task not in known]
        fetched = dict(zip(missing, self._read(missing), strict=True)) if missing else {}
        return [known[task] if task in known else fetched[task] for task in tasks]
