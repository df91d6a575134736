"""Whether a serialised value is what a Blob holds, without hashing memory that still shows
that Blob's file."""

from __future__ import annotations

from collections.abc import Sequence

from swell.datastore.blob_format import RAW, Section, Table
from swell.datastore.blob_writer import chunk_hashes
from swell.datastore.mappings import address_of
from swell.datastore.serializers import Serialized
from swell.datastore.streamed import Content
from swell.seams.storage import Mapped


class Known:
    """Compares content; ``untouched`` is memory that surely shows one Blob's file."""

    def __init__(self, untouched: Sequence[Mapped]) -> None:
        self._untouched = untouched

    def is_stored(self, value: Serialized, table: Table) -> bool:
        """Whether ``value`` would make the Blob of ``table``."""
        sizes = [sum(map(len, value.stream)), *map(len, value.buffers)]
        if sizes != [section.size for section in table.sections]:
            return False
        stream, *sections = table.sections
        return _hashes_of(value.stream) == _stored_hashes(stream) and all(
            self._shows(buffer, section)
            for buffer, section in zip(value.buffers, sections, strict=True)
        )

    def are_equal(self, one: Serialized, other: Serialized) -> bool:
        """Whether both have the same stream and the same buffers."""
        if one.size != other.size or len(one.buffers) != len(other.buffers):
            return False
        return _hashes_of(one.stream) == _hashes_of(other.stream) and all(
            len(a) == len(b) and self._are_same(a, b)
            for a, b in zip(one.buffers, other.buffers, strict=True)
        )

    def _shows(self, buffer: Content, section: Section) -> bool:
        if section.codec == RAW and self._place(buffer) == section.offset:
            return True
        return _hashes_of([buffer]) == _stored_hashes(section)

    def _are_same(self, one: Content, other: Content) -> bool:
        place = self._place(one)
        if place is not None and place == self._place(other):
            return True
        return _hashes_of([one]) == _hashes_of([other])

    def _place(self, buffer: Content) -> int | None:
        """Where in the Blob's file ``buffer`` is."""
        if not self._untouched or not isinstance(buffer, memoryview):
            return None
        start = address_of(buffer)
        for mapped in self._untouched:
            if mapped.start <= start and start + len(buffer) <= mapped.end:
                return mapped.offset + start - mapped.start
        return None


def _hashes_of(contents: Sequence[Content]) -> list[bytes]:
    return chunk_hashes([contents])[0]


def _stored_hashes(section: Section) -> list[bytes]:
    return [chunk.hash for chunk in section.chunks]
