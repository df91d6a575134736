"""What differs between two runs, from facts and Records alone."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from blake3 import blake3

from swell.client.compare import Change, RunView, compare_runs
from swell.model.facts import (
    AttemptFact,
    RunFact,
    RunStatus,
    TaskCreated,
    TaskFact,
)
from swell.model.ids import JobId, RunId
from swell.model.record import ArtifactRef, Usage


def ref(value: object, *, as_blob: bool = False, preview: str | None = None) -> ArtifactRef:
    data = pickle.dumps(value)
    key = blake3(data).hexdigest() if as_blob else None
    inline = None if as_blob else data
    shown = repr(value) if preview is None else preview
    return ArtifactRef(inline, key, len(data), type(value).__name__, shown)


class Story:
    """Makes the view of a run; tasks are told as (step, indices, artifacts)."""

    def __init__(self, number: int) -> None:
        self.id = RunId("SumFlow", number)
        self.tasks: list[TaskFact] = []
        self.attempts: list[AttemptFact] = []
        self.records: dict[str, dict[str, ArtifactRef]] = {}
        self.fields: dict[str, Any] = {"script": "x = 1\n", "packages": {"numpy": "2.0"}}

    def task(
        self,
        step: str,
        indices: tuple[int, ...] = (),
        *,
        took_s: float = 1.0,
        peak_mb: float | None = None,
        origin: str | None = None,
        **artifacts: Any,
    ) -> Story:
        name = str(100 * self.id.number + len(self.tasks))
        created = TaskCreated(self.id, step, name, 0.0, indices=indices, origin_task=origin)
        self.tasks.append(TaskFact(created, 0, 10.0, 10.0 + took_s, ok=True))
        self.attempts.append(
            AttemptFact(self.id, step, JobId(name, 0), 10.0, 1, 10.0 + took_s, usage=Usage(peak_mb))
        )
        self.records[name] = {
            key: value if isinstance(value, ArtifactRef) else ref(value)
            for key, value in artifacts.items()
        }
        return self

    def view(self, **fields: Any) -> RunView:
        fact = RunFact(self.id, "ann", 0.0, "/f.py", frozenset(), frozenset(), RunStatus.DONE)
        steps = tuple(dict.fromkeys(one.created.step for one in self.tasks))
        return RunView(
            fact,
            tasks=tuple(self.tasks),
            attempts=tuple(self.attempts),
            records=self.records,
            **{"steps": steps, **self.fields, **fields},
        )


def test_equal_runs_are_the_same_in_everything() -> None:
    one, other = (Story(n).task("start", x=1).task("end", x=1) for n in (1, 2))

    diff = compare_runs(one.view(), other.view())

    assert diff.same_in == ("parameters", "code", "packages", "steps", "artifacts")
    assert (diff.artifacts, diff.script, diff.same_artifacts) == ((), (), 1)


def test_parameters_that_differ_or_are_only_in_one_run_are_told_by_their_first_line() -> None:
    table = ref("t", preview="Frame: 1 row\n  details")
    first = Story(1).view(parameters={"n": ref(1), "same": ref(0), "old": ref(2)})
    second = Story(2).view(parameters={"n": table, "same": ref(0), "new": ref(3)})

    changes = compare_runs(first, second).parameters

    assert changes == (
        Change("n", "1", "Frame: 1 row"),
        Change("new", None, "3"),
        Change("old", "2", None),
    )


def test_the_script_is_compared_line_by_line() -> None:
    first = Story(1).view(script="a\nb\nc\n", code={"commit": "abc", "branch": "main"})
    second = Story(2).view(script="a\nB\nc\n", code={"commit": "def", "branch": "main"})

    diff = compare_runs(first, second)

    assert diff.script[1:] == (" a", "-b", "+B", " c")
    assert diff.code == (Change("commit", "abc", "def"),)
    assert "code" not in diff.same_in


def test_what_one_run_did_not_keep_is_unknown_and_not_the_same() -> None:
    first = Story(1).view(script=None, packages=None)

    diff = compare_runs(first, Story(2).view())

    assert diff.unknown == ("code", "packages")
    assert diff.same_in == ("parameters", "steps", "artifacts")


def test_packages_that_changed_came_or_went_are_told() -> None:
    first = Story(1).view(packages={"numpy": "2.0", "six": "1.0"})
    second = Story(2).view(packages={"numpy": "2.1", "attrs": "3.0"})

    assert compare_runs(first, second).packages == (
        Change("numpy", "2.0", "2.1"),
        Change("six", "1.0", None),
        Change("attrs", None, "3.0"),
    )


def test_a_difference_is_told_where_it_begins_and_not_where_it_is_handed_on() -> None:
    first = Story(1).task("start", x=1).task("middle", x=1, y=5).task("end", x=1, y=5)
    second = Story(2).task("start", x=2).task("middle", x=2, y=5).task("end", x=3, y=5)

    diff = compare_runs(first.view(), second.view())

    assert [(one.step, one.name) for one in diff.artifacts] == [("start", "x"), ("end", "x")]
    assert diff.same_artifacts == 1


def test_tasks_of_a_foreach_are_compared_by_their_indices_whatever_their_order() -> None:
    first, second = Story(1), Story(2)
    for index in range(5):
        first.task("each", (index,), got=index)
    for index in reversed(range(5)):
        second.task("each", (index,), got=-1 if index in (2, 4) else index)

    (change,) = compare_runs(first.view(), second.view()).artifacts

    assert (change.tasks, change.differing, change.indices) == (5, 2, (2,))
    assert change.first is not None
    assert change.second is not None
    assert (change.first.preview, change.second.preview) == ("2", "-1")


def test_the_same_content_is_equal_inline_and_as_a_blob() -> None:
    first = Story(1).task("start", x=ref("abc"))
    second = Story(2).task("start", x=ref("abc", as_blob=True))

    assert compare_runs(first.view(), second.view()).artifacts == ()


@pytest.mark.parametrize("turned", [False, True])
def test_an_artifact_that_one_run_lacks_is_told(turned: bool) -> None:
    views = [Story(1).task("start", x=1).view(), Story(2).task("start").view()]
    first, second = reversed(views) if turned else views

    (change,) = compare_runs(first, second).artifacts

    assert (change.first is None, change.second is None) == (turned, not turned)


def test_private_artifacts_and_parameters_are_not_compared_in_steps() -> None:
    first = Story(1).task("start", _seed=1, n=1).view(parameters={"n": ref(1)})
    second = Story(2).task("start", _seed=2, n=2).view(parameters={"n": ref(2)})

    assert compare_runs(first, second).artifacts == ()


def test_steps_that_came_went_or_have_other_numbers_of_tasks_are_told_in_order() -> None:
    first = Story(1).task("start").task("old").task("each", (0,)).task("end")
    second = Story(2).task("start").task("each", (0,)).task("each", (1,)).task("new").task("end")

    diff = compare_runs(first.view(), second.view())

    assert [pair.name for pair in diff.steps] == ["start", "old", "each", "new", "end"]
    told = {
        pair.name: (pair.first and pair.first.tasks, pair.second and pair.second.tasks)
        for pair in diff.changed_steps
    }
    assert told == {"old": (1, None), "each": (1, 2), "new": (None, 1)}


def test_a_step_of_the_flow_that_never_began_has_no_tasks() -> None:
    first = Story(1).task("start").view(steps=("start", "end"))
    second = Story(2).task("start").task("end").view()

    (pair,) = compare_runs(first, second).changed_steps

    assert pair.first is not None
    assert (pair.name, pair.first.tasks) == ("end", 0)


def test_times_and_memory_are_those_of_tasks_that_ran_in_the_run_itself() -> None:
    first = Story(1).task("each", (0,), took_s=1.0, peak_mb=50.0)
    first.task("each", (1,), took_s=2.0, peak_mb=70.0).task("each", (2,), took_s=9.0)
    second = Story(2).task("each", (0,), took_s=5.0, origin="each/1")

    (pair,) = compare_runs(first.view(), second.view()).steps

    assert pair.first is not None
    assert (pair.first.typical_s, pair.first.longest_s) == (2.0, 9.0)
    assert pair.first.peak_memory_mb == 70.0
    assert pair.second is not None
    assert (pair.second.tasks, pair.second.typical_s) == (1, None)
