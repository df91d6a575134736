"""The content of files on its way into the store, and out of it again."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from swell.datastore.streamed import PIECE_BYTES
from swell.errors import StoreError


class StoredFile(NamedTuple):
    """A file as a value keeps it: its name (in a folder: its path there), the Blob of its
    content, bytes, permission bits."""

    name: str
    key: str
    size: int
    mode: int


class OpenFile:
    """An open file as content that is streamed. A context manager.

    Raises StoreError in one sentence for what is missing, no file, not readable, or changes
    while it is read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = _open(path)
        self._stat = os.fstat(self.fd)
        if not stat.S_ISREG(self._stat.st_mode):
            os.close(self.fd)
            raise _not_a_file(path, self._stat.st_mode)

    @property
    def mode(self) -> int:
        """Its permission bits."""
        return stat.S_IMODE(self._stat.st_mode)

    def __len__(self) -> int:
        return self._stat.st_size

    def pieces(self) -> Iterator[bytes]:
        """Its bytes from the beginning."""
        at = 0
        while at < len(self):
            piece = self._read(at, min(PIECE_BYTES, len(self) - at))
            if not piece:
                break
            at += len(piece)
            yield piece
        self.check_unchanged()

    def mapped(self) -> memoryview:
        """Its bytes, at least one, as the file system has them."""
        try:
            return memoryview(mmap.mmap(self.fd, len(self), access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:
            raise _unreadable(self.path, OSError(str(error))) from error

    def sample(self, start: int, length: int) -> bytes:
        """Some of its bytes."""
        return self._read(start, length)

    def check_unchanged(self) -> None:
        """Raises StoreError if the file is not what it was when it was opened."""
        now = os.fstat(self.fd)
        if (now.st_size, now.st_mtime_ns) != (self._stat.st_size, self._stat.st_mtime_ns):
            raise StoreError(
                f"The file '{self.path}' changed while it was stored.",
                remedy="Close it, and wait for what writes to it, before the step ends.",
            )

    def _read(self, start: int, length: int) -> bytes:
        try:
            return os.pread(self.fd, length, start)
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def _open(path: str) -> int:
    try:
        # A named pipe would wait for its writer.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        what = "is a link to what is not there" if os.path.islink(path) else "is not there"
        raise StoreError(
            f"The file '{path}' {what}, so it cannot be stored.",
            remedy="Write it before the step ends, or correct its path.",
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> StoreError:
    cause = (error.strerror or str(error)).lower()
    return StoreError(
        f"The file '{path}' cannot be read, so it cannot be stored: {cause}.",
        remedy="Make it readable for this user.",
    )


def _not_a_file(path: str, mode: int) -> StoreError:
    if stat.S_ISDIR(mode):
        return StoreError(
            f"'{path}' is a folder, and File stores a file.", remedy="Store it with Folder."
        )
    return StoreError(
        f"'{path}' is no regular file, so it cannot be stored.",
        remedy="Store a file that holds its content.",
    )


class Found(NamedTuple):
    """What a folder holds, as paths below it with '/', in order."""

    files: list[str]
    empty_folders: list[str]


def walk(root: str) -> Found:
    """All files below ``root``; links to files count as files.

    Raises StoreError for what is missing, no folder, or holds a link to a folder.
    """
    found = Found([], [])
    waiting = [""]
    while waiting:
        below = waiting.pop()
        entries = _entries(os.path.join(root, below) if below else root)
        if not entries and below:
            found.empty_folders.append(below)
        for entry in entries:
            name = f"{below}/{entry.name}" if below else entry.name
            if not entry.is_dir():
                found.files.append(name)
            elif entry.is_symlink():
                raise StoreError(
                    f"'{entry.path}' is a link to a folder, which Folder does not follow.",
                    remedy="Store that folder by itself, or put a copy in its place.",
                )
            else:
                waiting.append(name)
    found.files.sort()
    found.empty_folders.sort()
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError as error:
        raise StoreError(
            f"The folder '{folder}' is not there, so it cannot be stored.",
            remedy="Make it before the step ends, or correct its path.",
        ) from error
    except NotADirectoryError as error:
        raise StoreError(
            f"'{folder}' is a file, and Folder stores a folder.", remedy="Store it with File."
        ) from error
    except OSError as error:
        raise _unreadable(folder, error) from error
