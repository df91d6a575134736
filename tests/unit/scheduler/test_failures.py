"""Which failures have one cause, told by the dozen."""

from __future__ import annotations

import pytest

from swell.model.cause import Cause
from swell.model.ids import JobId
from swell.model.record import ErrorInfo, Outcome
from swell.scheduler.failures import CAUSES_KEPT, masked, slim, tally_of
from swell.scheduler.observe import TaskFailed

OWN = '  File "/project/flow.py", line {}, in fit\n    x = parse(row)\n'
LIBRARY = '  File "/venv/lib/python3.11/site-packages/numpy/core.py", line {}, in f\n    raise\n'
STDLIB = '  File "/usr/lib/python3.11/json/decoder.py", line {}, in f\n    raise\n'


def raised(
    task: int,
    text: str = "bad",
    *,
    frames: str = OWN.format(7),
    type: str = "ValueError",
    step: str = "fit",
    cause: Cause = Cause.USER_ERROR,
) -> TaskFailed:
    traceback = f"Traceback (most recent call last):\n{frames}{type}: {text}\n"
    error = ErrorInfo(type, text, traceback)
    return TaskFailed(
        JobId(str(task), 0), step, 0.0, Outcome(False, cause, f"{type}: {text}", error)
    )


def died(task: int, message: str, cause: Cause = Cause.OUT_OF_MEMORY) -> TaskFailed:
    return TaskFailed(JobId(str(task), 0), "fit", 0.0, Outcome(False, cause, message))


@pytest.mark.parametrize(
    ("one", "other", "causes"),
    [
        (raised(1, "row 17 is bad"), raised(2, "row 4,321 is bad"), 1),
        (raised(1, "at 0x7f00a1"), raised(2, "at 0x55beef"), 1),
        (raised(1, "no such key"), raised(2, "no such file"), 2),
        (raised(1), raised(2, type="KeyError"), 2),
        (raised(1), raised(2, cause=Cause.TIMEOUT), 2),
        (raised(1), raised(2, step="score"), 2),
        (raised(1), raised(2, frames=OWN.format(8)), 2),
        (
            raised(1, frames=OWN.format(7) + LIBRARY.format(10)),
            raised(2, frames=OWN.format(7) + LIBRARY.format(99)),
            1,
        ),
        (
            raised(1, frames=OWN.format(7) + STDLIB.format(10)),
            raised(2, frames=OWN.format(8) + STDLIB.format(10)),
            2,
        ),
        (raised(1, frames=LIBRARY.format(1)), raised(2, frames=LIBRARY.format(2)), 2),
        (died(1, "peak 7,112 MB"), died(2, "peak 803 MB"), 1),
        (died(1, "gone"), died(2, "gone", Cause.HOST_LOST), 2),
        (died(1, "gone"), raised(2, "gone", cause=Cause.OUT_OF_MEMORY), 2),
    ],
)
def test_two_failures_have_one_cause_or_two(
    one: TaskFailed, other: TaskFailed, causes: int
) -> None:
    assert len(tally_of([one, other]).groups()) == causes


def test_the_first_is_the_example_and_the_largest_group_comes_first() -> None:
    failures = [died(1, "gone"), raised(2, "row 2"), raised(3, "row 3")]
    first, second = tally_of(failures).groups()
    assert (first.count, first.first.job.task, first.others) == (2, "2", ["fit/3"])
    assert (second.count, second.first.job.task, second.others) == (1, "1", [])


def test_many_messages_from_one_line_are_one_cause_as_they_name_the_item() -> None:
    failures = [raised(number, f"no city {chr(97 + number)}") for number in range(20)]
    (group,) = tally_of(failures).groups()
    assert (group.count, group.first.job.task) == (20, "0")
    assert group.others[:4] == ["fit/1", "fit/2", "fit/3", "fit/4"]


def test_what_was_ended_with_the_run_is_no_failure() -> None:
    tally = tally_of([died(1, "ended", Cause.CANCELLED)])
    assert (tally.total, tally.groups()) == (0, [])


def test_ten_thousand_failures_of_ten_thousand_lines_are_counted_in_little_memory() -> None:
    tally = tally_of(raised(task, frames=OWN.format(task)) for task in range(10_000))
    assert len(tally.groups()) == CAUSES_KEPT
    assert (tally.total, tally.other_tasks) == (10_000, 10_000 - CAUSES_KEPT)


def test_ten_thousand_failures_of_one_line_keep_one_example_and_a_few_names() -> None:
    (group,) = tally_of(raised(task, f"row {task}") for task in range(10_000)).groups()
    assert (group.count, len(group.others)) == (10_000, 7)


def test_numbers_are_masked() -> None:
    assert masked("row 17 of 4.5e3 at 0xDEADBEEF") == "row # of #e# at #"


def test_a_slim_failure_has_no_traceback() -> None:
    error = slim(raised(1)).outcome.error
    assert error is not None
    assert (error.type, error.traceback) == ("ValueError", "")
    assert slim(died(1, "gone")) == died(1, "gone")
