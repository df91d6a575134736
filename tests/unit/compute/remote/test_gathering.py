"""Launches wait for their siblings, but not for nothing."""

from __future__ import annotations

from swell.compute.remote.gathering import FULL_PATIENCE_S, LARGEST, PATIENCE_S, Gathering
from swell.model.ids import JobId
from swell.model.job import Gang, Inputs, Launch
from swell.model.resources import Resources


def launches(first: int, count: int, step: str = "work") -> list[Launch]:
    return [Launch(JobId(str(n), 0), step, 1, Inputs()) for n in range(first, first + count)]


def tasks(lots) -> list[list[str]]:
    return [[one.job.task for one in lot] for lot in lots]


def test_the_first_launch_of_a_step_goes_at_once():
    gathering = Gathering(max_workers=1000)
    gathering.add(launches(1, 1), now=0.0)
    assert tasks(gathering.due({}, now=0.0)) == [["1"]]
    assert gathering.due({}, now=9.0) == []


def test_refills_wait_until_a_twentieth_of_the_slots_is_free():
    gathering = Gathering(max_workers=100)
    for number in range(4):
        gathering.add(launches(number, 1), now=0.0)
    assert gathering.due({"work": 96}, now=1.0) == []
    gathering.add(launches(4, 1), now=1.0)
    assert tasks(gathering.due({"work": 95}, now=1.0)) == [["0", "1", "2", "3", "4"]]


def test_what_nothing_comes_behind_does_not_wait_longer_than_its_patience():
    gathering = Gathering(max_workers=100)
    gathering.add(launches(0, 1), now=10.0)
    assert gathering.due({"work": 98}, now=10.0) == []
    assert gathering.next_due() == 10.0 + PATIENCE_S
    assert tasks(gathering.due({"work": 98}, now=10.0 + PATIENCE_S)) == [["0"]]
    assert gathering.next_due() is None


def test_refills_of_full_slots_wait_for_each_other_however_slowly_they_come():
    """Tasks that end one by one, each replaced at once, are no request each."""
    gathering = Gathering(max_workers=100)
    lots = []
    for number in range(50):
        now = 10.0 * number
        waits = number % 5
        lots += gathering.due({"work": 99 - waits}, now)  # one has ended, its successor is near
        gathering.add(launches(number, 1), now)
        lots += gathering.due({"work": 99 - waits}, now)
    assert [len(lot) for lot in lots] == [5] * 10


def test_refills_of_full_slots_do_not_wait_for_ever():
    gathering = Gathering(max_workers=100)
    gathering.add(launches(0, 1), now=10.0)
    assert gathering.due({"work": 99}, now=10.0) == []
    assert gathering.next_due() == 10.0 + FULL_PATIENCE_S
    assert gathering.due({"work": 99}, now=9.0 + FULL_PATIENCE_S) == []
    assert tasks(gathering.due({"work": 99}, now=10.0 + FULL_PATIENCE_S)) == [["0"]]


def test_the_last_refills_go_when_slots_stay_free():
    gathering = Gathering(max_workers=100)
    gathering.add(launches(0, 2), now=0.0)
    assert gathering.due({"work": 98}, now=0.0) == []
    assert gathering.due({"work": 97}, now=5.0) == []
    assert gathering.next_due() == 5.0 + PATIENCE_S
    assert tasks(gathering.due({"work": 97}, now=5.0 + PATIENCE_S)) == [["0", "1"]]


def test_steps_are_submitted_apart_and_arrays_have_a_largest_size():
    gathering = Gathering(max_workers=1_000_000)
    gathering.add(launches(0, LARGEST + 5), now=0.0)
    gathering.add(launches(LARGEST + 5, 2, "other"), now=0.0)
    assert [len(lot) for lot in gathering.due({}, now=0.0)] == [LARGEST, 5, 2]


def test_a_gang_goes_whole_and_at_once():
    gathering = Gathering(max_workers=100)
    gathering.add(launches(0, 1), now=0.0)
    gang = [
        Launch(JobId(f"7_node_{n}", 0), "train", 1, Inputs(), gang=Gang(n, 3, "7_node_0"))
        for n in range(3)
    ]
    gathering.add(gang, now=0.0)
    assert gathering.due({"work": 9, "train": 9}, now=0.0) == [tuple(gang)]


def test_what_was_cancelled_is_not_submitted():
    gathering = Gathering(max_workers=100)
    gathering.add(launches(0, 4), now=0.0)
    removed = gathering.remove({JobId("1", 0), JobId("3", 0), JobId("99", 0)})
    assert tasks([removed]) == [["1", "3"]]
    assert tasks(gathering.due({}, now=0.0)) == [["0", "2"]]


def test_launches_with_other_memory_go_apart():
    gathering = Gathering(max_workers=100)
    gathering.add(launches(0, 2), now=0.0)
    grown = [
        Launch(JobId(str(n), 1), "work", 2, Inputs(), resources=Resources(memory_mb=8000))
        for n in (7, 8)
    ]
    gathering.add([grown[0], *launches(2, 1), grown[1]], now=0.0)
    assert tasks(gathering.due({}, now=0.0)) == [["0", "1", "2"], ["7", "8"]]
