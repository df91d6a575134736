"""The store folder read with suspicion: content is hashed before a process first uses it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from swell.datastore.blob_format import CHUNK_BYTES, Table, read_head
from swell.datastore.blobs import Blob, Blobs, ReadableBlob
from swell.datastore.local import LocalStorage


class CheckedStorage(LocalStorage):
    """Fills ``blobs.BlobOpening``. Each chunk is hashed once by each process that reads it."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        super().__init__(root)
        self._pid = os.getpid()
        self._good: set[tuple[str, int, int]] = set()

    def open_blob(self, key: str) -> ReadableBlob:
        """Raises DataMissing, or DataDamaged."""
        if self._pid != os.getpid():
            self._pid, self._good = os.getpid(), set()
        head = read_head(self, key)
        return CheckedBlob(Blob(Blobs(LocalStorage(self.url)), key, head.table, head.whole), key,
                           self._good)  # fmt: skip

    def copy_out(self, key: str, start: int, length: int, fd: int) -> bool:
        """Never by the kernel, which looks at nothing."""
        return False


class CheckedBlob:
    """A Blob whose chunks are hashed before they are given out. Raises DataDamaged."""

    def __init__(self, blob: Blob, key: str, good: set[tuple[str, int, int]]) -> None:
        self._blob = blob
        self._key = key
        self._good = good

    @property
    def table(self) -> Table:
        return self._blob.table

    def sections(self) -> list[memoryview]:
        """The content of all sections."""
        for index, section in enumerate(self.table.sections):
            self._check(index, 0, section.size)
        return self._blob.sections()

    def section(self, index: int) -> memoryview:
        """The content of one section."""
        self._check(index, 0, self.table.sections[index].size)
        return self._blob.section(index)

    def read(self, index: int, start: int, length: int) -> memoryview:
        """Part of a section; the chunks around it are hashed."""
        self._check(index, start, length)
        return self._blob.read(index, start, length)

    def pieces(self, index: int) -> Iterator[memoryview]:
        """The content of a section, piece by piece."""
        self._check(index, 0, self.table.sections[index].size)
        return self._blob.pieces(index)

    def verify(self) -> None:
        """Hash all content, again too."""
        self._blob.verify()

    def _check(self, index: int, start: int, length: int) -> None:
        first = start // CHUNK_BYTES
        last = max(first, (start + length - 1) // CHUNK_BYTES)
        wanted = [n for n in range(first, last + 1) if (self._key, index, n) not in self._good]
        if wanted:
            self._blob.verify_chunks(index, wanted[0], wanted[-1] - wanted[0] + 1)
            self._good.update((self._key, index, number) for number in wanted)
