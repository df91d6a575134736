"""Values to bytes and back: pickle protocol 5, by value only for what has no importable name."""

from __future__ import annotations

import copyreg
import functools
import io
import pickle
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from swell.datastore.rebuild import BOUND
from swell.datastore.reducers import Reducers
from swell.datastore.streamed import OUT_OF_BAND_BYTES, Buffer, Content
from swell.errors import DataMissing, StoreError, SwellError, Untrusted

if TYPE_CHECKING:
    from swell.datastore.blobs import Blobs
    from swell.datastore.trust import Trust

BY_REFERENCE = "pickle"
BY_VALUE = f"cloudpickle-{sys.version_info[0]}.{sys.version_info[1]}"

_READ_IN_PLACE_BYTES = 1 << 20
_REBUILD = "swell.datastore.rebuild"
_SMALL_ITEMS = 20
_SMALL_TEXT = 1000
_SMALL_DEPTH = 3
_PLAIN = frozenset({int, float, bool, type(None), complex})
_PLAIN_CONTAINERS = frozenset({list, tuple, dict})


class Serialized(msgspec.Struct, frozen=True):
    """One value as bytes: ``stream`` (in pieces), then ``buffers``; ``size`` is their sum.

    Pieces and buffers may be the value's own memory: use them before it changes. ``keys``
    are Blobs that the value refers to: the content of files in it.
    """

    stream: tuple[Buffer, ...]
    buffers: tuple[Content, ...]
    size: int
    encoding: str = BY_REFERENCE
    keys: tuple[str, ...] = ()


def serialize(value: object, name: str = "value", blobs: Blobs | None = None) -> Serialized:
    """``name`` is what errors call it: ``self.x``; ``blobs`` is where files in it are kept.

    Raises UnstorableArtifact naming the part that resists, StoreError for a file that
    cannot be kept.
    """
    if _is_small(value):
        data = pickle.dumps(value, 5)
        return Serialized((data,), (), len(data))
    try:
        return _dump(pickle.Pickler, value, BY_REFERENCE, blobs)
    except (MemoryError, SwellError):
        raise
    except Exception:
        # No importable name somewhere, or something that protocol 5 or no pickler takes.
        pass
    from swell.datastore.by_value import ByValuePickler, OlderByValuePickler, OlderPickler

    error: Exception | None = None
    for kind in (ByValuePickler, OlderPickler, OlderByValuePickler):
        encoding = BY_REFERENCE if kind is OlderPickler else BY_VALUE
        try:
            return _dump(kind, value, encoding, blobs)
        except (MemoryError, SwellError):
            raise
        except Exception as why:
            error = why
    from swell.datastore.unstorable import unstorable

    assert error is not None
    raise unstorable(value, name, error, resists) from error


def resists(value: object) -> Exception | None:
    """Why ``value`` cannot be serialised; None when it can. Keeps nothing of it."""
    from swell.datastore.by_value import OlderByValuePickler

    # It takes all that the others take.
    try:
        OlderByValuePickler(_Nowhere(), protocol=5, buffer_callback=_ignore).dump(value)
    except Exception as error:
        return error
    return None


def deserialize(
    stream: bytes | memoryview,
    buffers: Sequence[memoryview] = (),
    encoding: str = BY_REFERENCE,
    script: str = "",
    blobs: Blobs | None = None,
    trust: Trust | None = None,
) -> Any:
    """The value; ``buffers`` become its memory, uncopied.

    ``script`` names the flow's file in errors, ``blobs`` is where files in it are read from.
    Without ``trust`` everything is loaded. Raises DataMissing for a class that cannot be
    imported here, Untrusted for what ``trust`` refuses, StoreError for bytes that do not load.
    """
    if encoding not in (BY_REFERENCE, BY_VALUE):
        raise StoreError(
            f"This value was stored as {encoding}: it holds code of another Python version than "
            f"this one ({sys.version_info[0]}.{sys.version_info[1]}).",
            remedy="Read it with that version, or store it without lambdas and local classes.",
        )
    if trust is not None and encoding == BY_VALUE:
        trust.check_code()
    in_place = len(stream) >= _READ_IN_PLACE_BYTES
    source = _InPlace(stream) if in_place else io.BytesIO(stream)
    kind = _Unpickler if trust is None else _CheckingUnpickler
    unpickler = kind(source, buffers=buffers)
    unpickler.blobs = blobs
    unpickler.trust = trust
    try:
        return unpickler.load()
    except Untrusted:
        raise
    except (ImportError, AttributeError) as error:
        if unpickler.last_name is None:
            raise _unloadable(error) from error
        raise _not_importable(*unpickler.last_name, script, error) from error
    except MemoryError:
        raise
    except Exception as error:
        raise _unloadable(error) from error


def joined(serialized: Serialized) -> bytes:
    """The stream of a value without buffers, as one piece."""
    if len(serialized.stream) == 1 and isinstance(serialized.stream[0], bytes):
        return serialized.stream[0]
    return b"".join(serialized.stream)


def _is_small(value: Any, depth: int = 0) -> bool:
    """Whether it surely pickles into a few bytes: not worth a pickler of our own."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is str or kind is bytes:
        return len(value) < (_SMALL_TEXT if depth else OUT_OF_BAND_BYTES)
    if depth == _SMALL_DEPTH or kind not in _PLAIN_CONTAINERS or len(value) > _SMALL_ITEMS:
        return False
    if kind is dict and not all(type(key) is str for key in value):
        return False
    items = value.values() if kind is dict else value
    return all(_is_small(item, depth + 1) for item in items)


class _Pieces:
    """A file that keeps what is written, without copying large ``bytes``."""

    def __init__(self, pieces: list[Buffer]) -> None:
        self._pieces = pieces

    def write(self, data: Buffer | bytearray) -> None:
        """Keep ``data``; the pickler passes on a large value itself, of any of these types."""
        self._pieces.append(data if isinstance(data, bytes) else memoryview(data))


class _Nowhere:
    """A file that forgets what is written."""

    def write(self, data: object) -> None:
        """Forget ``data``."""


def _ignore(buffer: pickle.PickleBuffer) -> None:
    """Out of band, and dropped."""


class _InPlace:
    """A file over memory. Large ``bytes`` in a pickle are read into their own place at once,
    where ``io.BytesIO`` would copy all of it first."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        part = self._data[self._at : self._at + size]
        self._at += len(part)
        return bytes(part)

    def readinto(self, target: bytearray) -> int:
        """Fill ``target``."""
        part = self._data[self._at : self._at + len(target)]
        self._at += len(part)
        target[: len(part)] = part
        return len(part)

    def readline(self) -> bytes:
        """Protocol 5 has no lines."""
        return b""


# A class attribute of the same name hides the pickler's own slot.
_set_dispatch_table = pickle.Pickler.__dict__["dispatch_table"].__set__


def _dump(
    kind: type[pickle.Pickler], value: object, encoding: str, blobs: Blobs | None
) -> Serialized:
    pieces: list[Buffer] = []
    buffers: list[Content] = []
    reducers = Reducers(blobs)

    def keep_in_stream(buffer: pickle.PickleBuffer) -> bool:
        streamed = reducers.streamed(buffer)
        if streamed is not None:
            buffers.append(streamed)
            return False
        try:
            raw = buffer.raw()
        except BufferError:
            return True
        if raw.nbytes < OUT_OF_BAND_BYTES:
            return True
        buffers.append(raw)
        return False

    pickler = kind(_Pieces(pieces), protocol=5, buffer_callback=keep_in_stream)
    own = reducers.table()
    if own:
        # What the class has is its own table or, in the plain pickler, the slot for one.
        others = copyreg.dispatch_table if encoding == BY_REFERENCE else kind.dispatch_table
        _set_dispatch_table(pickler, {**others, **own})
    pickler.dump(value)
    size = sum(map(len, pieces)) + sum(map(len, buffers))
    return Serialized(tuple(pieces), tuple(buffers), size, encoding, tuple(reducers.keys))


class _Unpickler(pickle.Unpickler):
    """Remembers the last name it looked up, for the error; tells files where they are."""

    last_name: tuple[str, str] | None = None
    blobs: Blobs | None = None
    trust: Trust | None = None

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        self.last_name = (module_name, global_name)
        found = super().find_class(module_name, global_name)
        self.last_name = None
        if module_name == _REBUILD and global_name in BOUND:
            return functools.partial(found, self.blobs)
        return found


class _CheckingUnpickler(_Unpickler):
    """Asks ``trust`` before a name is imported, and once more when it is found."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        trust = self.trust
        assert trust is not None
        trust.check_name(module_name, global_name)
        found = super().find_class(module_name, global_name)
        return trust.checked(module_name, global_name, found)


def _not_importable(module: str, name: str, script: str, error: Exception) -> DataMissing:
    if module == "__main__":
        where = f"the flow's script {script}".strip()
        return DataMissing(
            f"The value needs '{name}', which {where} defines, and this process is not that "
            "script (or the script no longer defines it).",
            remedy=f"Read it from that script, or move '{name}' to a module that both import.",
        )
    return DataMissing(
        f"The value needs '{module}.{name}', which cannot be imported here: {error}.",
        remedy=f"Install the package of '{module}', or the version that has '{name}'.",
    )


def _unloadable(error: Exception) -> StoreError:
    return StoreError(
        f"The stored bytes do not load: {type(error).__name__}: {error}.",
        remedy="Its class may have changed since it was stored; else the data is damaged.",
    )
