"""Where Blobs live: four operations over keys and bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, runtime_checkable


class Entry(NamedTuple):
    """A stored key, its size in bytes and its age by the store's own clock (Unix seconds)."""

    key: str
    size: int
    modified_at: float


class Mapped(NamedTuple):
    """Memory of this process from ``start`` up to ``end`` (addresses), which shows a stored
    value from ``offset`` on."""

    start: int
    end: int
    offset: int


class Storage(Protocol):
    """Keys are ``/``-separated ASCII; values are immutable once written.

    All methods raise StoreError naming the key and the place; ``retryable`` where a
    second try can help.
    """

    @property
    def url(self) -> str:
        """The address of this store, as a person would type it."""
        ...

    def write(self, key: str, buffers: Sequence[bytes | memoryview]) -> bool:
        """Write ``buffers`` one after the other under ``key``: whole or not at all.

        False, with nothing written, when ``key`` is already there.
        """
        ...

    def read(self, key: str, start: int = 0, length: int | None = None) -> memoryview:
        """The bytes from ``start``, at most ``length``. Raises DataMissing for no such key.

        The caller may write to what it gets: it is a copy, or a private mapping, and never
        reaches the store.
        """
        ...

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Keys under ``prefix`` in order, those behind ``after`` only."""
        ...

    def delete(self, keys: Collection[str]) -> None:
        """Delete ``keys``; one that is not there is no error."""
        ...


class Draft(Protocol):
    """Bytes on their way into a store, whose key is known only once they are written.

    A context manager: what was not committed inside it is discarded.
    """

    def write(self, buffers: Sequence[bytes | memoryview]) -> None:
        """Append ``buffers`` one after the other."""
        ...

    def overwrite(self, offset: int, data: bytes) -> None:
        """Replace bytes that were written before."""
        ...

    def commit(self, key: str) -> bool:
        """Make it readable as ``key``, whole; False, with nothing changed, if ``key`` is there."""
        ...

    def __enter__(self) -> Draft: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class CloningDraft(Protocol):
    """A draft in a file system that may let two files share bytes."""

    def clone(self, fd: int, size: int, offset: int) -> bool:
        """Share the first ``size`` bytes of an open file, all there are, at ``offset``.

        False, with nothing changed, where the file system cannot do that.
        """
        ...

    def read(self, offset: int, length: int) -> memoryview:
        """Bytes that were written before."""
        ...

    def overwrite(self, offset: int, data: bytes) -> None:
        """Replace bytes that were written before."""
        ...


@runtime_checkable
class CopyingStorage(Protocol):
    """A Storage in a file system of this machine."""

    def copy_out(self, key: str, start: int, length: int, fd: int) -> bool:
        """Write ``length`` bytes of ``key`` into an open, empty file, shared where the file
        system can do that; False, with nothing written, where the kernel cannot copy."""
        ...

    def scratch_folder(self) -> str:
        """A folder beside the values, which a cleaner empties of what dead processes left."""
        ...


@runtime_checkable
class MappingStorage(Protocol):
    """A Storage whose large values are mapped when they are read."""

    def untouched(self, key: str) -> Sequence[Mapped]:
        """Where in this process ``key`` is mapped, without mappings that were written to."""
        ...


@runtime_checkable
class SweepableStorage(Protocol):
    """A Storage from which what nothing refers to is removed while others write to it.

    For that, values that are written again although they are there count as written now.
    """

    def refresh(self, key: str) -> bool:
        """Make ``key`` count as written now; False where it has to be written for that."""
        ...

    def delete_older(self, keys: Collection[str], before: float) -> Sequence[str]:
        """Delete those of ``keys`` that were not written since ``before`` (Unix seconds).

        One that is written again at the same moment either stays or is written anew: a
        writer never relies on a value that this deletes. Returns the keys deleted.
        """
        ...


@runtime_checkable
class DraftingStorage(Protocol):
    """A Storage that can hash in the same pass in which it writes."""

    def draft(self) -> Draft:
        """Begin a value of unknown key and size."""
        ...


@runtime_checkable
class UploadingStorage(Protocol):
    """A Storage behind a network."""

    def entry(self, key: str) -> Entry | None:
        """Size and age of ``key``; None where there is no such key."""
        ...

    def upload(
        self,
        key: str,
        buffers: Sequence[bytes | memoryview],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write ``buffers`` under ``key`` whether it is there or not; whole or not at all.

        ``progress`` is told bytes of large values as they are handed on.
        """
        ...


@runtime_checkable
class SyncingStorage(Protocol):
    """A Storage whose writes survive a power cut only after ``sync``."""

    def sync(self, keys: Collection[str]) -> None:
        """Make ``keys`` durable. Raises DataMissing when one is not there."""
        ...
