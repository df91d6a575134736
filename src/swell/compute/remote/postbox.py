"""Reads what attempts told: one LIST for all that is new, then the objects side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from swell.model.remote import News, RunKeys, parse_news
from swell.seams.storage import Storage

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

LATE_S = 20.0
"""News may show up so much later than the time in their keys; what is later is found when the
engine says that a job has ended."""
_READERS = 16


class Postbox:
    """News of one run. Use ``close``.

    Its threads are there because an object store answers one request in milliseconds and a
    thousand in hardly more.
    """

    def __init__(self, storage: Storage, keys: RunKeys) -> None:
        self._storage = storage
        self._keys = keys
        self._newest = 0.0
        self._pool: ThreadPoolExecutor | None = None

    def look(self, *, everything: bool = False) -> list[News]:
        """News since the last look, and some that were given before, in order of their keys."""
        after = "" if everything else self._keys.news_since(self._newest - LATE_S)
        found = []
        for entry in self._storage.list(self._keys.news, after):
            self._newest = max(self._newest, entry.modified_at)
            news = parse_news(entry.key)
            if news is not None:
                found.append(news)
        return found

    def read(self, news: Sequence[News]) -> list[bytes]:
        """What stands in each, in that order."""
        if not news:
            return []
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="swell-news")
        return list(self._pool.map(lambda one: bytes(self._storage.read(one.key)), news))

    def close(self) -> None:
        """End its threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
