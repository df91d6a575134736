"""The datastore as tasks use it: artifacts, items and packs over one Storage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from swell.datastore.items import StoredItems, load_item, store_items
from swell.model.record import ArtifactRef, ItemRef
from swell.session.datastores import Datastores


class TaskStore:
    """Fills ``task.runner.ArtifactStore``; ``script`` names the flow's file in errors."""

    def __init__(self, stores: Datastores, script: str) -> None:
        self._stores = stores
        self._script = script
        self._artifacts = stores.artifacts(script)
        self._trust = stores.trust(script)
        self._keys: list[str] = []

    @property
    def store(self) -> str | None:
        """What references to what is saved name as their store."""
        return self._stores.url

    def save(
        self, values: Mapping[str, object], *, inline_bytes: int | None = None
    ) -> dict[str, ArtifactRef]:
        """Store ``values``; inline only up to ``inline_bytes`` each, if given."""
        refs = self._artifacts.save(values)
        if inline_bytes is not None:
            refs = {
                name: self.promote(ref) if len(ref.inline or b"") > inline_bytes else ref
                for name, ref in refs.items()
            }
        for ref in refs.values():
            self._keys += [key for key in (ref.key, *ref.files) if key is not None]
        return refs

    def promote(self, ref: ArtifactRef) -> ArtifactRef:
        """The same artifact as a Blob."""
        promoted = self._artifacts.promote(ref)
        if promoted.key is not None:
            self._keys.append(promoted.key)
        return promoted

    def load(self, ref: ArtifactRef) -> object:
        """The value behind ``ref``."""
        value: object = self._artifacts.load(ref)
        return value

    def load_many(self, refs: Sequence[ArtifactRef]) -> list[object]:
        """The values behind ``refs``, in order."""
        return self._artifacts.load_many(refs)

    def changed(self, ref: ArtifactRef, value: object) -> bool:
        """Whether ``value``, loaded from ``ref``, was changed in place."""
        return self._artifacts.changed(ref, value)

    def same_content(self, one: ArtifactRef, other: ArtifactRef) -> bool:
        """Whether both serialised to the same bytes."""
        return self._artifacts.same_content(one, other)

    def store_items(self, iterable: Iterable[Any], limit: int, name: str) -> StoredItems:
        """Iterate once and store each item."""
        stored = store_items(self._stores.own, iterable, limit, name=name)
        keys = [key for key in (stored.items.key, *stored.items.files) if key is not None]
        if not keys:
            return stored
        self._keys += keys
        items = msgspec.structs.replace(stored.items, store=self.store)
        return msgspec.structs.replace(stored, items=items)

    def load_item(self, ref: ItemRef) -> object:
        """One item of a foreach."""
        if ref.key is not None:
            items = self._stores.items(ref.store, ref.key)
            stored: object = items.load(ref, script=self._script, trust=self._trust)
            return stored
        blobs = self._artifacts.blobs_of(ref.store)
        value: object = load_item(blobs, ref, script=self._script, trust=self._trust)
        return value

    def open_pack(self, path: str) -> Sequence[bytes]:
        """The encoded Records of a join of thousands: a file here, or in the own store."""
        from swell.datastore.packs import open_pack

        url = self.store
        if url is None or not path.startswith(f"{url}/"):
            return open_pack(path)
        import tempfile

        with tempfile.NamedTemporaryFile() as file:
            file.write(self._stores.own.read(path.removeprefix(f"{url}/")))
            file.flush()
            return open_pack(file.name)

    def save_card(self, html: bytes) -> tuple[str, str]:
        """(Blob key, SHA-1) of a rendered card."""
        import hashlib

        key = self._artifacts.save_raw(html)
        self._keys.append(key)
        return key, hashlib.sha1(html, usedforsecurity=False).hexdigest()

    def take_keys(self) -> tuple[str, ...]:
        """Keys of the Blobs stored since the last call."""
        keys = tuple(self._keys)
        self._keys.clear()
        return keys
