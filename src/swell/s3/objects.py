"""What ``S3`` gives and takes: objects, ranges, and requests that say more than a key."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from io import BufferedIOBase, RawIOBase
from typing import NamedTuple

_STANDARD = frozenset(
    {
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Type",
        "Cache-Control",
        "Storage-Class",
    }
)


class S3GetObject(NamedTuple):
    """A part of an object: ``length`` bytes from ``offset``; None: to its end."""

    key: str
    offset: int = 0
    length: int | None = None


class S3PutObject(NamedTuple):
    """What to put under ``key``: a text, bytes, an open file, or for ``put_files`` a ``path``."""

    key: str
    value: str | bytes | bytearray | memoryview | RawIOBase | BufferedIOBase | None = None
    path: str | os.PathLike[str] | None = None
    content_type: str | None = None
    metadata: dict[str, str] | None = None


class RangeInfo(NamedTuple):
    """Which part of an object was read: of ``total_size`` bytes, those asked for."""

    total_size: int
    request_offset: int
    request_length: int


class Known(NamedTuple):
    """What the store says of an object."""

    size: int
    modified_at: float
    attributes: Mapping[str, str]


class S3Object:
    """One object of a store, or one that was looked for and is not there.

    What was read is in ``blob`` (bytes), ``text`` and ``path``, a local file that is removed
    when the ``S3`` is closed.
    """

    def __init__(
        self,
        prefix: str,
        url: str,
        key: str,
        *,
        known: Known | None = None,
        content: Content | None = None,
        range_info: RangeInfo | None = None,
        is_missing: bool = False,
    ) -> None:
        self._prefix = prefix
        self._url = url
        self._key = key
        self._known = known
        self._content = content
        self._range = range_info
        self._is_missing = is_missing

    @property
    def exists(self) -> bool:
        """Whether there is such an object; where nobody asked, True."""
        return not self._is_missing

    @property
    def downloaded(self) -> bool:
        """Whether its content was read."""
        return self._content is not None

    @property
    def has_info(self) -> bool:
        """Whether the store told more than the size."""
        return self._known is not None and bool(self._known.attributes)

    @property
    def url(self) -> str:
        """The whole address: ``s3://bucket/key``."""
        return self._url

    @property
    def prefix(self) -> str:
        """What was asked for, of which this is one object."""
        return self._prefix

    @property
    def key(self) -> str:
        """The key as it was asked for, or below what was asked for."""
        return self._key

    @property
    def path(self) -> str | None:
        """A local file with the content; None where it was not read."""
        return None if self._content is None else self._content.path

    @property
    def blob(self) -> bytes | None:
        """The content; None where it was not read."""
        return None if self._content is None else self._content.read()

    @property
    def text(self) -> str | None:
        """The content as UTF-8; None where it was not read."""
        blob = self.blob
        return None if blob is None else blob.decode("utf-8")

    @property
    def size(self) -> int | None:
        """Bytes that were read, else those of the object; None where there is none."""
        if self._content is not None:
            return self._content.size
        return None if self._known is None else self._known.size

    @property
    def content_type(self) -> str | None:
        """What was said when it was put."""
        return None if self._known is None else self._known.attributes.get("Content-Type")

    @property
    def metadata(self) -> dict[str, str] | None:
        """What the user noted with it, if the store was asked."""
        if self._known is None:
            return None
        return {k: v for k, v in self._known.attributes.items() if k not in _STANDARD}

    @property
    def last_modified(self) -> int | None:
        """When it was written, in Unix seconds."""
        return None if self._known is None else int(self._known.modified_at)

    @property
    def range_info(self) -> RangeInfo | None:
        """Which part was read; None for all of it."""
        return self._range

    def __repr__(self) -> str:
        if self._is_missing:
            return f"<S3Object {self._url} (not there)>"
        size = "" if self.size is None else f" ({self.size:,} bytes)"
        return f"<S3Object {self._url}{size}>"


class Content:
    """Bytes that were read, in memory or in a file; ``new_path`` names one when wanted."""

    def __init__(
        self, data: memoryview | None, path: str | None, new_path: Callable[[], str]
    ) -> None:
        self._data = data
        self._path = path
        self._new_path = new_path
        self.size = len(data) if data is not None else os.path.getsize(path or "")

    @property
    def path(self) -> str:
        """A file with the content; written now if there is none yet."""
        if self._path is None:
            assert self._data is not None
            path = self._new_path()
            with open(path, "wb") as file:
                file.write(self._data)
            self._path, self._data = path, None
        return self._path

    def read(self) -> bytes:
        """The content."""
        if self._data is not None:
            return bytes(self._data)
        with open(self.path, "rb") as file:
            return file.read()
