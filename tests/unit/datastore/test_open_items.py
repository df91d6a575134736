"""Items read one after the other: the same as read alone, with few reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from swell.datastore.items import load_item, store_items
from swell.datastore.local import LocalStorage
from swell.datastore.open_items import OpenItems
from swell.errors import StoreError
from swell.model.record import ItemRef
from swell.seams.storage import Storage


class CountingStorage(LocalStorage):
    """Counts what is read."""

    reads = 0

    def read(self, key: str, start: int = 0, length: int | None = None) -> memoryview:
        self.reads += 1
        return super().read(key, start, length)


LARGE = [f"{'x' * 5000} {n}" for n in range(500)]


@pytest.fixture
def storage(tmp_path: Path) -> CountingStorage:
    return CountingStorage(str(tmp_path / "store"))


def opened(storage: Storage, values: list[Any]) -> tuple[OpenItems, list[ItemRef]]:
    stored = store_items(storage, values, 10_000).items
    assert stored.key is not None
    return OpenItems(storage, stored.key), [stored.ref(n) for n in range(len(values))]


@pytest.mark.parametrize("order", [range(500), range(499, -1, -1), [7, 8, 9, 300, 301, 7, 8, 499]])
def test_in_any_order_items_are_what_they_are_alone(storage: Storage, order: Iterable[int]) -> None:
    items, refs = opened(storage, LARGE)
    for n in order:
        assert items.load(refs[n]) == LARGE[n] == load_item(storage, refs[n])
        assert items.text(refs[n]).startswith("xxx")


def test_items_one_after_the_other_take_few_reads(storage: CountingStorage) -> None:
    items, refs = opened(storage, LARGE)
    storage.reads = 0
    assert [items.load(ref) for ref in refs] == LARGE
    assert storage.reads < 30


def test_what_a_task_changes_in_its_item_no_other_task_sees(storage: Storage) -> None:
    numpy = pytest.importorskip("numpy")
    arrays = [numpy.full(20_000, float(n)) for n in range(6)]
    items, refs = opened(storage, arrays)
    for ref in refs:
        value = items.load(ref)
        assert value[0] == ref.position
        if value.flags.writeable:
            value[:] = -1
    for ref in reversed(refs):
        assert items.load(ref)[0] == ref.position


def test_an_item_that_is_not_there_is_an_error(storage: Storage) -> None:
    items, refs = opened(storage, LARGE)
    with pytest.raises(StoreError):
        items.load(ItemRef(key=refs[0].key, position=700))
