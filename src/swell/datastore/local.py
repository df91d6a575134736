"""The Storage in a folder of this machine: one file a key, whole or not at all."""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from swell.datastore.kernel_copy import copy_within, share
from swell.datastore.mappings import untouched_mappings
from swell.datastore.os_errors import store_error
from swell.datastore.writeback import Writeback
from swell.errors import DataMissing, InternalError
from swell.seams.storage import Entry, Mapped

MAP_FROM_BYTES = 1 << 20
"""Shorter reads are copied: a mapping holds a file descriptor for as long as it lives."""

REFRESH_AFTER_S = 12 * 3600.0
"""A value older than this, whose age cannot be renewed, is written anew when it is stored
again, so that it does not look forgotten to a cleaner."""

_DRAFTS = ".drafts"
_LOCK = ".lock"
_SWEPT_AT_ONCE = 100
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
_WRITEV_BUFFERS = 512
# Without MAP_NORESERVE Linux refuses a private mapping larger than memory and swap.
_MAP_FLAGS = mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", 0)


class LocalStorage:
    """Files under ``root``, which is made at the first write.

    A writer that dies leaves at most a file in ``root/.drafts``, which nothing reads.
    Safe for many threads and processes at once.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = os.fspath(root)

    @property
    def url(self) -> str:
        """The folder."""
        return self._root

    def write(self, key: str, buffers: Sequence[bytes | memoryview]) -> bool:
        """See Storage. A value that is already there counts as used now."""
        if os.path.exists(self._path(key)) and self.refresh(key):
            return False
        with self.draft() as draft:
            draft.write(buffers)
            return draft.commit(key)

    def draft(self) -> LocalDraft:
        """A value whose key is known only once it is written."""
        folder = os.path.join(self._root, _DRAFTS)
        path = os.path.join(folder, f"{os.getpid()}-{os.urandom(8).hex()}")
        try:
            fd = _create(path)
        except FileNotFoundError:
            try:
                os.makedirs(folder, exist_ok=True)
                fd = _create(path)
            except OSError as error:
                raise store_error(error, "writing to", self._root) from error
        except OSError as error:
            raise store_error(error, "writing to", self._root) from error
        return LocalDraft(self, path, fd)

    def read(self, key: str, start: int = 0, length: int | None = None) -> memoryview:
        """See Storage. From 1 MB on a copy-on-write mapping, else a copy."""
        path = self._path(key)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise self._missing(key) from error
        except OSError as error:
            raise store_error(error, "reading", path) from error
        try:
            size = os.fstat(fd).st_size
            end = size if length is None else min(size, start + length)
            return _read(fd, start, max(0, end - start))
        except OSError as error:
            raise store_error(error, "reading", path) from error
        finally:
            os.close(fd)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """See Storage. Keys that come or go meanwhile may be left out."""
        return self._walk(self._root, "", prefix, after)

    def delete(self, keys: Collection[str]) -> None:
        """See Storage. Mappings of a deleted value stay readable."""
        for key in keys:
            path = self._path(key)
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise store_error(error, "deleting", path) from error

    def refresh(self, key: str) -> bool:
        """See SweepableStorage."""
        path = self._path(key)
        with self._locked(exclusive=False):
            return _refresh(path)

    def delete_older(self, keys: Collection[str], before: float) -> Sequence[str]:
        """See SweepableStorage. Mappings of a deleted value stay readable."""
        wanted = list(keys)
        gone = []
        for at in range(0, len(wanted), _SWEPT_AT_ONCE):
            # Whoever writes one of them again waits for some milliseconds.
            with self._locked(exclusive=True):
                for key in wanted[at : at + _SWEPT_AT_ONCE]:
                    path = self._path(key)
                    try:
                        if os.stat(path).st_mtime < before:
                            os.unlink(path)
                            gone.append(key)
                    except FileNotFoundError:
                        continue
                    except OSError as error:
                        raise store_error(error, "deleting", path) from error
        return gone

    @contextmanager
    def _locked(self, *, exclusive: bool) -> Iterator[None]:
        """Keep looking at a file's age and deleting it together, against those who use it
        again. No lock where the file system knows none."""
        try:
            import fcntl

            path = os.path.join(self._root, _LOCK)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except (ImportError, OSError):
            yield
            return
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            except OSError:
                pass
            yield
        finally:
            os.close(lock)

    def sync(self, keys: Collection[str]) -> None:
        """Make ``keys`` survive a power cut: fsync of the files, then of their folders."""
        folders: dict[str, None] = {}
        for key in keys:
            path = self._path(key)
            try:
                _fsync(path)
            except FileNotFoundError as error:
                raise self._missing(key) from error
            except OSError as error:
                raise store_error(error, "flushing", path) from error
            folder = os.path.dirname(path)
            while folder not in folders and len(folder) >= len(self._root):
                folders[folder] = None
                folder = os.path.dirname(folder)
        for folder in folders:
            try:
                _fsync(folder)
            except OSError as error:
                raise store_error(error, "flushing", folder) from error

    def copy_out(self, key: str, start: int, length: int, fd: int) -> bool:
        """See CopyingStorage."""
        path = self._path(key)
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise self._missing(key) from error
        except OSError as error:
            raise store_error(error, "reading", path) from error
        try:
            return copy_within(source, start, length, fd)
        finally:
            os.close(source)

    def scratch_folder(self) -> str:
        """See CopyingStorage: where drafts are."""
        folder = os.path.join(self._root, _DRAFTS)
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise store_error(error, "writing to", self._root) from error
        return folder

    def untouched(self, key: str) -> Sequence[Mapped]:
        """See MappingStorage."""
        try:
            return untouched_mappings(os.stat(self._path(key)).st_ino, os.path.basename(key))
        except OSError:
            return ()

    def delete_drafts(self, before: float) -> int:
        """Remove what dead writers left before ``before`` (Unix seconds); how many.

        What belongs to a process of this machine that lives is left alone.
        """
        import shutil

        removed = 0
        try:
            for entry in os.scandir(os.path.join(self._root, _DRAFTS)):
                if entry.stat().st_mtime >= before or _is_of_living(entry.name):
                    continue
                if entry.is_dir():
                    # Copies of stored files that a process had made for itself.
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)
                removed += 1
        except FileNotFoundError:
            return removed
        except OSError as error:
            raise store_error(error, "cleaning", self._root) from error
        return removed

    def _path(self, key: str) -> str:
        parts = key.split("/")
        if not key.isascii() or "\0" in key or not all(p and p[0] != "." for p in parts):
            raise InternalError(f"{key!r} is not a key: parts must be ASCII and not begin with '.'")
        return os.path.join(self._root, *parts)

    def _missing(self, key: str) -> DataMissing:
        return DataMissing(
            f"The store {self._root} has no '{key}'.",
            remedy="It was deleted, or belongs to another store: look at SWELL_ROOT.",
        )

    def _walk(self, folder: str, at: str, prefix: str, after: str) -> Iterator[Entry]:
        try:
            # A folder sorts as its keys do: by its name and the '/' that follows.
            found = sorted((e.name + "/" * e.is_dir(), e) for e in os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise store_error(error, "listing", folder) from error
        for name, entry in found:
            key = at + name
            if name[0] == "." or not (key.startswith(prefix) or prefix.startswith(key)):
                continue
            if key.endswith("/"):
                if key > after or after.startswith(key):
                    yield from self._walk(entry.path, key, prefix, after)
            elif key > after and key.startswith(prefix):
                try:
                    stat = entry.stat()
                except FileNotFoundError:
                    continue
                yield Entry(key, stat.st_size, stat.st_mtime)


class LocalDraft:
    """A temporary file in the store's own file system, until ``commit`` names it."""

    def __init__(self, storage: LocalStorage, path: str, fd: int) -> None:
        self._storage = storage
        self._file = path
        self._fd = fd
        self._writeback = Writeback(fd)
        self._open = True

    def write(self, buffers: Sequence[bytes | memoryview]) -> None:
        """Append ``buffers``."""
        try:
            self._writeback.appended(write_all(self._fd, buffers))
        except OSError as error:
            raise store_error(error, "writing to", self._storage.url) from error

    def overwrite(self, offset: int, data: bytes | memoryview) -> None:
        """Put ``data`` at ``offset``; what was never written reads as zeros."""
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(self._fd, data[done:], offset + done)
        except OSError as error:
            raise store_error(error, "writing to", self._storage.url) from error

    def clone(self, fd: int, size: int, offset: int) -> bool:
        """See CloningDraft."""
        if not share(fd, 0, self._fd, offset):
            return False
        # The file may have grown since it was looked at.
        os.ftruncate(self._fd, offset + size)
        os.lseek(self._fd, 0, os.SEEK_END)
        return True

    def read(self, offset: int, length: int) -> memoryview:
        """Bytes that were written before; fewer at the end."""
        try:
            return memoryview(os.pread(self._fd, length, offset))
        except OSError as error:
            raise store_error(error, "reading back from", self._storage.url) from error

    def commit(self, key: str) -> bool:
        """Give the file its name, if nothing has it."""
        path = self._storage._path(key)
        try:
            self._end()
            try:
                return self._place(path)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                return self._place(path)
        except OSError as error:
            raise store_error(error, "writing", path) from error

    def __enter__(self) -> LocalDraft:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        try:
            os.unlink(self._file)
        except OSError:
            # Renamed into place, or a leftover that nothing reads.
            pass

    def _end(self) -> None:
        if self._open:
            self._open = False
            os.close(self._fd)

    def _place(self, path: str) -> bool:
        while True:
            try:
                os.link(self._file, path)
                return True
            except FileExistsError:
                pass
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                # Two writers may both pass this look; they write the same bytes under a hash.
                if not os.path.exists(path):
                    os.rename(self._file, path)
                    return True
            with self._storage._locked(exclusive=False):
                if _refresh(path):
                    return False
                if os.path.exists(path):
                    # Another user's file, whose age is not ours to change.
                    os.replace(self._file, path)
                    return True
            # A cleaner took it in between.


def write_all(fd: int, buffers: Sequence[bytes | memoryview]) -> int:
    """Write ``buffers`` whole, in few calls; returns the bytes written."""
    views = [memoryview(b) for b in buffers if len(b)]
    written = at = 0
    while at < len(views):
        count = os.writev(fd, list(itertools.islice(views, at, at + _WRITEV_BUFFERS)))
        written += count
        while at < len(views) and count >= views[at].nbytes:
            count -= views[at].nbytes
            at += 1
        if count:
            views[at] = views[at][count:]
    return written


def _create(path: str) -> int:
    # Values are never changed: not even their owner may write to them later by mistake.
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)


def _read(fd: int, start: int, length: int) -> memoryview:
    if length >= MAP_FROM_BYTES:
        aligned = start - start % mmap.ALLOCATIONGRANULARITY
        skip = start - aligned
        try:
            return memoryview(_map(fd, aligned, skip + length))[skip:]
        except OSError as error:
            # Too many mappings or descriptors: a copy is as good.
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENODEV):
                raise
    copy = memoryview(bytearray(length))
    done = 0
    while done < length:
        count = os.preadv(fd, [copy[done:]], start + done)
        if count == 0:
            return copy[:done]
        done += count
    return copy


def _map(fd: int, start: int, length: int) -> mmap.mmap:
    return mmap.mmap(
        fd, length, flags=_MAP_FLAGS, prot=mmap.PROT_READ | mmap.PROT_WRITE, offset=start
    )


def _refresh(path: str) -> bool:
    """With the lock held: what is used again must not look old to a cleaner."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:
        try:
            return time.time() - os.stat(path).st_mtime < REFRESH_AFTER_S
        except OSError:
            return False
    return True


def _is_of_living(name: str) -> bool:
    """Whether a process of the number that a draft's name begins with is there."""
    number = name.partition("-")[0]
    if not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _fsync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
