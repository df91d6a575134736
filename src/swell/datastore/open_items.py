"""The items of one foreach for a process that reads many of them, mostly one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swell.datastore.blobs import Blobs
from swell.datastore.items import (
    Item,
    count_items,
    parse_item,
    read_ends,
    read_span,
    text_of,
    what_item,
)
from swell.datastore.serializers import deserialize
from swell.model.record import ItemRef
from swell.seams.storage import Storage

if TYPE_CHECKING:
    from swell.datastore.trust import Trust

_GROWTH = 4
_MOST_ITEMS = 1024
_MOST_BYTES = 1 << 20


class OpenItems:
    """The Blob of items ``key``, open: one item is read alone, those right behind it by the
    dozen. What a task changes in its item no other task sees."""

    def __init__(self, storage: Storage, key: str) -> None:
        self.storage = storage
        self.key = key
        self._blobs = Blobs(storage)
        self._blob = self._blobs.open(key)
        self._reads_ahead = True
        self._forget()

    def load(self, ref: ItemRef, *, script: str = "", trust: Trust | None = None) -> Any:
        """As ``items.load_item``."""
        start, end = self._place(ref.position)
        item = self._item(ref, start, end)
        if item.buffers:
            # The value keeps them, and may write to them: they must be nobody else's.
            self._reads_ahead = False
            if len(self._ends) > 2:
                item = parse_item(read_span(self._blob, start, end), start, what_item(ref))
            self._forget()
        encoding = self._blob.table.encoding
        return deserialize(item.stream, item.buffers, encoding, script, self._blobs, trust)

    def text(self, ref: ItemRef) -> str:
        """As ``items.item_text``."""
        return text_of(self._item(ref, *self._place(ref.position)))

    def _forget(self) -> None:
        self._first = 0
        self._ends: tuple[int, ...] = (0,)
        self._data = memoryview(b"")

    def _place(self, position: int) -> tuple[int, int]:
        """Where an item begins and ends in its section; it is in memory then."""
        at = position - self._first
        if not 0 <= at < len(self._ends) - 1:
            self._read_from(position, self._wanted(position))
            at = 0
        return self._ends[at], self._ends[at + 1]

    def _item(self, ref: ItemRef, start: int, end: int) -> Item:
        base = self._ends[0]
        return parse_item(self._data[start - base : end - base], start, what_item(ref))

    def _wanted(self, position: int) -> int:
        count = len(self._ends) - 1
        goes_on = self._reads_ahead and count > 0 and position == self._first + count
        return min(count * _GROWTH if goes_on else 1, _MOST_ITEMS)

    def _read_from(self, position: int, wanted: int) -> None:
        count = max(1, min(wanted, count_items(self._blob) - position))
        ends = read_ends(self._blob, position, count)
        while count > 1 and ends[count] - ends[0] > _MOST_BYTES:
            count //= 2
        self._first, self._ends = position, ends[: count + 1]
        self._data = read_span(self._blob, ends[0], ends[count])
