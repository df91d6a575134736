"""Foreaches that may lose some items, or try some first; and failures told by cause."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.flow_place import Place
from tests.e2e.looked_at import swell

FLOW = """
import os

class LossyFlow(FlowSpec):
    n = Parameter("n", default=10)
    bad = Parameter("bad", default="3,5", type=str)

    @step
    def start(self):
        self.shared = "same"
        self.items = list(range(self.n))
        self.next(self.fit, foreach="items", max_failures="20%")

    @step
    def fit(self):
        if str(self.input) in self.bad.split(",") and not os.path.exists("mended"):
            if self.input == 5:
                os.kill(os.getpid(), 9)
            raise ValueError(f"item {self.input} is bad")
        self.got = self.input * 10
        self.next(self.join)

    @step
    def join(self, inputs):
        self.merge_artifacts(inputs, exclude=["got"])
        self.gots = inputs.values("got")
        self.places = [(one.index, one.input) for one in inputs.succeeded()]
        self.counted = len(inputs), len(list(inputs))
        self.lost = [
            (one.index, one.item, one.cause, one.error.type, one.error.exception, one.attempts)
            for one in inputs.failures()
        ]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.write(FLOW)
    return place


def test_within_the_budget_the_join_sees_both_and_resume_retries_only_the_failed(
    place: Place,
) -> None:
    done = place.call("run")

    data = place.run("LossyFlow/1").data
    kept = [0, 1, 2, 4, 6, 7, 8, 9]
    assert data.gots == [10 * index for index in kept]
    assert data.places == [(index, index) for index in kept]
    assert data.counted == (8, 8)
    assert data.shared == "same"
    assert [one[:4] for one in data.lost] == [
        (3, 3, "user_error", "ValueError"),
        (5, 5, "signal", "signal"),
    ]
    assert data.lost[0][4:] == ("item 3 is bad", 1)
    assert "SIGKILL" in data.lost[1][4]
    assert place.run("LossyFlow/1").successful
    assert "2 tasks failed, within max_failures." in done.stdout
    assert "2 of 10 tasks of 'fit' failed, within max_failures: 2 causes." in done.stderr

    (join,) = place.run("LossyFlow/1")["join"]
    again = place.call("debug", f"1/join/{join.id}")
    assert "(3, 3, 'user_error', 'ValueError', 'item 3 is bad', 1)" in again.stdout

    (place.folder / "mended").touch()
    place.call("resume")
    resumed = place.run("LossyFlow/2")
    assert resumed.data.gots == [10 * index for index in range(10)]
    assert resumed.data.lost == []
    origins = [task.origin_pathspec for task in resumed["fit"]]
    assert sum(origin is None for origin in origins) == 2


def test_over_the_budget_the_run_fails_and_says_the_numbers(place: Place) -> None:
    done = place.call("run", "--bad", "1,2,3,4", "--max-workers", "1", code=1)

    assert "3 of 10 items of 'fit' failed, and max_failures=20% allows 2." in done.stderr
    assert "3 of 10 tasks of 'fit' failed: all for one cause." in done.stderr
    assert "ValueError: item 1 is bad" in done.stderr
    assert "Parameters: bad = '1,2,3,4', n = 10" in done.stderr
    assert "flow.py debug 1/fit/3" in done.stderr
    assert "resume --origin-run-id 1" in done.stderr

    story = swell(place.folder, "show", "LossyFlow/1").stdout
    assert "tasks of 'fit' failed: all for one cause." in story
    assert "swell debug LossyFlow/1/fit/" in story


def test_canaries_go_first_and_one_that_fails_keeps_the_others_from_starting(
    place: Place,
) -> None:
    done = place.call("run", "--n", "60", "--bad", "59", "--canary", "2", code=1)

    assert "2 canaries go first, items 0 (the smallest), 59 (the largest)" in done.stdout
    assert "1 of 2 canaries of 'fit' failed, 58 tasks were not started." in done.stderr
    assert len(list(place.run("LossyFlow/1")["fit"])) == 2

    passed = place.call("run", "--bad", "none", "--canary", "2", "--json")
    told = [json.loads(line) for line in passed.stdout.splitlines()]
    order = [one["task"] for one in told if one["event"] == "task_began" and one["step"] == "fit"]
    (opened,) = [one for one in told if one["event"] == "children_opened"]
    assert opened["canaries"] == [0, 9]
    assert sorted(order[:2]) == ["11", "2"]
    assert len(order) == 10


def test_a_budget_that_cannot_be_is_refused_before_anything_starts(place: Place) -> None:
    assert "for each of self.items, of which 20% may fail" in place.call("show").stdout
    place.change('max_failures="20%"', 'max_failures="some"')

    done = place.call("run", code=1)

    assert "max_failures='some': it takes a whole number of at least 0, or a share" in done.stderr
    assert not (place.folder / ".swell").exists()
