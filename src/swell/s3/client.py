"""``S3``: get, put and list data in object stores, many at once."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple

from swell.datastore.local import write_all
from swell.datastore.object_access import access_from
from swell.datastore.object_address import ObjectAddress
from swell.datastore.object_store import PART_BYTES, Head, ObjectStorage, Span, cut
from swell.datastore.os_errors import store_error
from swell.datastore.spread import spread
from swell.errors import DataMissing, UsageError
from swell.s3.attributes import attributes_of
from swell.s3.objects import Content, Known, RangeInfo, S3GetObject, S3Object, S3PutObject
from swell.s3.progress import Progress
from swell.s3.roots import located, root_of
from swell.settings import load_settings

FIRST_BYTES = 4 << 20
IN_MEMORY_BYTES = 1 << 20
HELD_BYTES = 256 << 20
"""Small objects are kept in memory up to this much together, then in files."""
AT_ONCE = 16
TRANSFERS = 8

Value = str | bytes | bytearray | memoryview | io.RawIOBase | io.BufferedIOBase


class _Wanted(NamedTuple):
    place: ObjectAddress
    key: str
    prefix: str
    offset: int = 0
    length: int | None = None
    is_part: bool = False

    def span(self, size: int) -> Span:
        """What is wanted of an object of ``size`` bytes."""
        start = min(self.offset, size)
        return Span(start, size if self.length is None else min(size, start + self.length))


class S3:
    """Reads and writes data in object stores; use it in a ``with`` statement.

        with S3(s3root="s3://bucket/data") as s3:
            url = s3.put("hello", "world")
            text = s3.get("hello").text

    Keys are relative to ``s3root``, or to a place of the ``run`` (``self`` in a step, or a
    Run of the client); without either they are whole URLs, of Google's and Azure's stores
    too. Files that were read lie under ``tmproot`` until the end of the ``with`` block.
    Requests that fail for passing reasons are tried again, which is told on stderr.
    All methods raise StoreError, and DataMissing where an object is not there.
    """

    def __init__(
        self,
        tmproot: str = ".",
        bucket: str | None = None,
        prefix: str | None = None,
        run: Any = None,
        s3root: str | None = None,
    ) -> None:
        self._settings = load_settings()
        self._root = root_of(self._settings, s3root=s3root, bucket=bucket, prefix=prefix, run=run)
        self._tmproot = tmproot
        self._folder: str | None = None
        self._owner = os.getpid()
        self._files = 0
        self._held = 0
        self._stores: dict[tuple[str, str], ObjectStorage] = {}

    def __enter__(self) -> S3:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the files that were read."""
        folder, self._folder = self._folder, None
        if folder is not None and self._owner == os.getpid():
            import shutil

            shutil.rmtree(folder, ignore_errors=True)

    # --- reading -------------------------------------------------------------

    def get(
        self,
        key: str | S3GetObject | None = None,
        return_missing: bool = False,
        return_info: bool = True,
    ) -> S3Object:
        """Read one object, or a part of it. ``key`` None means the root itself."""
        return self._read([self._wanted(key)], return_missing)[0]

    def get_many(
        self,
        keys: Iterable[str | S3GetObject],
        return_missing: bool = False,
        return_info: bool = True,
    ) -> list[S3Object]:
        """Read many objects at once, in the order of ``keys``."""
        return self._read([self._wanted(key) for key in keys], return_missing)

    def get_recursive(self, keys: Iterable[str], return_info: bool = False) -> list[S3Object]:
        """Read all objects below ``keys``; their ``prefix`` is the key they are below."""
        return self._read([wanted for wanted, _ in self._below(keys)], False)

    def get_all(self, return_info: bool = False) -> list[S3Object]:
        """Read all objects below the root."""
        if self._root is None:
            raise UsageError(
                "get_all needs a root.", remedy="Give S3 an s3root or a run, or use get_recursive."
            )
        return self.get_recursive([""], return_info)

    def info(self, key: str | None = None, return_missing: bool = False) -> S3Object:
        """What is known of one object, without reading it."""
        return self.info_many(["" if key is None else key], return_missing)[0]

    def info_many(self, keys: Iterable[str], return_missing: bool = False) -> list[S3Object]:
        """What is known of many objects, without reading them."""

        def look(wanted: _Wanted) -> S3Object:
            head = self._head(wanted, 0, return_missing)
            return self._missing(wanted) if head is None else _object(wanted, _known(head))

        return _in_order(look, [self._wanted(key) for key in keys])

    def list_paths(self, keys: Iterable[str] | None = None) -> list[S3Object]:
        """What is right below ``keys`` (None: the root): objects, and folders, which do not
        exist as objects."""
        found: dict[str, S3Object] = {}
        for key in [""] if keys is None else keys:
            wanted = self._wanted(key)
            base = wanted.place.prefix
            for entry in self._store(wanted.place).folder(base):
                name = entry.key[len(base) :].strip("/")
                url = f"{wanted.place.scheme}://{wanted.place.bucket}/{entry.key}"
                path = f"{key.rstrip('/')}/{name}" if key else name
                if entry.size < 0:
                    found[url] = S3Object(key, url + "/", path, is_missing=True)
                else:
                    known = Known(entry.size, entry.modified_at, {})
                    found[url] = S3Object(key, url, path, known=known)
        return list(found.values())

    def list_recursive(self, keys: Iterable[str] | None = None) -> list[S3Object]:
        """All objects below ``keys`` (None: the root), with their sizes."""
        return [_object(wanted, known) for wanted, known in self._below(keys)]

    # --- writing -------------------------------------------------------------

    def put(
        self,
        key: str,
        obj: Value,
        overwrite: bool = True,
        content_type: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> str:
        """Write one object; returns its URL. An existing one stays if not ``overwrite``."""
        self.put_many([S3PutObject(key, obj, None, content_type, metadata)], overwrite)
        return located(self._root, key).url

    def put_many(
        self,
        key_objs: Iterable[tuple[str, Value] | S3PutObject],
        overwrite: bool = True,
    ) -> list[tuple[str, str]]:
        """Write many objects at once; (key, URL) of those that were written."""
        puts = [p if isinstance(p, S3PutObject) else S3PutObject(*p) for p in key_objs]
        return self._write([(put, _bytes_of(put)) for put in puts], overwrite)

    def put_files(
        self,
        key_paths: Iterable[tuple[str, str | os.PathLike[str]] | S3PutObject],
        overwrite: bool = True,
    ) -> list[tuple[str, str]]:
        """Write many local files at once; (key, URL) of those that were written."""
        puts = [
            p if isinstance(p, S3PutObject) else S3PutObject(p[0], path=p[1]) for p in key_paths
        ]
        for put in puts:
            if not os.path.isfile(put.path or ""):
                raise UsageError(
                    f"There is no file '{put.path}' to put under '{put.key}'.",
                    remedy="Look at the path; put_many takes texts and bytes.",
                )
        return self._write([(put, _file_of(put)) for put in puts], overwrite)

    # --- how it is done --------------------------------------------------------

    def _read(self, wanted: Sequence[_Wanted], return_missing: bool) -> list[S3Object]:
        large: list[tuple[int, _Wanted, Head]] = []
        with Progress("Reading", len(wanted)) as progress:

            def begin(index: int) -> S3Object | None:
                one = wanted[index]
                first = FIRST_BYTES if one.length is None else min(one.length, FIRST_BYTES)
                head = self._head(one, first, return_missing)
                if head is None:
                    return self._missing(one)
                span = one.span(head.size)
                progress.expect(span.end - span.start)
                progress.moved(len(head.data))
                if span.end - span.start > len(head.data):
                    large.append((index, one, head))
                    return None
                progress.ended()
                return self._kept(one, head, span, self._content(head.data))

            found = _in_order(begin, range(len(wanted)))
            for index, got in self._read_large(large, progress):
                found[index] = got
        return [one for one in found if one is not None]

    def _read_large(
        self, large: Sequence[tuple[int, _Wanted, Head]], progress: Progress
    ) -> Iterator[tuple[int, S3Object]]:
        files: dict[int, tuple[str, int]] = {}
        try:
            parts: list[tuple[int, Span]] = []
            for at, (_, one, head) in enumerate(large):
                path = self._new_path()
                files[at] = (path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                write_all(files[at][1], [head.data])
                span = one.span(head.size)
                rest = Span(span.start + len(head.data), span.end)
                parts += [(at, part) for part in cut(rest, PART_BYTES)]

            def fetch(part: tuple[int, Span]) -> None:
                at, span = part
                _, one, head = large[at]
                data = self._store(one.place).read_span(one.place.prefix, span)
                begin = one.span(head.size).start
                _write_at(files[at][1], data, span.start - begin)
                progress.moved(len(data))

            for _ in spread(fetch, parts, min(TRANSFERS, len(parts))):
                pass
        except OSError as error:
            raise store_error(error, "writing to", self._tmproot) from error
        finally:
            for _, fd in files.values():
                os.close(fd)
        for at, (index, one, head) in enumerate(large):
            progress.ended()
            content = Content(None, files[at][0], self._new_path)
            yield index, self._kept(one, head, one.span(head.size), content)

    def _kept(self, one: _Wanted, head: Head, span: Span, content: Content) -> S3Object:
        part = RangeInfo(head.size, span.start, span.end - span.start) if one.is_part else None
        return _object(one, _known(head), content, part)

    def _content(self, data: memoryview) -> Content:
        content = Content(data, None, self._new_path)
        if len(data) > IN_MEMORY_BYTES or self._held + len(data) > HELD_BYTES:
            _ = content.path
        else:
            self._held += len(data)
        return content

    def _head(self, one: _Wanted, first: int, return_missing: bool) -> Head | None:
        try:
            return self._store(one.place).read_head(one.place.prefix, one.offset, first)
        except DataMissing as error:
            if return_missing:
                return None
            raise DataMissing(
                f"There is nothing at {one.place.url}.",
                remedy="Look at the key; with return_missing=True the answer says so instead.",
            ) from error

    def _missing(self, one: _Wanted) -> S3Object:
        return S3Object(one.prefix, one.place.url, one.key, is_missing=True)

    def _below(self, keys: Iterable[str] | None) -> Iterator[tuple[_Wanted, Known]]:
        for key in [""] if keys is None else keys:
            wanted = self._wanted(key)
            base = wanted.place.prefix
            for entry in self._store(wanted.place).list(f"{base}/" if base else ""):
                place = wanted.place._replace(prefix=entry.key)
                name = entry.key[len(base) :].lstrip("/")
                path = f"{key.rstrip('/')}/{name}" if key else name
                known = Known(entry.size, entry.modified_at, {})
                yield _Wanted(place, path, key), known

    def _write(
        self, puts: Sequence[tuple[S3PutObject, memoryview]], overwrite: bool
    ) -> list[tuple[str, str]]:
        places = [located(self._root, put.key) for put, _ in puts]
        for (put, _), place in zip(puts, places, strict=True):
            if not place.prefix or put.key.endswith("/"):
                raise UsageError(
                    f"{put.key or place.url} names no object.",
                    remedy="Give a key behind the bucket, without '/' at its end.",
                )
        attributes = [attributes_of(put) for put, _ in puts]
        with Progress("Writing", len(puts)) as progress:
            progress.expect(sum(len(data) for _, data in puts))

            def write(index: int) -> bool:
                data, notes = puts[index][1], attributes[index]
                store, key = self._store(places[index]), places[index].prefix
                is_large = len(data) >= PART_BYTES
                if not overwrite and (notes or is_large):
                    written = store.entry(key) is None
                else:
                    written = overwrite or store.write(key, [data])
                if written and (overwrite or notes or is_large):
                    report = progress.moved if is_large else None
                    store.upload(key, [data], report, notes)
                if not is_large:
                    progress.moved(len(data))
                progress.ended()
                return written

            small = [i for i, (_, data) in enumerate(puts) if len(data) < PART_BYTES]
            large = [i for i, (_, data) in enumerate(puts) if len(data) >= PART_BYTES]
            written = dict(zip(small, _in_order(write, small), strict=True))
            # Each of these is sent in many parts at once.
            written.update((index, write(index)) for index in large)
        return [
            (put.key, place.url)
            for index, ((put, _), place) in enumerate(zip(puts, places, strict=True))
            if written[index]
        ]

    def _wanted(self, key: str | S3GetObject | None) -> _Wanted:
        if key is not None and not isinstance(key, str | S3GetObject):
            raise UsageError(
                f"{key!r} is a {type(key).__name__}, not a key.",
                remedy="Give a text, or for a part S3GetObject(key, offset, length).",
            )
        if key is None or isinstance(key, str):
            name = key or ""
            place = self._root if not name and self._root else located(self._root, name)
            return _Wanted(place, name, name)
        if key.offset < 0 or (key.length is not None and key.length < 0):
            raise UsageError(
                f"A part of '{key.key}' cannot begin at {key.offset} with length {key.length}.",
                remedy="Both are counted from 0; no length means up to the end.",
            )
        place = located(self._root, key.key)
        return _Wanted(place, key.key, key.key, key.offset, key.length, is_part=True)

    def _store(self, place: ObjectAddress) -> ObjectStorage:
        found = self._stores.get(place[:2])
        if found is None:
            whole = place._replace(prefix="")
            found = ObjectStorage(whole, access_from(self._settings))
            self._stores[place[:2]] = found
        return found

    def _new_path(self) -> str:
        if self._folder is None or self._owner != os.getpid():
            import tempfile

            try:
                self._folder = tempfile.mkdtemp(prefix="swell-s3-", dir=self._tmproot)
            except OSError as error:
                raise store_error(error, "writing to", self._tmproot) from error
            self._owner = os.getpid()
        self._files += 1
        return os.path.join(self._folder, str(self._files))


def _object(
    one: _Wanted, known: Known, content: Content | None = None, part: RangeInfo | None = None
) -> S3Object:
    return S3Object(
        one.prefix, one.place.url, one.key, known=known, content=content, range_info=part
    )


def _known(head: Head) -> Known:
    return Known(head.size, head.modified_at, head.attributes)


def _in_order(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """``work`` of each item, many at once, in the order of ``items``."""
    answers: list[Any] = [None] * len(items)

    def one(index: int) -> None:
        answers[index] = work(items[index])

    for _ in spread(one, range(len(items)), min(AT_ONCE, len(items))):
        pass
    return answers


def _bytes_of(put: S3PutObject) -> memoryview:
    value = put.value
    if isinstance(value, str):
        return memoryview(value.encode())
    if isinstance(value, io.RawIOBase | io.BufferedIOBase):
        return _content_of(put.key, value)
    try:
        return memoryview(value).cast("B")  # type: ignore[arg-type]  # what is no buffer raises
    except TypeError as error:
        raise UsageError(
            f"What was put under '{put.key}' is a {type(value).__name__}.",
            remedy="Give a text, bytes or a binary file; put_files takes paths.",
        ) from error


def _content_of(key: str, file: io.RawIOBase | io.BufferedIOBase) -> memoryview:
    """All that an open file has, from its beginning."""
    try:
        file.seek(0)
        return memoryview(file.read() or b"")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The file that was put under '{key}' cannot be read from its beginning: {error}.",
            remedy="Open it for reading in binary mode; of a stream put what read() gives.",
        ) from error


def _file_of(put: S3PutObject) -> memoryview:
    path = os.fspath(put.path or "")
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size < PART_BYTES:
                return memoryview(file.read())
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise store_error(error, "reading", path) from error


def _write_at(fd: int, data: memoryview, offset: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(fd, data[done:], offset + done)
