"""Brings packages and layers into the object store that tasks fetch them from."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import NamedTuple, Protocol

from swell.seams.storage import Storage, SweepableStorage


class ZipFile(Protocol):
    """A zip file here, as CodePackage and Layer are."""

    @property
    def path(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def size(self) -> int: ...


class Stored(NamedTuple):
    """A zip file in the store: its key there, the SHA-256 of its bytes and their number."""

    key: str
    sha256: str
    size: int


Say = Callable[[str], None]

_WORTH_SAYING = 10_000_000


class Uploads:
    """Writes zip files under their hash to ``storage``, where they are missing.

    What was found or written there is remembered as long as this object lives, and no
    longer: a bucket can be emptied between two runs. ``say`` is told of uploads above 10 MB.
    """

    def __init__(self, storage: Storage, say: Say = lambda _: None) -> None:
        self._storage = storage
        self._say = say
        self._there: set[str] = set()

    def code(self, package: ZipFile) -> Stored:
        """Bring a code package there. Raises StoreError."""
        return self._bring(package, f"code/{package.sha256}.zip")

    def layer(self, layer: ZipFile) -> Stored:
        """Bring a layer there. Raises StoreError."""
        return self._bring(layer, f"layers/{layer.sha256}.zip")

    def _bring(self, zip_file: ZipFile, key: str) -> Stored:
        if key not in self._there and not self._is_there(key):
            self._write(zip_file, key)
        self._there.add(key)
        return Stored(key, zip_file.sha256, zip_file.size)

    def _is_there(self, key: str) -> bool:
        if isinstance(self._storage, SweepableStorage):
            # An old one may be swept just now: it is written anew.
            return self._storage.refresh(key)
        return any(entry.key == key for entry in self._storage.list(key))

    def _write(self, zip_file: ZipFile, key: str) -> None:
        if zip_file.size > _WORTH_SAYING:
            self._say(f"Uploading {zip_file.size / 1e6:,.0f} MB to {self._storage.url}, once.")
        with open(zip_file.path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        # Unmapped with its last view, which a transfer that was broken off may still hold.
        self._storage.write(key, [memoryview(mapped)])
