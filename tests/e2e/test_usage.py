"""`usage` and sizes from history: what a run asked for and used, and the next run sized by it."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from tests.e2e.flow_place import Place

FLOW = """
class SizesFlow(FlowSpec):
    @resources(memory=6000)
    @step
    def start(self):
        self.xs = [1, 2]
        self.next(self.work, foreach="xs")

    @resources(memory="auto")
    @step
    def work(self):
        kept = b"x" * 200_000_000
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
"""


class TwoRuns(NamedTuple):
    """Their place, and what each of them said."""

    place: Place
    first: str
    second: str


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> TwoRuns:
    place = Place(tmp_path_factory.mktemp("usage"))
    place.write(FLOW)
    return TwoRuns(place, place.call("run").stdout, place.call("run").stdout)


@pytest.fixture
def place(two_runs: TwoRuns) -> Place:
    """With run 1, and run 2 that was sized by it."""
    return two_runs.place


def test_a_run_is_sized_by_the_one_before_says_so_once_and_is_refused_where_that_is_too_much(
    two_runs: TwoRuns,
) -> None:
    place, first, second = two_runs
    assert "work: memory=auto finds no measured run yet" in first
    assert second.count("work: memory=auto → ") == 1
    assert "MB, from 2 attempts of 1 run." in second
    (start, work, *_) = json.loads(place.call("usage", "2", "--json").stdout)["steps"]
    peak, asked = work["memory_mb"]["max"], work["asked"]["memory_mb"]
    assert 190 < peak < asked < 1.15 * peak
    assert work["advice"] == {"memory_mb": None, "cpu": None}
    assert start["asked"]["memory_mb"] == 6000
    assert start["wasted_memory"] > 0.9
    told = place.call("usage", "2").stdout
    line = f"asked 6,000 MB, peak {start['memory_mb']['max']:,.0f} MB"
    assert f"start: {line}; `@resources(memory={start['advice']['memory_mb']})` would do." in told
    assert "work:" not in told
    # Now that there are numbers, --strict-resources holds them against what there is.
    place.change("memory=6000", "memory=100")
    refused = place.call("run", "--strict-resources", "--limit", "memory=150", code=2).stderr
    place.change("memory=100", "memory=6000")
    assert "Step 'work' asks for" in refused
    assert '"auto" found in earlier runs' in refused


def test_a_run_in_which_no_task_ran_names_the_one_that_has_the_numbers(place: Place) -> None:
    said = place.call("resume", "--origin-run-id", "2").stdout
    number = said.partition("Run ")[2].split()[0]
    said = place.call("usage", number, code=1).stderr
    assert "taken over from run 2: none ran in it" in said
    assert "usage 2." in said


@pytest.mark.parametrize(
    ("path", "said"), [("77", "has no run '77'"), ("2/start", "'2/start' is not a run")]
)
def test_what_is_no_run_is_told_with_what_to_write(place: Place, path: str, said: str) -> None:
    assert said in place.call("usage", path, code=1).stderr
