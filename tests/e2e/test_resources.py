"""Resources and limits of a run, as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.flow_place import Place

FLOW = """
class RoomFlow(FlowSpec):
    @step
    def start(self):
        self.items = list(range(4))
        self.next(self.work, foreach="items")

    @resources(api=1)
    @step
    def work(self):
        import os

        # Fails where another task is in it.
        os.close(os.open("busy", os.O_CREAT | os.O_EXCL))
        os.remove("busy")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A flow whose tasks must not run beside each other."""
    made = Place(tmp_path)
    made.write(FLOW)
    return made


def test_a_limit_holds_over_all_tasks_however_it_is_given(place: Place) -> None:
    place.call("run", "--limit", "api=1")
    place.call("--limit", "api=1,db=3", "run", "--limit", "db=4")
    place.call("run", SWELL_LIMIT="api=1")


def test_a_script_s_parameter_named_limit_wins_and_the_option_stands_before(place: Place) -> None:
    place.change(
        "    @step\n    def start", '    limit = Parameter("limit")\n\n    @step\n    def start'
    )
    place.change("        pass", "        print('limit', self.limit)")
    ended = place.call("--limit", "api=1", "run", "--limit", "anything")
    assert "limit anything" in ended.stdout


def test_a_step_that_can_never_fit_runs_alone_and_this_is_said_first(place: Place) -> None:
    place.change("api=1", "memory=900000000")
    ended = place.call("run")
    said, began = ended.stdout.index("asks for 900,000,000 MB"), ended.stdout.index("Task starts")
    assert said < began
    assert "--with batch" in ended.stdout


@pytest.mark.parametrize(
    ("asked", "arguments", "words"),
    [
        ("memory=900000000", ("run", "--strict-resources"), ("900,000,000", "--with batch")),
        ("api=1", ("run",), ("api=1", "--limit api=N")),
        ("memmory=1", ("run",), ("memmory", "Did you mean 'memory'?")),
        ("api=3", ("run", "--limit", "api=2"), ("api=3", "api=2")),
        ("gpu=1", ("run",), ("asks for a GPU", "has none", "--with batch")),
        ("api=1", ("run", "--limit", "api"), ("NAME=N", "api=5")),
        ("api=1", ("run", "--limit", "api=few"), ("few", "number")),
    ],
)
def test_what_cannot_be_given_is_refused_before_the_run_has_a_number(
    place: Place, asked: str, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    place.change("api=1", asked)
    ended = place.call(*arguments, code=2, CUDA_VISIBLE_DEVICES="")
    assert [word for word in words if word not in ended.stderr] == []
    assert not (place.folder / ".swell" / "metadata.db").exists()
