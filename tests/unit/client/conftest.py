"""The store that the client looks at in these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.client.access import ACCESS
from tests.unit.client.filled_store import MemoryStores, Writer


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[MemoryStores]:
    """The store that the client looks at, in the namespace of ann."""
    opened: dict[str | None, MemoryStores] = {}

    def open_here(address: str | None) -> MemoryStores:
        folder = tmp_path / "here" if address is None else Path(address)
        folder.mkdir(exist_ok=True)
        return opened.setdefault(str(folder), MemoryStores(folder))

    ACCESS.install_opener(open_here, default_namespace=lambda: "user:ann")
    ACCESS.forget_namespace()
    ACCESS.choose_address(None)
    yield ACCESS.stores()  # type: ignore[misc]
    for each in opened.values():
        each.metastore.close()  # type: ignore[operator]


@pytest.fixture
def writer(stores: MemoryStores) -> Writer:
    return Writer(stores.metastore)  # type: ignore[arg-type]
