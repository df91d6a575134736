"""PostgreSQL keeps the promises of a metadata store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from swell.metastore.postgres import open_metastore
from swell.seams.metastore import Metastore
from swell.testing.metastore_contract import MetadataContract


class TestPostgres(MetadataContract):
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Metastore]:
        store = open_metastore(postgres_url)
        yield store
        store.close()

    @pytest.fixture
    def reopen(self, postgres_url: str) -> Callable[[], Metastore]:
        return lambda: open_metastore(postgres_url)
