"""Writes one Blob in one pass: hash, compress where it was asked for, write."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from swell.datastore.blob_format import (
    CHUNK_BYTES,
    PAGE_BYTES,
    PREFIX_BYTES,
    RAW,
    Chunk,
    Section,
    Table,
    chunk_count,
    content_key,
    damaged,
    is_whole,
    pack_head,
    storage_key,
    table_size,
)
from swell.datastore.serializers import Serialized
from swell.datastore.streamed import PIECE_BYTES, Buffer, Content, pieces_of, sample_of
from swell.seams.storage import CloningDraft, Draft, DraftingStorage, Storage

if TYPE_CHECKING:
    from concurrent.futures import Future

    from swell.datastore.chunk_work import Crew, Packed

SAMPLE_FROM_BYTES = 64 * 1024
"""Shorter sections are stored raw without a look."""

THREADS_FROM_BYTES = 4 * CHUNK_BYTES
"""Smaller content is hashed by the thread that writes it: others would start too late."""

_SAMPLES = 3
_ZEROS = bytes(PAGE_BYTES)


class BlobWriter:
    """Writes sections one after the other, hashing and compressing in the same pass.

    ``encoding`` may change until ``finish``. With ``sizes`` of all sections known the table
    stands in front, else at the end. A context manager: what was not finished leaves nothing.
    Without a storage the content is only hashed.
    """

    def __init__(
        self, storage: Storage | None, draft: Draft, encoding: str, sizes: Sequence[int] | None
    ) -> None:
        self._storage = storage
        self._draft = draft
        self.encoding = encoding
        self._front = PREFIX_BYTES
        if sizes is not None:
            self._front += table_size(len(sizes), sum(map(chunk_count, sizes)))
        self._sizes = sizes
        self._expected = sum(sizes) if sizes is not None else 0
        self._at = 0
        self._taken = 0
        self._sections: list[_OpenSection] = []
        self._pieces: list[Buffer] = []
        self._filled = 0
        self._crew: Crew | None = None
        self._waiting: deque[tuple[_OpenSection, Future[Packed]]] = deque()

    def begin(self, codec: int = RAW) -> None:
        """Begin the next section."""
        self._end_section()
        if self._at == 0:
            self._put([bytes(self._front)])
        size = PAGE_BYTES if self._sizes is None else self._sizes[len(self._sections)]
        align = PAGE_BYTES if codec == RAW and size >= PAGE_BYTES else 64
        self._put([_ZEROS[: -self._at % align]])
        self._sections.append(_OpenSection(self._at, codec))

    def adopt(self, fd: int, size: int) -> bool:
        """Make the next section from the first ``size`` bytes of an open file without writing
        them, where the file system can share them; False, with nothing done, if it cannot."""
        if not isinstance(self._draft, CloningDraft) or self._sections:
            return False
        front = bytes(-(-self._front // PAGE_BYTES) * PAGE_BYTES)
        if not self._draft.clone(fd, size, len(front)):
            return False
        self._draft.overwrite(0, front)
        self._sections.append(_OpenSection(len(front), RAW))
        self._at = len(front) + size
        # What is hashed is what is in the store, whatever becomes of the file meanwhile.
        for start in range(0, size, PIECE_BYTES):
            self._take(self._draft.read(start + len(front), min(PIECE_BYTES, size - start)))
        return True

    def append(self, contents: Sequence[Content]) -> None:
        """Append content to the section; it may be hashed as late as in ``finish``."""
        for content in contents:
            for piece in pieces_of(content):
                view = memoryview(piece)
                while len(view):
                    part = view[: CHUNK_BYTES - self._filled]
                    view = view[len(part) :]
                    self._take(part)
                    if self._sections[-1].codec == RAW:
                        self._put([part])

    def seal(self) -> Table:
        """Write the table; returns it."""
        self._end_section()
        self._settle(0)
        table_offset = PREFIX_BYTES
        file_size = self._at
        sections = tuple(section.section() for section in self._sections)
        if self._sizes is None:
            table_offset = self._at
            chunks = sum(len(section.chunks) for section in sections)
            file_size += table_size(len(sections), chunks)
        table = Table(self.encoding, sections, file_size)
        prefix, body = pack_head(table, table_offset)
        if self._sizes is None:
            self._put([body])
            self._draft.overwrite(0, prefix)
        else:
            self._draft.overwrite(0, prefix + body)
        return table

    def finish(self, expected: str | None = None, source: str = "") -> str:
        """Write the table and give the Blob its name, unless it is there; returns its key.

        Raises DataDamaged about ``source``, and names nothing, if the key is not ``expected``.
        """
        key, storage = self.seal().key, self._storage
        assert storage is not None
        if expected not in (None, key):
            raise damaged(source, "its content has another hash")
        is_new = self._draft.commit(storage_key(key))
        can_be_torn = isinstance(storage, DraftingStorage)
        if not is_new and can_be_torn and not is_whole(storage, key):
            # A power cut can leave a named file without its bytes.
            storage.delete([storage_key(key)])
            self._draft.commit(storage_key(key))
        return key

    def __enter__(self) -> BlobWriter:
        self._draft.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._crew is not None:
            self._crew.__exit__()
        self._draft.__exit__(kind, error, trace)

    def _put(self, buffers: Sequence[Buffer]) -> None:
        self._draft.write(buffers)
        self._at += sum(map(len, buffers))

    def _take(self, part: memoryview) -> None:
        section = self._sections[-1]
        self._pieces.append(part)
        self._filled += len(part)
        section.size += len(part)
        self._taken += len(part)
        if self._filled == CHUNK_BYTES:
            # Handed on before it is written: both then go on at once.
            self._end_chunk()

    def _end_chunk(self) -> None:
        from swell.datastore.chunk_work import pack

        section, pieces = self._sections[-1], self._pieces
        self._pieces, self._filled = [], 0
        crew = self._crew_at_work()
        if crew is None:
            self._keep(section, pack(pieces, section.codec))
            return
        self._settle(crew.threads)
        self._waiting.append((section, crew.submit(pack, pieces, section.codec)))

    def _crew_at_work(self) -> Crew | None:
        if self._crew is None and max(self._expected, self._taken) >= THREADS_FROM_BYTES:
            from swell.datastore.chunk_work import Crew

            self._crew = Crew()
        return self._crew if self._crew is not None and self._crew.threads > 1 else None

    def _settle(self, left: int) -> None:
        """Take the oldest chunks from the crew until at most ``left`` are with it."""
        while len(self._waiting) > left:
            section, packed = self._waiting.popleft()
            self._keep(section, packed.result())

    def _keep(self, section: _OpenSection, packed: Packed) -> None:
        section.chunks.append(packed.chunk)
        self._put(packed.frames)

    def _end_section(self) -> None:
        if not self._sections:
            return
        section = self._sections[-1]
        if self._filled or not section.size:
            self._end_chunk()
        if section.codec != RAW:
            self._settle(0)


class _OpenSection:
    """A section that is being written: what is known of it so far."""

    def __init__(self, offset: int, codec: int) -> None:
        self.offset = offset
        self.codec = codec
        self.size = 0
        self.chunks: list[Chunk] = []

    def section(self) -> Section:
        """The section as written."""
        stored = sum(chunk.stored for chunk in self.chunks)
        return Section(self.size, self.offset, stored, self.codec, tuple(self.chunks))


class MemoryDraft:
    """A draft that keeps references to its buffers until its key is known."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._buffers: list[Buffer] = []

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Keep ``buffers``."""
        self._buffers += [buffer for buffer in buffers if len(buffer)]

    def overwrite(self, offset: int, data: bytes) -> None:
        """Replace the beginning: the first buffer that was written."""
        assert offset == 0
        self._buffers[0] = data + bytes(self._buffers[0])[len(data) :]

    def commit(self, key: str) -> bool:
        """Write what was kept."""
        return self._storage.write(key, self._buffers)

    def __enter__(self) -> MemoryDraft:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._buffers.clear()


class _Nowhere:
    """A draft that is hashed and not kept."""

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Forget ``buffers``."""

    def overwrite(self, offset: int, data: bytes) -> None:
        """Forget ``data``."""

    def commit(self, key: str) -> bool:
        """Nothing to name."""
        return False

    def __enter__(self) -> _Nowhere:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to discard."""


def chunk_hashes(sections: Sequence[Sequence[Content]]) -> list[list[bytes]]:
    """The hashes of the chunks of each section, without writing anything."""
    sizes = [sum(map(len, section)) for section in sections]
    with BlobWriter(None, _Nowhere(), "", sizes) as writer:
        for contents in sections:
            writer.begin()
            writer.append(contents)
        table = writer.seal()
    return [[chunk.hash for chunk in section.chunks] for section in table.sections]


def serialized_key(value: Serialized) -> str:
    """The key that ``value`` would have as a Blob, without writing it."""
    sections = [value.stream, *((b,) for b in value.buffers)]
    sizes = [sum(map(len, section)) for section in sections]
    return content_key(list(zip(sizes, chunk_hashes(sections), strict=True)))


def compresses(contents: Sequence[Content], size: int, ratio: float) -> bool:
    """Whether samples from its beginning, middle and end shrink by ``ratio``."""
    import zstandard

    # A sixteenth of the section at most, so that looking costs little beside hashing.
    length = max(1024, min(64 * 1024, size // (16 * _SAMPLES)))
    sample = b"".join(
        _slice(contents, (size - length) * place // (_SAMPLES - 1), length)
        for place in range(_SAMPLES)
    )
    return len(zstandard.ZstdCompressor(level=1).compress(sample)) * ratio <= len(sample)


def _slice(contents: Sequence[Content], start: int, length: int) -> bytes:
    for content in contents:
        if start < len(content):
            return sample_of(content, start, length)
        start -= len(content)
    return b""
