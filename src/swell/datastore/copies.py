"""Stored files made readable by path: read-only copies that go when the process ends."""

from __future__ import annotations

import atexit
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from swell.datastore.os_errors import store_error
from swell.errors import StoreError

if TYPE_CHECKING:
    from swell.datastore.blobs import Blobs
    from swell.datastore.file_content import StoredFile
    from swell.datastore.files import File


class Reader(io.RawIOBase):
    """The content of a file, read from where it is."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}[whence]
        if start + offset < 0:
            raise ValueError(f"seek to {start + offset}, before the beginning")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]  # the stubs' Buffer is newer
        part = self._file.read_range(self._at, len(target))
        target[: len(part)] = part
        self._at += len(part)
        return len(part)


def copy_out(
    blobs: Blobs, files: Sequence[StoredFile], name: str, empty: Sequence[str] | None = None
) -> str:
    """Write ``files`` below a folder of this process and return the path of ``name`` there:
    the only file or, with ``empty`` folders, the folder of all. Raises StoreError.
    """
    for one in (name, *(empty or ()), *(file.name for file in files)):
        _check_inside(one)
    outer = _new_folder(blobs)
    target = os.path.join(outer, name or "file")
    folders = [target] if empty is not None else []
    try:
        for one in empty or ():
            os.makedirs(os.path.join(target, one))
        for folder in folders:
            os.makedirs(folder, exist_ok=True)
        for file in files:
            place = target if empty is None else os.path.join(target, file.name)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            mode = (file.mode | stat.S_IRUSR) & ~0o222
            fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                blobs.copy_to(file.key, fd)
                os.fchmod(fd, mode & 0o777)
            finally:
                os.close(fd)
    except OSError as error:
        raise store_error(error, "writing to", outer) from error
    return target


def _check_inside(name: str) -> None:
    # Swell stores no such names: somebody else wrote the value.
    if os.path.isabs(name) or ".." in name.split("/") or "\0" in name:
        raise StoreError(
            f"A stored file is named {name!r}, which leads out of the folder it belongs to.",
            remedy="Find out who wrote it, and who can write to the store.",
        )


def _new_folder(blobs: Blobs) -> str:
    # Beside the Blobs a file system can share the bytes, and there is room for them.
    for parent in (blobs.scratch_folder(), None):
        try:
            folder = tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent)
        except OSError as error:
            if parent is None:
                raise store_error(error, "writing to", tempfile.gettempdir()) from error
            continue
        atexit.register(_remove, folder, os.getpid())
        return folder
    raise AssertionError("the loop ends by return or raise")


def _remove(folder: str, pid: int) -> None:
    # A child that was forked later must not take it from its parent.
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)
