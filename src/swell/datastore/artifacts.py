"""Artifacts: values to references and back, over one Storage."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from blake3 import blake3

from swell.datastore.blobs import Blobs
from swell.datastore.changes import Known
from swell.datastore.previews import preview
from swell.datastore.serializers import Serialized, deserialize, joined, serialize
from swell.datastore.short_texts import type_name
from swell.datastore.streamed import Buffer
from swell.errors import StoreError
from swell.model.record import INLINE_RECORD_BYTES, INLINE_VALUE_BYTES, ArtifactRef
from swell.seams.storage import MappingStorage, Storage

if TYPE_CHECKING:
    from swell.datastore.trust import Trust

_FROZEN = frozenset(
    {
        int,
        float,
        bool,
        complex,
        str,
        bytes,
        range,
        type(None),
        type(Ellipsis),
        type(len),
    }
)
# By name: their modules take longer to import than most flows take to store.
_FROZEN_NAMES = frozenset(
    {
        ("datetime", "datetime"),
        ("datetime", "date"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("uuid", "UUID"),
        ("pathlib", "PosixPath"),
        ("pathlib", "PurePosixPath"),
        ("pathlib._local", "PosixPath"),
    }
)
_FROZEN_ITEMS = 1000
_READERS = 32

LOOK_FROM_BYTES = 16 << 20
"""Less is hashed faster than the kernel can be asked what was written to: 1 to 10 ms, with all
that a process has mapped."""

OpenStore = Callable[[str], Storage]


class Artifacts:
    """Saves and loads values. ``script`` names the flow's file in errors.

    A reference without a store is to a Blob in ``home``, the store folder beside the
    metadata; None: ``storage`` is that. ``open_store`` opens the store that a reference
    names where it is another one. ``trust`` says what values may load; None: everything.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        script: str = "",
        home: Storage | None = None,
        open_store: OpenStore | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._storage = storage
        self._blobs = Blobs(storage)
        self._home = self._blobs if home is None else Blobs(home)
        self.store = None if home is None else storage.url
        """What references to saved Blobs name as their store."""
        self._script = script
        self._open_store = open_store
        self._trust = trust

    def save(self, values: Mapping[str, object]) -> dict[str, ArtifactRef]:
        """Store ``values`` by name: small ones inline, 64 kB together, others as Blobs.

        Blobs are written, not yet durable: see ``sync``. Raises UnstorableArtifact, and
        StoreError when the store cannot be written.
        """
        room = INLINE_RECORD_BYTES
        refs: dict[str, ArtifactRef] = {}
        for name, value in values.items():
            data = serialize(value, f"self.{name}", self._blobs)
            inline = data.size <= min(room, INLINE_VALUE_BYTES)
            if inline:
                room -= data.size
            refs[name] = ArtifactRef(
                inline=joined(data) if inline else None,
                key=None if inline else self._blobs.save(data),
                size=data.size,
                type=type_name(value),
                preview=preview(value),
                encoding=data.encoding,
                store=None if inline and not data.keys else self.store,
                files=data.keys,
            )
        return refs

    def promote(self, ref: ArtifactRef) -> ArtifactRef:
        """The same artifact as a Blob, so that Records which hand it on stay small."""
        if ref.inline is None:
            return ref
        data = Serialized((ref.inline,), (), len(ref.inline), ref.encoding)
        return msgspec.structs.replace(
            ref, inline=None, key=self._blobs.save(data), store=self.store
        )

    def load(self, ref: ArtifactRef) -> Any:
        """The value; large buffers in it map the store, and may be written to privately.

        Raises DataMissing when the Blob or a class is not there, Untrusted for what may not
        be loaded, StoreError when damaged.
        """
        blobs = self.blobs_of(ref.store)
        trust = self._trust
        if ref.inline is not None:
            return deserialize(ref.inline, (), ref.encoding, self._script, blobs, trust)
        stream, *buffers = blobs.open(_key(ref)).sections()
        return deserialize(stream, buffers, ref.encoding, self._script, blobs, trust)

    def load_many(self, refs: Sequence[ArtifactRef]) -> list[Any]:
        """The values of ``refs`` in order, those of a far store read side by side."""
        far = [ref for ref in refs if ref.inline is None]
        is_near = isinstance(self._storage, MappingStorage)
        if len(far) < 2 or (is_near and all(ref.store is None for ref in far)):
            return [self.load(ref) for ref in refs]
        from concurrent.futures import ThreadPoolExecutor

        # Each waits for the network most of the time.
        with ThreadPoolExecutor(min(_READERS, len(far)), "swell-read") as pool:
            loading = {id(ref): pool.submit(self.load, ref) for ref in far}
            return [
                self.load(ref) if ref.inline is not None else loading[id(ref)].result()
                for ref in refs
            ]

    def save_raw(self, data: Buffer) -> str:
        """Store plain bytes (a card, a package) as a Blob; returns its key."""
        return self._blobs.save_raw(data)

    def load_raw(self, key: str, store: str | None = None) -> memoryview:
        """The bytes of a Blob of plain bytes."""
        return self.blobs_of(store).open(key).section(0)

    def content_key(self, ref: ArtifactRef) -> str:
        """BLAKE3 in hex of the serialised content: equal content, equal key."""
        if ref.inline is not None:
            return blake3(ref.inline).hexdigest()
        return _key(ref)

    def same_content(self, one: ArtifactRef, other: ArtifactRef) -> bool:
        """Whether both serialised to the same bytes; loads nothing."""
        if one.inline is not None and other.inline is not None:
            return one.inline == other.inline
        return one.size == other.size and self.content_key(one) == self.content_key(other)

    def changed(self, ref: ArtifactRef, value: object, name: str = "x") -> bool:
        """Whether ``value``, the very object that ``load(ref)`` gave, was changed since.

        ``name`` is the attribute's, for errors. Raises UnstorableArtifact when it was changed
        into something that cannot be stored.
        """
        if is_frozen(value):
            return False
        data = serialize(value, f"self.{name}", self._blobs)
        if ref.inline is not None:
            if data.size == ref.size and joined(data) == ref.inline:
                return False
        elif self._known(ref, data).is_stored(data, self.blobs_of(ref.store).open(_key(ref)).table):
            return False
        # Loading can make equal strings one object, which pickles to fewer bytes: only a
        # fresh copy that went the same way tells. What was changed differs from it too.
        fresh_value = self.load(ref)
        fresh = serialize(fresh_value, f"self.{name}", self._blobs)
        return not self._known(ref, fresh).are_equal(data, fresh)

    def refresh(self, refs: Iterable[ArtifactRef]) -> bool:
        """Make the Blobs of ``refs`` in this store count as written now; False where one is
        not there any more, or has to be written for that."""
        keys = {k for ref in refs if ref.store == self.store for k in (ref.key, *ref.files) if k}
        return all(self._blobs.refresh(key) for key in keys)

    def sync(self, refs: Iterable[ArtifactRef]) -> None:
        """Make the Blobs of ``refs`` in this store durable; to be done before a Record is
        committed that names them."""
        self.sync_keys(
            key for ref in refs if ref.store == self.store for key in (ref.key, *ref.files) if key
        )

    def sync_keys(self, keys: Iterable[str]) -> None:
        """Make Blobs of this store durable."""
        self._blobs.sync(set(keys))

    def _known(self, ref: ArtifactRef, data: Serialized) -> Known:
        if ref.key is None or sum(map(len, data.buffers)) < LOOK_FROM_BYTES:
            return Known(())
        return Known(self.blobs_of(ref.store).untouched(ref.key))

    def blobs_of(self, store: str | None) -> Blobs:
        """The Blobs of the store that a reference names."""
        if store is None:
            return self._home
        if store == self._storage.url:
            return self._blobs
        if self._open_store is None:
            raise StoreError(
                f"The artifact is in another store, {store}.",
                remedy="Open it with --datastore, or with SWELL_DATASTORE, set to that store.",
            )
        return Blobs(self._open_store(store))


def is_frozen(value: object) -> bool:
    """Whether ``value`` surely cannot have been changed in place; False if unsure."""
    kind = type(value)
    if kind in _FROZEN or isinstance(value, enum.Enum):
        return True
    if kind is tuple or kind is frozenset:
        items: Any = value
        return len(items) <= _FROZEN_ITEMS and all(is_frozen(item) for item in items)
    return (kind.__module__, kind.__qualname__) in _FROZEN_NAMES


def _key(ref: ArtifactRef) -> str:
    if ref.key is None:
        raise StoreError(
            "A record names an artifact without saying where it is.",
            remedy="The record is damaged: run the step that made it again.",
        )
    return ref.key
