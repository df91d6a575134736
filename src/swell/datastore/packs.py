"""Many encoded Records in one file, each readable by itself: for joins of thousands."""

from __future__ import annotations

import mmap
import os
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import overload

from swell.datastore.local import write_all
from swell.datastore.os_errors import store_error
from swell.errors import DataMissing, StoreError

# Head: magic, version, flags, number of records. Then one offset a record and the end, counted
# from the first record; then the records. All little-endian.
_HEAD = struct.Struct("<8sHHxxxxQ")
_MAGIC = b"swelPACK"
_VERSION = 1
_PAIR = struct.Struct("<QQ")


def write_pack(path: str, records: Sequence[bytes]) -> None:
    """Write ``records`` in order to ``path``, whole or not at all; replaces what is there.

    Not synced: a pack can be made again. Raises StoreError.
    """
    offsets = array("Q", [0])
    for record in records:
        offsets.append(offsets[-1] + len(record))
    if sys.byteorder == "big":
        offsets.byteswap()
    draft = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            write_all(fd, [_HEAD.pack(_MAGIC, _VERSION, 0, len(records)), offsets.tobytes()])
            write_all(fd, records)
        except OSError:
            os.unlink(draft)
            raise
        finally:
            os.close(fd)
        os.replace(draft, path)
    except OSError as error:
        raise store_error(error, "writing", path) from error


def open_pack(path: str) -> Pack:
    """Raises DataMissing for no such file, StoreError when it is not a whole pack."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise DataMissing(
            f"The pack of records '{path}' is not there.", remedy="Resume the run: it is rewritten."
        ) from error
    except OSError as error:
        raise store_error(error, "reading", path) from error
    try:
        mapping = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    except ValueError as error:
        raise _damaged(path) from error
    except OSError as error:
        raise store_error(error, "reading", path) from error
    finally:
        os.close(fd)
    return Pack(path, mapping)


class Pack(Sequence[bytes]):
    """Records of a pack by position. A context manager; also freed when forgotten."""

    def __init__(self, path: str, mapping: mmap.mmap) -> None:
        self._path = path
        self._data = mapping
        if len(mapping) < _HEAD.size:
            raise _damaged(path)
        magic, version, _, self._count = _HEAD.unpack_from(mapping)
        self._start = _HEAD.size + 8 * (self._count + 1)
        if magic != _MAGIC or version != _VERSION or len(mapping) < self._start:
            raise _damaged(path)
        (size,) = struct.unpack_from("<Q", mapping, self._start - 8)
        if self._start + size != len(mapping):
            raise _damaged(path)

    def __len__(self) -> int:
        return int(self._count)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        start, end = _PAIR.unpack_from(self._data, _HEAD.size + 8 * index)
        return self._data[self._start + start : self._start + end]

    def __iter__(self) -> Iterator[bytes]:
        return (self[index] for index in range(len(self)))

    def __enter__(self) -> Pack:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the mapping back; records already taken stay."""
        self._data.close()


def _damaged(path: str) -> StoreError:
    return StoreError(
        f"'{path}' is not a whole pack of records.", remedy="Delete it and resume the run."
    )
