"""What the client needs of a store; ``session`` joins the concrete parts behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from swell.model.ids import RunId
from swell.model.record import ArtifactRef, CardRef
from swell.seams.metastore import Metastore


class Stores(Protocol):
    """One store: its facts, artifacts and logs. Read by several threads at once."""

    @property
    def metastore(self) -> Metastore: ...

    @property
    def address(self) -> str:
        """What ``Opener`` opens this store with again, from any working directory."""
        ...

    @property
    def datastore(self) -> str:
        """Where Blobs are: a folder, or a URL."""
        ...

    def load(self, ref: ArtifactRef) -> object:
        """The value behind ``ref``. Raises StoreError."""
        ...

    def load_card(self, card: CardRef) -> bytes:
        """The HTML of a card. Raises StoreError."""
        ...

    def load_package(self, location: str) -> bytes:
        """The zip file at the URL ``location``, in an object store. Raises StoreError."""
        ...

    def log_lines(
        self, run: RunId, task: str, attempt: int, stream: str
    ) -> Iterator[tuple[float, bytes]]:
        """(Unix seconds, line without its line end) of 'stdout' or 'stderr', as printed."""
        ...

    def log_size(self, run: RunId, task: str, attempt: int, stream: str) -> int:
        """Stored bytes of 'stdout' or 'stderr'."""
        ...


Opener = Callable[[str | None], Stores]
"""Opens the store at an address (a path or ``type@address``), or the default one.

A function at module level, so that pickled objects can name it.
"""
