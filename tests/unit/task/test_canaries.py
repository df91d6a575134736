"""Which items of a foreach go first."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

from swell.task.canaries import CanaryChoice, size_of


def chosen(items: Any, num: int = 3, seed: int = 1) -> tuple[int, ...]:
    choice = CanaryChoice(num, random.Random(seed))
    stored = list(choice.over(items))
    assert stored == (list(items) if isinstance(items, Iterable) and len(stored) else [])
    return choice.indices()


class Sized:
    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length


class Broken:
    def __len__(self) -> int:
        raise RuntimeError("no length today")

    def __reduce__(self) -> str:
        raise RuntimeError("nor bytes")


@pytest.mark.parametrize(
    ("item", "size"),
    [
        (7, 7.0),
        (-2.5, -2.5),
        (True, 1.0),
        (10**400, float("inf")),
        (-(10**400), float("-inf")),
        (float("nan"), 0.0),
        ("abc", 3.0),
        ([1, 2], 2.0),
        ({"a": 1}, 1.0),
        (Sized(9), 9.0),
        (Broken(), 0.0),
    ],
)
def test_the_measure_of_an_item_is_its_number_or_its_length(item: object, size: float) -> None:
    assert size_of(item) == size


def test_what_has_neither_is_measured_by_its_pickle() -> None:
    assert size_of(complex(1, 2)) > 10
    assert size_of(slice(0, 10**30)) > size_of(slice(0, 1))


@pytest.mark.parametrize(
    "items",
    [
        [5, 1, 9, 3, 4, 6, 7],
        ["five5", "1", "nine....9", "333", "4444", "six6.."],
        (5, 1, 9, 3, 4, 6),
        {"bbb": 0, "a": 0, "ccccc": 0, "dd": 0},
    ],
)
def test_smallest_largest_and_a_random_one_in_this_order(items: Any) -> None:
    smallest, largest, other = chosen(items)
    assert (smallest, largest) == (1, 2)
    assert other not in (smallest, largest)
    assert 0 <= other < len(items)


def test_an_iterator_is_gone_through_once_and_measured_on_the_way() -> None:
    choice = CanaryChoice(2)
    items = choice.over(number for number in [4, 8, 2, 6])
    assert choice.indices() == ()
    assert list(items) == [4, 8, 2, 6]
    assert choice.indices() == (2, 1)


@pytest.mark.parametrize(
    ("items", "ends"), [(range(10**9), (0, 10**9 - 1)), (range(50, 0, -1), (49, 0))]
)
def test_a_range_is_not_gone_through(items: range, ends: tuple[int, int]) -> None:
    choice = CanaryChoice(4, random.Random(2))
    assert choice.over(items) is items
    found = choice.indices()
    assert found[:2] == ends
    assert len(set(found)) == 4


@pytest.mark.parametrize("items", [[], [1], [1, 2, 3], range(0), range(3)])
def test_where_all_would_be_canaries_none_goes_first(items: Any) -> None:
    assert chosen(items) == ()


def test_one_canary_is_the_largest_item() -> None:
    assert chosen([5, 1, 9, 3], num=1) == (2,)


def test_of_items_of_one_size_different_ones_are_chosen() -> None:
    found = chosen([0] * 100, num=5)
    assert found[:2] == (0, 99)
    assert len(set(found)) == 5


def test_the_random_ones_differ_from_run_to_run() -> None:
    items = list(range(1_000))
    assert len({chosen(items, seed=seed)[2] for seed in range(20)}) > 10
