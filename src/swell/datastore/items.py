"""The items of a foreach: fixed once at the split, each readable by itself."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swell.datastore.blob_format import damaged
from swell.datastore.blob_writer import BlobWriter
from swell.datastore.blobs import Blobs, ReadableBlob
from swell.datastore.serializers import (
    BY_REFERENCE,
    Serialized,
    deserialize,
    joined,
    serialize,
)
from swell.datastore.short_texts import preview_line, type_name
from swell.datastore.streamed import Content
from swell.errors import FlowError, TooManyItems
from swell.model.record import INLINE_RECORD_BYTES, INLINE_VALUE_BYTES, ItemRef, Items
from swell.seams.storage import Storage

if TYPE_CHECKING:
    from swell.datastore.trust import Trust

TEXTS_MAX = 1000
"""So many items get a text at the split; others when ``item_text`` is asked."""

_TEXT_CHARS = 60
_INT64 = 1 << 63
_ALIGN = 64
_ITEMS = 0
_OFFSETS = 1
_BATCH = 4096

# An item in a Blob: number of buffers, CRC-32 of what follows up to the buffers, length of the
# stream; lengths of the buffers; the stream; the buffers, each aligned to 64 bytes within
# the section (they are large: the hashes of the Blob's chunks are proof enough for them).
# Section 0 holds the items, section 1 one offset an item and the end.
_HEAD = struct.Struct("<IIQ")


class StoredItems(msgspec.Struct, frozen=True):
    """Items as stored, how many, and short texts of the first 1,000."""

    items: Items
    count: int
    texts: tuple[str, ...]


def store_items(
    storage: Storage, iterable: Iterable[object], limit: int, *, name: str = "items"
) -> StoredItems:
    """Go through ``iterable`` once and fix its items; a dict gives its keys.

    A range is kept as numbers, small items inline, others in one Blob, which is written
    while going. ``name`` is what errors call it. Raises TooManyItems at more than
    ``limit``, FlowError for what cannot be iterated over, UnstorableArtifact.
    """
    _refuse_too_many(iterable, limit, name)
    if isinstance(iterable, range) and _fits(iterable):
        texts = tuple(str(number) for number in iterable[:TEXTS_MAX])
        return StoredItems(Items(range=(iterable.start, iterable.step)), len(iterable), texts)
    texts_so_far: list[str] = []
    noted = _Noted(Blobs(storage), texts_so_far, [], array("Q"))
    values = _serialized(_iterator(iterable, name), limit, name, noted)
    inline: list[bytes] = []
    room = INLINE_RECORD_BYTES
    for value in values:
        room -= value.size
        if room < 0 or value.size > INLINE_VALUE_BYTES:
            first = (Serialized((data,), (), len(data)) for data in inline)
            written = _write_blob(storage, chain(first, (value,), values))
            items = noted.with_files(Items(key=written.key))
            return StoredItems(items, written.items, tuple(texts_so_far))
        inline.append(joined(value))
    items = noted.with_files(Items(inline=tuple(inline)))
    return StoredItems(items, len(inline), tuple(texts_so_far))


def load_item(
    storage: Storage | Blobs, ref: ItemRef, *, script: str = "", trust: Trust | None = None
) -> Any:
    """The value of one item; of a Blob only that item is read. ``storage`` may be given as the
    Blobs in it: where each process reads one item, to make them takes longer than to read it.

    Raises DataMissing when the Blob or a class is not there, Untrusted for what ``trust``
    refuses, StoreError when damaged.
    """
    blobs = storage if isinstance(storage, Blobs) else Blobs(storage)
    if ref.inline is not None:
        return deserialize(ref.inline, script=script, blobs=blobs, trust=trust)
    if ref.key is None:
        return ref.number
    blob = blobs.open(ref.key)
    stream, buffers = _read_item(blob, ref)
    return deserialize(stream, buffers, blob.table.encoding, script, blobs, trust)


def item_text(storage: Storage, ref: ItemRef) -> str:
    """A short text of one item, without running code of its classes.

    '' for an item that needs a class to load.
    """
    if ref.inline is None and ref.key is None:
        return str(ref.number)
    if ref.inline is not None:
        return text_of(Item(memoryview(ref.inline), ()))
    return text_of(_read_item(Blobs(storage).open(ref.key or ""), ref))


def text_of(item: Item) -> str:
    """The same for an item that was read."""
    try:
        value = _PlainUnpickler(io.BytesIO(item.stream), buffers=item.buffers).load()
    except Exception:
        # A class, or damage that load_item will tell.
        return ""
    return _text(value)


class _PlainUnpickler(pickle.Unpickler):
    """Loads numbers, texts and containers of them, and refuses everything else."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError(f"{module_name}.{global_name}")


def _refuse_too_many(iterable: object, limit: int, name: str) -> None:
    try:
        count = len(iterable)  # type: ignore[arg-type]  # what has no length raises
    except TypeError:
        return
    if count > limit:
        raise _too_many(name, count, limit)


def _too_many(name: str, wanted: int | None, limit: int) -> TooManyItems:
    number = f"{wanted:,}" if wanted is not None else f"more than {limit:,}"
    flag = f"--max-num-splits {wanted}" if wanted is not None else "a larger --max-num-splits"
    return TooManyItems(
        f"The foreach over '{name}' has {number} items, and at most {limit:,} are allowed.",
        wanted=wanted,
        limit=limit,
        remedy=f"Pass {flag} to allow so many tasks.",
    )


def _fits(numbers: range) -> bool:
    return all(-_INT64 <= n < _INT64 for n in (numbers.start, numbers.step, numbers.stop))


def _iterator(iterable: Iterable[object], name: str) -> Iterator[object]:
    try:
        return iter(iterable)
    except TypeError as error:
        raise FlowError(
            f"A foreach needs several items, and '{name}' is one {type_name(iterable)}: "
            f"{preview_line(iterable)}.",
            remedy=f"Make '{name}' a list, a range, or anything else that can be iterated over.",
        ) from error


class _Noted(NamedTuple):
    """What is kept while items go by."""

    blobs: Blobs
    texts: list[str]
    files: list[str]
    file_ends: array[int]

    def add_files(self, index: int, keys: Sequence[str]) -> None:
        """The files of one item; those between had none."""
        self.file_ends.extend([len(self.files)] * (index - len(self.file_ends)))
        self.files.extend(keys)
        self.file_ends.append(len(self.files))

    def with_files(self, items: Items) -> Items:
        """``items`` with the files in them, if any."""
        if not self.files:
            return items
        ends = tuple(self.file_ends)
        return msgspec.structs.replace(items, files=tuple(self.files), file_ends=ends)


def _serialized(
    values: Iterator[object], limit: int, name: str, noted: _Noted
) -> Iterator[Serialized]:
    for index, value in enumerate(values):
        if index >= limit:
            raise _too_many(name, None, limit)
        if index < TEXTS_MAX:
            noted.texts.append(_text(value))
        data = serialize(value, f"{name}[{index}]", noted.blobs)
        if data.keys:
            noted.add_files(index, data.keys)
        yield data


def _text(value: object) -> str:
    text = value if isinstance(value, str) else preview_line(value)
    text = text if text.isprintable() else preview_line(value)
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…"


class _Written(NamedTuple):
    key: str
    items: int


def _write_blob(storage: Storage, values: Iterable[Serialized]) -> _Written:
    offsets = array("Q", [0])
    batch: list[Content] = []
    at = 0
    with Blobs(storage).writer(BY_REFERENCE) as writer:
        writer.begin()
        for value in values:
            if value.buffers:
                pieces = _item_pieces(value, at)
                at += sum(map(len, pieces))
            else:
                stream = joined(value)
                pieces = [_HEAD.pack(0, zlib.crc32(stream), len(stream)), stream]
                at += _HEAD.size + len(stream)
            offsets.append(at)
            if value.encoding != BY_REFERENCE:
                writer.encoding = value.encoding
            batch += pieces
            if value.buffers or len(batch) >= _BATCH:
                _flush(writer, batch)
        _flush(writer, batch)
        writer.begin()
        writer.append([_little_endian(offsets)])
        return _Written(writer.finish(), len(offsets) - 1)


def _flush(writer: BlobWriter, batch: list[Content]) -> None:
    small = [piece for piece in batch if isinstance(piece, bytes)]
    writer.append([b"".join(small)] if len(small) == len(batch) else batch)
    batch.clear()


def _little_endian(offsets: array[int]) -> bytes:
    if sys.byteorder == "big":
        offsets.byteswap()
    return offsets.tobytes()


def _item_pieces(value: Serialized, at: int) -> list[Content]:
    lengths = struct.pack(f"<{len(value.buffers)}Q", *map(len, value.buffers))
    stream = joined(value)
    pieces: list[Content] = [lengths, stream]
    crc = zlib.crc32(stream, zlib.crc32(lengths))
    at += _HEAD.size + len(lengths) + len(stream)
    for buffer in value.buffers:
        padding = bytes(-at % _ALIGN)
        pieces += [padding, buffer]
        at += len(padding) + len(buffer)
    return [_HEAD.pack(len(value.buffers), crc, len(stream)), *pieces]


class Item(NamedTuple):
    """One item of a Blob: its pickle and the buffers outside of it."""

    stream: memoryview
    buffers: Sequence[memoryview]


def read_ends(blob: ReadableBlob, position: int, count: int) -> tuple[int, ...]:
    """Where ``count`` items from ``position`` on begin in their section, and where the last
    one ends."""
    return struct.unpack(f"<{count + 1}Q", blob.read(_OFFSETS, 8 * position, 8 * (count + 1)))


def count_items(blob: ReadableBlob) -> int:
    """How many items a Blob of items has."""
    return blob.table.sections[_OFFSETS].size // 8 - 1


def read_span(blob: ReadableBlob, start: int, end: int) -> memoryview:
    """Part of the section of the items."""
    return blob.read(_ITEMS, start, end - start)


def parse_item(data: memoryview, start: int, what: str) -> Item:
    """An item that begins at ``start`` of its section, from its bytes. Raises StoreError when
    damaged."""
    count, crc, length = _HEAD.unpack_from(data)
    at = _HEAD.size + 8 * count
    if zlib.crc32(data[_HEAD.size : at + length]) != crc:
        raise damaged(what, "it does not match its checksum")
    lengths = struct.unpack_from(f"<{count}Q", data, _HEAD.size)
    stream = data[at : at + length]
    at += length
    buffers = []
    for size in lengths:
        at += -(start + at) % _ALIGN
        buffers.append(data[at : at + size])
        at += size
    return Item(stream, buffers)


def _read_item(blob: ReadableBlob, ref: ItemRef) -> Item:
    start, end = read_ends(blob, ref.position, 1)
    return parse_item(read_span(blob, start, end), start, what_item(ref))


def what_item(ref: ItemRef) -> str:
    """An item in words, for errors."""
    return f"Item {ref.position} of Blob {ref.key}"
