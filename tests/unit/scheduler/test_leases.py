"""Leases grow from one, last as long as they are to, and shrink towards the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swell.scheduler.leases import MOST, Leases, LeaseSizes


def sizes_of(mean_s: float, *, seconds: float = 2.0, ended: int = 1000) -> LeaseSizes:
    sizes = LeaseSizes(seconds)
    for _ in range(ended):
        sizes.note(mean_s)
    return sizes


def test_the_first_lease_is_one_task() -> None:
    assert LeaseSizes(2.0).size(10_000, workers=2) == 1


def test_a_lease_grows_with_what_is_known_of_the_tasks() -> None:
    one, some = sizes_of(0.001, ended=1), sizes_of(0.001, ended=10)
    assert 1 < one.size(10_000, workers=2) < some.size(10_000, workers=2)


def test_a_lease_lasts_its_seconds_by_the_mean() -> None:
    assert sizes_of(0.1).size(10_000, workers=2) == 20
    assert sizes_of(0.1, seconds=1.0).size(10_000, workers=2) == 10


def test_a_task_that_lasts_longer_than_a_lease_is_alone() -> None:
    assert sizes_of(30.0).size(10_000, workers=2) == 1


def test_a_lease_follows_tasks_that_become_slower() -> None:
    sizes = sizes_of(0.001)
    for _ in range(3000):
        sizes.note(1.0)
    assert sizes.size(100_000, workers=2) <= 3


def test_a_lease_shrinks_at_the_tail_and_leaves_work_for_the_other_workers() -> None:
    sizes = sizes_of(0.02)
    found = [sizes.size(left, workers=4) for left in (1000, 400, 100, 40, 10)]
    assert found == sorted(found, reverse=True)
    assert all(size * 4 <= left for size, left in zip(found[:4], (1000, 400, 100, 40), strict=True))


def test_tasks_of_no_length_are_leased_by_many_at_once() -> None:
    assert sizes_of(0.0).size(1_000_000, workers=2) == MOST


@given(
    st.lists(st.floats(0, 10), max_size=20),
    st.integers(1, 100_000),
    st.integers(1, 64),
    st.floats(0.001, 3600),
)
def test_a_size_is_at_least_one_and_never_more_than_there_is(
    took: list[float], left: int, workers: int, seconds: float
) -> None:
    sizes = LeaseSizes(seconds)
    for one in took:
        sizes.note(one)
    assert 1 <= sizes.size(left, workers) <= min(left, MOST)


def test_what_is_leased_and_waits_for_its_turn_is_not_counted_as_left() -> None:
    leases = Leases()
    for _ in range(1000):
        leases.note("work", 2.0, 0.1)
    lease = leases.lease("work", 11)
    assert leases.queued == 10
    alone = leases.size("work", 2.0, waiting=10 + 8, workers=2)
    assert alone == sizes_of(0.1).size(8, workers=2)
    assert [leases.leave("work", lease) for _ in range(11)] == [True] * 10 + [False]
    assert leases.queued == 0
