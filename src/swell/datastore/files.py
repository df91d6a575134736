"""``File`` and ``Folder``: files as artifacts, stored by content, opened when asked for."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from swell.datastore.file_content import OpenFile, StoredFile, walk
from swell.errors import StoreError

if TYPE_CHECKING:
    from swell.datastore.blobs import Blobs


class File:
    """A file as an artifact: stored by its content when the step ends.

    Example::

        self.model = File("model.bin")          # in one step
        weights = open(self.model.path, "rb")   # in a later one

    Equal content is stored once. Where the file system can share the bytes of two files it
    is not copied. ``move=True`` removes the file itself once it is stored.
    """

    def __init__(self, path: str | os.PathLike[str], move: bool = False) -> None:
        self._path: str | None = os.path.abspath(os.fspath(path))
        self._move = move
        self._stored: StoredFile | None = None
        self._source: Blobs | None = None
        self._kept_at = ""

    @classmethod
    def _stored_as(cls, stored: StoredFile, source: Blobs | None) -> File:
        file = cls(stored.name)
        file._path, file._stored, file._source = None, stored, source
        return file

    @property
    def name(self) -> str:
        """The file's own name; of a file in a Folder its path there."""
        if self._stored is not None:
            return self._stored.name
        return os.path.basename(self._path or "")

    @property
    def size(self) -> int:
        """Bytes."""
        if self._stored is not None:
            return self._stored.size
        with OpenFile(self._path or "") as opened:
            return len(opened)

    @property
    def path(self) -> str:
        """Where the file can be read. Of a stored file a read-only copy is made when this is
        first asked for, and removed when the process ends."""
        if self._path is None:
            from swell.datastore.copies import copy_out

            self._path = copy_out(self._blobs(), [self._content()], os.path.basename(self.name))
        return self._path

    def open(self) -> io.BufferedReader:
        """The content as a binary file that is read from the store as it is asked for."""
        from swell.datastore.copies import Reader

        return io.BufferedReader(Reader(self), 1 << 20)

    def read_range(self, start: int, length: int) -> bytes:
        """``length`` bytes from ``start`` (fewer at the end), and no others are read."""
        if start < 0 or length < 0:
            raise ValueError(f"read_range({start}, {length}): neither may be negative.")
        length = max(0, min(length, self.size - start))
        if self._stored is not None and self._source is not None:
            blob = self._source.open(self._stored.key)
            return bytes(blob.read(0, start, length)) if length else b""
        with OpenFile(self.path) as opened:
            return opened.sample(start, length)

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        if self._stored is not None:
            return f"File({self._stored.name!r}, {self._stored.size:,} bytes)"
        return f"File({self._path!r})"

    def _kept_in(self, blobs: Blobs) -> StoredFile:
        """Store the content in ``blobs``, unless it is there."""
        if self._stored is None:
            self._stored = keep(blobs, self._path or "", self.name, move=self._move)
            self._source = blobs
            if self._move:
                self._path = None
        elif self._kept_at != blobs.url:
            # Also what comes from this store: the run that it was read from may be removed.
            blobs.copy_from(self._blobs(), self._stored.key)
            self._source = blobs
        self._kept_at = blobs.url
        return self._stored

    def _content(self) -> StoredFile:
        assert self._stored is not None
        return self._stored

    def _blobs(self) -> Blobs:
        if self._source is None:
            raise StoreError(
                f"The file '{self.name}' was loaded without its store.",
                remedy="Load the artifact in a step or through the client.",
            )
        return self._source


class Folder:
    """A folder and all that is in it as an artifact: stored by content when the step ends.

    Example::

        self.plots = Folder("plots/")            # in one step
        for file in self.plots:                  # in a later one
            print(file.name, file.size)

    Files are stored one by one: what did not change since an earlier run takes no space.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path: str | None = os.path.abspath(os.fspath(path))
        self._name = os.path.basename(self._path)
        self._files: list[StoredFile] | None = None
        self._empty: list[str] = []
        self._source: Blobs | None = None
        self._kept_at = ""

    @classmethod
    def _stored_as(
        cls, name: str, files: list[StoredFile], empty: list[str], source: Blobs | None
    ) -> Folder:
        folder = cls(name)
        folder._path, folder._name, folder._source = None, name, source
        folder._files, folder._empty = files, empty
        return folder

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self._name

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self)

    @property
    def path(self) -> str:
        """Where the folder can be read. Of a stored one a read-only copy is made when this is
        first asked for, and removed when the process ends."""
        if self._path is None:
            from swell.datastore.copies import copy_out

            if self._source is None:
                raise StoreError(
                    f"The folder '{self.name}' was loaded without its store.",
                    remedy="Load the artifact in a step or through the client.",
                )
            self._path = copy_out(self._source, self._files or [], self.name, self._empty)
        return self._path

    def __iter__(self) -> Iterator[File]:
        """Its files, those of folders in it too, by path."""
        if self._files is not None:
            return (File._stored_as(one, self._source) for one in self._files)
        return (self._own(name) for name in walk(self._path or "").files)

    def __len__(self) -> int:
        if self._files is not None:
            return len(self._files)
        return len(walk(self._path or "").files)

    def __getitem__(self, name: str) -> File:
        """The file at the path ``name`` in the folder. Raises KeyError."""
        for file in self:
            if file.name == name:
                return file
        raise KeyError(f"the folder '{self.name}' has no file '{name}'")

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        if self._files is not None:
            return f"Folder({self._name!r}, {len(self._files):,} files, {self.size:,} bytes)"
        return f"Folder({self._path!r})"

    def _own(self, name: str) -> File:
        file = _FileInFolder(os.path.join(self._path or "", name))
        file.place = name
        return file

    def _kept_in(self, blobs: Blobs) -> tuple[Sequence[StoredFile], Sequence[str]]:
        """Store all files in ``blobs``, unless they are there."""
        if self._files is None:
            root = self._path or ""
            found = walk(root)
            self._files = [keep(blobs, os.path.join(root, name), name) for name in found.files]
            self._empty = found.empty_folders
            self._source = blobs
        elif self._kept_at != blobs.url:
            for one in self:
                one._kept_in(blobs)
            self._source = blobs
        self._kept_at = blobs.url
        return self._files, self._empty


class _FileInFolder(File):
    """A file of a folder that is not stored yet."""

    place = ""

    @property
    def name(self) -> str:
        return self.place


# As people import them: in previews, and in the names of artifacts' types.
File.__module__ = Folder.__module__ = "swell"


def keep(blobs: Blobs, path: str, name: str, *, move: bool = False) -> StoredFile:
    """Store the content of the file at ``path`` under its hash."""
    with OpenFile(path) as opened:
        key = blobs.save_file(opened)
        stored = StoredFile(name, key, len(opened), opened.mode)
    if move:
        try:
            os.unlink(path)
        except OSError as error:
            raise StoreError(
                f"The file '{path}' is stored, but cannot be moved away: {error.strerror}.",
                remedy="Store it without move=True, or get permission to remove it.",
            ) from error
    return stored
