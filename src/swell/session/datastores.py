"""Where Blobs are: the store folder or an object store, and those that references name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from swell.errors import StoreError, UsageError
from swell.settings import Settings

if TYPE_CHECKING:
    from swell.datastore.artifacts import Artifacts
    from swell.datastore.cache import BlobCache, CachedStorage
    from swell.datastore.local import LocalStorage
    from swell.datastore.open_items import OpenItems
    from swell.datastore.trust import Trust
    from swell.model.record import ItemRef
    from swell.seams.storage import Storage

LOCAL = "local"
MARK = "store.toml"
FORMAT = 1
_MARK_TEXT = f"# What stands beside this is a store of swell.\nformat = {FORMAT}\n".encode()

Say = Callable[[str], None]


def datastore_url(settings: Settings, store_id: str) -> str | None:
    """The object store of new runs whose database is ``store_id``; None: the store folder.

    Each database has a folder of its own in the bucket: only what lies there may it clean.
    Raises UsageError for a URL that cannot be one.
    """
    text = (settings.datastore or LOCAL).strip()
    if text == LOCAL:
        return None
    from swell.datastore.object_address import SCHEMES, parse_address

    if text in SCHEMES:
        raise UsageError(
            f"The datastore '{text}' needs a bucket.",
            remedy=f"Set SWELL_DATASTORE, or --datastore, to a URL like {text}://my-bucket/swell.",
        )
    if "?" in text or "#" in text:
        raise UsageError(
            f"The datastore '{text}' has '?' or '#' in it, which would be part of all keys.",
            remedy="Leave that away: an endpoint goes into SWELL_S3_ENDPOINT_URL, a region into "
            "SWELL_S3_REGION.",
        )
    return parse_address(text).under(store_id).url


class Datastores:
    """The stores of Blobs that one process reads, and the one it writes to.

    ``home`` is the folder that references without a store mean; ``url`` is the object
    store that is written to, None for ``home``. Stores are opened when first used. ``say``
    is told when a store makes us wait.
    """

    def __init__(self, home: str, url: str | None, settings: Settings, say: Say | None) -> None:
        self.home = _local(home, is_checked=settings.verifies)
        self._unnamed: Storage = self.home
        self.url = url
        self._settings = settings
        self._say = say
        self._open: dict[str, CachedStorage] = {}
        self._items: OpenItems | None = None

    @classmethod
    def away(cls, url: str, settings: Settings) -> Datastores:
        """On another machine: what references without a store mean was brought to ``url``."""
        stores = cls("", url, settings, None)
        stores._unnamed = stores.open(url)
        return stores

    @property
    def own(self) -> Storage:
        """What is written to. Raises UsageError for settings that cannot be."""
        return self.home if self.url is None else self.open(self.url)

    def of(self, store: str | None) -> Storage:
        """The store that a reference names."""
        return self._unnamed if store is None else self.open(store)

    def open(self, url: str) -> CachedStorage:
        """The object store at ``url``; asks it nothing. Raises UsageError."""
        found = self._open.get(url)
        if found is None:
            from swell.datastore.cache import CachedStorage
            from swell.datastore.object_access import access_from
            from swell.datastore.object_address import parse_address
            from swell.datastore.object_store import ObjectStorage, say_on_stderr

            storage = ObjectStorage(
                parse_address(url), access_from(self._settings), self._say or say_on_stderr
            )
            found = self._open[url] = CachedStorage(storage, blob_cache(self._settings))
        return found

    def artifacts(self, script: str) -> Artifacts:
        """Saves into the own store, loads from all. Raises UsageError for settings that
        cannot be."""
        from swell.datastore.artifacts import Artifacts

        home = None if self.url is None else self._unnamed
        return Artifacts(
            self.own, script=script, home=home, open_store=self.open, trust=self.trust(script)
        )

    def trust(self, script: str) -> Trust | None:
        """What values may load in the flow of ``script``; None: everything.

        Raises UsageError for a setting that cannot be.
        """
        if self._settings.unpickle is None:
            return None
        from swell.datastore.trust import trust_of

        return trust_of(self._settings.unpickle, self._settings.unpickle_allow, script)

    def item_text(self, ref: ItemRef) -> str:
        """A short text of one foreach item, without running code of its classes."""
        if ref.key is not None:
            return self.items(ref.store, ref.key).text(ref)
        from swell.datastore.items import item_text

        return item_text(self.of(ref.store), ref)

    def items(self, store: str | None, key: str) -> OpenItems:
        """The items ``key`` of a foreach; those asked for last stay open. For one thread."""
        items, storage = self._items, self.of(store)
        if items is None or items.key != key or items.storage is not storage:
            from swell.datastore.open_items import OpenItems

            items = self._items = OpenItems(storage, key)
        return items

    def check(self) -> None:
        """Make sure that an object store can be written, before a run relies on it.

        Raises StoreError, also for a store of a newer swell.
        """
        if self.url is None:
            return
        storage = self.open(self.url)
        if storage.write(MARK, [_MARK_TEXT]):
            return
        found = bytes(storage.read(MARK)).decode("utf-8", "replace")
        lines = [line for line in found.splitlines() if line.startswith("format")]
        if [line.partition("=")[2].strip() for line in lines] != [str(FORMAT)]:
            raise StoreError(
                f"The store {self.url} is of another version: {'; '.join(lines) or 'no format'}. "
                f"This swell reads format {FORMAT}.",
                remedy="Upgrade swell, or choose another prefix with --datastore.",
            )


def _local(folder: str, *, is_checked: bool) -> LocalStorage:
    if is_checked:
        from swell.datastore.checked import CheckedStorage

        return CheckedStorage(folder)
    from swell.datastore.local import LocalStorage

    return LocalStorage(folder)


def blob_cache(settings: Settings) -> BlobCache | None:
    """The cache of this machine; None where its limit is 0. Raises UsageError."""
    from swell.datastore.cache import BlobCache

    try:
        limit = float(settings.cache_gb)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise UsageError(
            f"SWELL_CACHE_GB is '{settings.cache_gb}'.",
            remedy="Give a number of GB, such as 20 or 0.5; 0 means no cache.",
        )
    if limit == 0:
        return None
    return BlobCache(
        os.path.abspath(os.path.expanduser(settings.cache)),
        int(limit * 1e9),
        verifies=settings.verifies,
    )


def preload() -> None:
    """Import what object stores need, so that forked tasks share it; starts no thread."""
    import swell.datastore.cache  # noqa: F401  # for its effect on sys.modules

    try:
        import obstore.store  # noqa: F401  # likewise
    except ImportError:
        # The task that needs it says so.
        return
