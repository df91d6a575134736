"""The Storage in a bucket: conditional puts, parallel parts, retries that are told."""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from swell.datastore.object_access import ObjectAccess, open_bucket
from swell.datastore.object_address import ObjectAddress
from swell.datastore.object_engine import engine
from swell.datastore.object_errors import missing, object_error
from swell.datastore.patience import Persistence, Say
from swell.datastore.spread import interruptibly, spread
from swell.seams.storage import Entry

PART_BYTES = 16 << 20
"""Values from this size on go in parts, up and down, ``THREADS`` at once."""
THREADS = 8
FIRST_READ_BYTES = 4 << 20

_MAX_PARTS = 9_000  # S3 takes 10,000
_DELETE_BATCH = 1_000

_T = TypeVar("_T")
Progress = Callable[[int], None]


class Span(NamedTuple):
    """Bytes of a value: from ``start``, before ``end``."""

    start: int
    end: int


class Head(NamedTuple):
    """The beginning of a value, and what is known of the whole: its size, when it was
    written (Unix seconds) and what was said of it when it was."""

    data: memoryview
    size: int
    modified_at: float
    attributes: Mapping[str, str]


def say_on_stderr(text: str) -> None:
    """A line for the person or the log."""
    print(f"[swell] {text}", file=sys.stderr, flush=True)


class ObjectStorage:
    """Keys under ``address``. ``say`` is told of every wait before a retry.

    Of many writers of one key exactly one wins up to 16 MB. Larger values are sent in parts,
    which services cannot make conditional: they are looked for before, and are meant to
    stand under the hash of their content, so that two writers write the same. A write is
    durable when it returns. Safe for many threads, and in processes forked at any time.
    """

    def __init__(
        self, address: ObjectAddress, access: ObjectAccess, say: Say = say_on_stderr
    ) -> None:
        self.address = address
        self._access = access
        self._persistence = Persistence(access.patience, say)
        self._opened: tuple[int, Any] | None = None

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return self.address.url

    def write(self, key: str, buffers: Sequence[bytes | memoryview]) -> bool:
        """See Storage."""
        size = sum(len(buffer) for buffer in buffers)
        if size >= PART_BYTES:
            if self.size(key) is not None:
                return False
            self.upload(key, buffers)
            return True
        data = buffers[0] if len(buffers) == 1 else b"".join(buffers)

        def put(tries: int) -> bool:
            obstore = engine()
            try:
                obstore.put(self._bucket(), self._path(key), data, mode="create")
            except obstore.exceptions.AlreadyExistsError:
                # The answer to an earlier try may have been lost, not the try itself.
                return tries > 0 and self.read(key) == data
            return True

        return self._call(put, "writing", key)

    def upload(
        self,
        key: str,
        buffers: Sequence[bytes | memoryview],
        progress: Progress | None = None,
        attributes: dict[str, str] | None = None,
    ) -> None:
        """Write ``buffers`` under ``key`` whether it is there or not; whole or not at all.

        ``progress`` is told bytes as they are handed on, ``attributes`` are kept with it.
        """
        size = sum(len(buffer) for buffer in buffers)
        part = max(PART_BYTES, -(-size // _MAX_PARTS))
        options: dict[str, Any] = {"attributes": attributes} if attributes else {}

        def put(tries: int) -> None:
            if size < PART_BYTES:
                data = buffers[0] if len(buffers) == 1 else b"".join(buffers)
                engine().put(self._bucket(), self._path(key), data, use_multipart=False, **options)
                return
            engine().put(
                self._bucket(),
                self._path(key),
                _parts(buffers, part, None if tries else progress),
                use_multipart=True,
                chunk_size=part,
                max_concurrency=THREADS,
                **options,
            )

        self._call(put, "writing", key)

    def read(self, key: str, start: int = 0, length: int | None = None) -> memoryview:
        """See Storage."""
        first = FIRST_READ_BYTES if length is None else min(length, FIRST_READ_BYTES)
        head = self.read_head(key, start, first)
        end = head.size if length is None else min(head.size, start + length)
        if end - start <= len(head.data):
            return memoryview(bytearray(head.data))
        target = anonymous_memory(end - start)
        target[: len(head.data)] = head.data

        def place(span: Span, data: memoryview) -> None:
            target[span.start - start : span.end - start] = data

        self.fetch(key, cut(Span(start + len(head.data), end), PART_BYTES), place)
        return target

    def read_head(self, key: str, start: int, length: int) -> Head:
        """Up to ``length`` bytes from ``start``, read-only; with 0 only what is known of it."""

        def get(_: int) -> Head:
            obstore = engine()
            if length > 0:
                try:
                    options: dict[str, Any] = {"range": (start, start + length)}
                    found = obstore.get(self._bucket(), self._path(key), options=options)
                    return _head(found, memoryview(found.bytes()))
                except obstore.exceptions.GenericError as error:
                    # A range that begins behind the end is refused; empty values too.
                    if "416" not in str(error):
                        raise
            found = obstore.get(self._bucket(), self._path(key), options={"head": True})
            return _head(found, memoryview(b""))

        return self._call(get, "reading", key)

    def fetch(
        self, key: str, spans: Sequence[Span], place: Callable[[Span, memoryview], None]
    ) -> None:
        """Read ``spans``, several at once; ``place`` gets each, read-only, on some thread."""

        def get(span: Span) -> None:
            place(span, self.read_span(key, span))

        for _ in spread(get, spans, min(THREADS, len(spans))):
            pass

    def read_span(self, key: str, span: Span) -> memoryview:
        """All of ``span``, read-only, in one request."""

        def attempt(_: int) -> memoryview:
            found = memoryview(
                engine().get_range(self._bucket(), self._path(key), start=span.start, end=span.end)
            )
            if len(found) != span.end - span.start:
                raise ConnectionError("IncompleteMessage: fewer bytes came than asked for")
            return found

        return self._call(attempt, "reading", key)

    def size(self, key: str) -> int | None:
        """Bytes under ``key``; None where there is no such key."""
        entry = self.entry(key)
        return None if entry is None else entry.size

    def entry(self, key: str) -> Entry | None:
        """Size and age of ``key``; None where there is no such key."""

        def head(_: int) -> Entry | None:
            try:
                found = engine().head(self._bucket(), self._path(key))
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None
            return Entry(key, found["size"], found["last_modified"].timestamp())

        return self._call(head, "reading", key)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """See Storage. The order is the service's: S3's is that of the keys' bytes."""
        # Services list folders; the rest of the prefix is a filter, and a place to begin.
        folder, _, rest = prefix.rpartition("/")
        # A place that may be a folder is begun before: not all services then list what is in it.
        begin = max(_just_before(after), _just_before(prefix) if rest else "")
        for entry in self._listed(folder, begin):
            if entry.key.startswith(prefix):
                if entry.key > after:
                    yield entry
            elif entry.key > prefix:
                return

    def folder(self, prefix: str) -> Sequence[Entry]:
        """What is right below the folder ``prefix``; folders have the size -1."""

        def read(_: int) -> Sequence[Entry]:
            found = engine().list_with_delimiter(
                self._bucket(), self._path(prefix).strip("/") or None
            )
            root = len(self._path(""))
            folders = [Entry(path[root:], -1, 0.0) for path in found["common_prefixes"]]
            objects = [_entry(one, root) for one in found["objects"]]
            return sorted([*folders, *objects])

        return self._call(read, "listing", prefix)

    def delete(self, keys: Collection[str]) -> None:
        """See Storage."""
        names = list(keys)
        for at in range(0, len(names), _DELETE_BATCH):
            self._delete(names[at : at + _DELETE_BATCH])

    def delete_once(self, keys: Sequence[str]) -> None:
        """Delete up to 1,000 ``keys`` in one request that is not tried again: a second one
        might take what was written after the first. Raises StoreError."""
        try:
            bucket = open_bucket(self.address, self._access, quick_retries=0)
            engine().delete(bucket, [self._path(key) for key in keys])
        except Exception as error:
            raise self._mapped(error, "deleting", keys[0]) from error

    def _delete(self, keys: Sequence[str]) -> None:
        def delete(_: int) -> None:
            try:
                engine().delete(self._bucket(), [self._path(key) for key in keys])
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise

        self._call(delete, "deleting", keys[0])

    def _listed(self, folder: str, after: str) -> Iterator[Entry]:
        root = self._path("")
        options: dict[str, Any] = {"prefix": self._path(folder).rstrip("/") or None}

        def batch(at: str) -> Sequence[Entry]:
            def read(_: int) -> Sequence[Entry]:
                # A stream that broke off cannot be gone on with: each page is asked for anew.
                given = {**options, "offset": root + at} if at else options
                stream = engine().list(self._bucket(), chunk_size=1000, **given)
                return [_entry(found, len(root)) for found in next(iter(stream), ())]

            return self._call(read, "listing", folder)

        page = batch(after)
        while page:
            yield from page
            page = batch(page[-1].key)

    def _bucket(self) -> Any:
        pid = os.getpid()
        if self._opened is None or self._opened[0] != pid:
            self._opened = (pid, open_bucket(self.address, self._access))
        return self._opened[1]

    def _path(self, key: str) -> str:
        return f"{self.address.prefix}/{key}" if self.address.prefix else key

    def _call(self, attempt: Callable[[int], _T], doing: str, key: str) -> _T:
        return interruptibly(
            lambda: self._persistence.call(attempt, lambda e: self._mapped(e, doing, key))
        )

    def _mapped(self, error: BaseException, doing: str, key: str) -> Any:
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
            return missing(self.url, key)
        return object_error(error, doing, self.url, key)


def _entry(found: Any, root: int) -> Entry:
    return Entry(found["path"][root:], found["size"], found["last_modified"].timestamp())


def _head(found: Any, data: memoryview) -> Head:
    meta = found.meta
    return Head(data, meta["size"], meta["last_modified"].timestamp(), found.attributes)


def anonymous_memory(size: int) -> memoryview:
    """Memory for ``size`` bytes that is not touched before it is written to."""
    return memoryview(
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    )[:size]  # fmt: skip


def cut(span: Span, part: int) -> list[Span]:
    """``span`` in pieces of ``part`` bytes."""
    return [Span(at, min(at + part, span.end)) for at in range(span.start, span.end, part)]


def _parts(
    buffers: Sequence[bytes | memoryview], part: int, progress: Progress | None
) -> Iterator[memoryview]:
    # One large buffer would begin all its parts at once, whatever the limit.
    for buffer in buffers:
        view = memoryview(buffer)
        for at in range(0, len(view), part):
            piece = view[at : at + part]
            yield piece
            if progress is not None:
                progress(len(piece))


def _just_before(prefix: str) -> str:
    """A key that sorts before all that begin with ``prefix``, and not long before."""
    if not prefix:
        return ""
    last = chr(ord(prefix[-1]) - 1)
    # A part of a key may not be empty, as it would be behind '/'.
    last = "." if last == "/" else last
    return f"{prefix[:-1]}{last}~" if last > " " else ""
