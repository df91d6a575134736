"""SQLite keeps the promises of a metadata store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swell.metastore.sqlite import open_metastore
from swell.seams.metastore import Metastore
from swell.testing.metastore_contract import MetadataContract


class TestSqlite(MetadataContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Metastore]:
        store = open_metastore(tmp_path / "metadata.db")
        yield store
        store.close()

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], Metastore]:
        return lambda: open_metastore(tmp_path / "metadata.db")


class TestSqliteWithRollbackJournal(MetadataContract):
    """As on a network file system."""

    @pytest.fixture
    def open_there(self, tmp_path: Path) -> Callable[[], Metastore]:
        return lambda: open_metastore(tmp_path / "metadata.db", mounts=lambda: "srv:/x / nfs4 rw")

    @pytest.fixture
    def store(self, open_there: Callable[[], Metastore]) -> Iterator[Metastore]:
        store = open_there()
        yield store
        store.close()

    @pytest.fixture
    def reopen(self, open_there: Callable[[], Metastore]) -> Callable[[], Metastore]:
        return open_there
