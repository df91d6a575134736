"""Items of a foreach: fixed once, counted, each read alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.datastore.blobs import Blobs
from swell.datastore.items import item_text, load_item, store_items
from swell.datastore.local import LocalStorage
from swell.errors import FlowError, StoreError, TooManyItems, UnstorableArtifact
from swell.testing.memory_storage import MemoryStorage


class Point:
    def __init__(self, x: int) -> None:
        self.x = x


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


def load_all(storage, stored) -> list[object]:
    return [load_item(storage, stored.items.ref(index)) for index in range(stored.count)]


@given(
    values=st.lists(st.integers() | st.text() | st.binary(max_size=3000) | st.none(), max_size=50),
    large=st.booleans(),
)
def test_every_item_comes_back_at_its_place(values, large):
    storage = MemoryStorage()
    if large:
        values = [*values, b"x" * 20_000]
    stored = store_items(storage, iter(values), 100)
    assert stored.count == len(values)
    assert load_all(storage, stored) == values
    assert (stored.items.key is not None) >= large


def test_a_range_is_kept_as_two_numbers(storage):
    stored = store_items(storage, range(10, 1_000_000, 3), 1_000_000)
    assert stored.items.range == (10, 3)
    assert stored.count == len(range(10, 1_000_000, 3))
    assert load_item(storage, stored.items.ref(2)) == 16
    assert item_text(storage, stored.items.ref(2)) == "16"
    assert list(storage.list("")) == []


def test_a_range_of_huge_numbers_is_still_a_list_of_numbers(storage):
    stored = store_items(storage, range(10**30, 10**30 + 3), 10)
    assert load_all(storage, stored) == [10**30, 10**30 + 1, 10**30 + 2]


def test_a_dict_gives_its_keys_and_a_set_is_fixed_once(storage):
    assert load_all(storage, store_items(storage, {"a": 1, "b": 2}, 10)) == ["a", "b"]
    stored = store_items(storage, {"x", "y", "z"}, 10)
    assert load_all(storage, stored) == load_all(storage, stored)
    assert set(load_all(storage, stored)) == {"x", "y", "z"}


def test_nothing_to_do_is_zero_items(storage):
    stored = store_items(storage, [], 10)
    assert stored.count == 0
    assert stored.items.inline == ()


def test_too_many_items_are_refused_with_the_number_wanted(storage):
    with pytest.raises(TooManyItems) as caught:
        store_items(storage, list(range(250)), 100, name="rows")
    assert (caught.value.wanted, caught.value.limit) == (250, 100)
    assert "'rows' has 250 items" in caught.value.message
    assert "--max-num-splits 250" in caught.value.remedy


def test_of_an_endless_generator_no_more_is_taken_than_needed(storage):
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    with pytest.raises(TooManyItems) as caught:
        store_items(storage, numbers(), 100)
    assert caught.value.wanted is None
    assert "more than 100" in caught.value.message
    assert len(taken) == 101


def test_exactly_the_limit_is_allowed(storage):
    assert store_items(storage, iter(range(100)), 100).count == 100


def test_one_thing_that_is_no_list_is_refused(storage):
    with pytest.raises(FlowError, match="'rows' is one int: 5"):
        store_items(storage, 5, 100, name="rows")  # type: ignore[arg-type]  # the mistake


def test_an_item_that_cannot_be_stored_is_named_by_its_position(storage):
    with pytest.raises(UnstorableArtifact, match=r"rows\[1\]"):
        store_items(storage, [1, (n for n in ())], 100, name="rows")


def test_an_error_of_the_iterable_itself_is_not_hidden(storage):
    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        store_items(storage, broken(), 100)
    assert list(storage.list("")) == []


def test_a_child_reads_only_its_own_item():
    storage = MemoryStorage()
    stored = store_items(storage, (b"%06d" % n * 170 for n in range(20_000)), 20_000)
    storage.reads.clear()
    assert load_item(storage, stored.items.ref(12_345)) == b"012345" * 170
    assert sum(length or 10**9 for _, _, length in storage.reads) < 100_000


def test_arrays_as_items_map_the_store_and_stay_apart(storage):
    stored = store_items(storage, [numpy.full(300_000, n) for n in range(4)], 10)
    third = load_item(storage, stored.items.ref(3))
    assert (third == 3).all()
    assert third.flags.aligned
    third[0] = 99
    assert load_item(storage, stored.items.ref(3))[0] == 3


def test_functions_as_items_keep_their_python_version(storage):
    stored = store_items(storage, [lambda n=n: n + 1 for n in range(300)], 300)
    assert load_item(storage, stored.items.ref(7))() == 8


def test_a_damaged_item_is_named():
    storage = MemoryStorage()
    stored = store_items(storage, [os.urandom(1000) for _ in range(100)], 100)
    (entry,) = storage.list("blobs/")
    broken = bytearray(storage.read(entry.key))
    at = broken.index(bytes(load_item(storage, stored.items.ref(42))))
    broken[at] ^= 1
    storage.damage(entry.key, bytes(broken))
    with pytest.raises(StoreError, match=f"Item 42 of Blob {stored.items.key}"):
        load_item(storage, stored.items.ref(42))
    load_item(storage, stored.items.ref(41))


def test_items_have_texts_that_run_no_code_of_their_classes(storage):
    stored = store_items(storage, ["AA", 1.5, ("a", 2), Point(3), "x" * 500], 10)
    assert stored.texts[:4] == ("AA", "1.5", "('a', 2)", "Point(x=3)")
    assert len(stored.texts[4]) == 60
    shown = [item_text(storage, stored.items.ref(n)) for n in range(4)]
    assert shown == ["AA", "1.5", "('a', 2)", ""]


def test_the_index_of_a_gang_is_its_item(storage):
    from swell.model.record import Items

    assert load_item(storage, Items().ref(3)) == 3


def test_items_are_read_by_blobs_that_were_made_before(storage: LocalStorage) -> None:
    blobs = Blobs(storage)
    small, large = (store_items(storage, [one, one], 10) for one in ("x", "x" * 100_000))

    assert load_item(blobs, small.items.ref(1)) == "x"
    assert load_item(blobs, large.items.ref(1)) == "x" * 100_000


MANY = """
import re, sys
from swell.datastore.items import load_item, store_items
from swell.datastore.local import LocalStorage

count = int(sys.argv[2])
storage = LocalStorage(sys.argv[1])
stored = store_items(storage, ({"id": n, "name": f"row {n}"} for n in range(count)), count)
assert stored.count == count
assert load_item(storage, stored.items.ref(7)) == {"id": 7, "name": "row 7"}
# Not what getrusage says, which a child begins with its parent's.
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.parametrize(
    ("count", "limit_mb"), [(20_000, 60), pytest.param(1_000_000, 200, marks=pytest.mark.slow)]
)
def test_many_small_items_of_a_generator_are_stored_in_little_memory(tmp_path, count, limit_mb):
    command = [sys.executable, "-c", MANY, str(tmp_path), str(count)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert int(ended.stdout) < limit_mb
