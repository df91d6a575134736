"""Promises to existing scripts that need whole runs to be seen: ids, resume, files, order."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import swell
from tests.e2e.flow_place import NESTED, Place
from tests.e2e.terminal import python


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def ids(run: Any, step: str) -> list[str]:
    """Task ids of ``step``, oldest first."""
    return [task.id for task in run[step]][::-1]


# --- ids, order, files (6.2) ------------------------------------------------------


def test_siblings_get_consecutive_ids_in_the_order_of_their_items(place: Place) -> None:
    place.write("import os\n" + NESTED)
    place.call("run")

    run = place.run("NestedFlow/1")

    assert ids(run, "_parameters") == ["0"]
    assert ids(run, "start") == ["1"]
    assert ids(run, "outer") == ["2", "3", "4"]
    for outer in run["outer"]:
        inner = sorted(int(task.id) for task in outer.child_tasks)
        assert inner == list(range(inner[0], inner[0] + 2))
    everything = [int(task.id) for one in run for task in one]
    assert sorted(everything) == list(range(1, 1 + 3 + 1 + 6 + 3 + 2))


def test_a_gang_is_named_after_its_control_task(place: Place) -> None:
    place.write("""
        class GangFlow(FlowSpec):
            @step
            def start(self):
                self.next(self.work, num_parallel=3)

            @parallel
            @step
            def work(self):
                self.facts = tuple(current.parallel)[1:]
                self.seen = (self.input, self.index)
                self.next(self.join)

            @step
            def join(self, inputs):
                self.facts = [i.facts for i in inputs]
                self.seen = [i.seen for i in inputs]
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    place.call("run")

    run = place.run("GangFlow/1")

    assert sorted(ids(run, "work")) == ["2", "2_node_1", "2_node_2"]
    assert run["work"].control_task.id == "2"
    assert run.data.facts == [(3, 0, "2"), (3, 1, "2"), (3, 2, "2")]
    assert run.data.seen == [(0, 0), (1, 1), (2, 2)]


def test_a_check_that_fails_uses_no_number(place: Place) -> None:
    place.write(NESTED.replace("self.next(self.join_outer)", "self.next(self.nowhere)"))
    place.call("run", code=1)
    place.write("import os\n" + NESTED)

    done = place.call("run", "--run-id-file", "id")

    assert "Run 1 " in done.stdout
    assert (place.folder / "id").read_text() == "1"


def test_the_attribute_file_names_run_flow_and_store_before_any_task(place: Place) -> None:
    place.write("""
        import json
        class FileFlow(FlowSpec):
            @step
            def start(self):
                self.read = json.load(open("facts"))
                self.next(self.end)

            @step
            def end(self):
                pass
    """)

    place.call("run", "--runner-attribute-file", "facts")

    facts = json.loads((place.folder / "facts").read_text())
    assert facts["run_id"] == "1"
    assert facts["flow_name"] == "FileFlow"
    assert place.run("FileFlow/1").data.read == facts
    assert swell.metadata(facts["metadata"])


# --- limits and failure (6.4, 7) ------------------------------------------------------


def test_too_many_splits_start_no_child_and_name_the_number_that_would_do(place: Place) -> None:
    place.write("import os\n" + NESTED)

    done = place.call("run", "--n", "3", "--max-num-splits", "2", code=1)

    assert "--max-num-splits 3" in done.stderr
    assert "outer" not in place.run("NestedFlow/1")


def test_a_nested_total_over_the_limit_is_no_failure(place: Place) -> None:
    place.write("import os\n" + NESTED)

    place.call("run", "--n", "3", "--max-num-splits", "3")


def test_attempts_are_as_many_as_the_largest_count_and_all_can_be_read(place: Place) -> None:
    place.write("""
        class RetryFlow(FlowSpec):
            @retry(times=10)
            @step
            def start(self):
                self.tried = current.retry_count
                if current.retry_count < 10:
                    raise ValueError("again")
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    place.call("run")

    path = place.run("RetryFlow/1")["start"].task.pathspec
    assert [swell.Task(path, attempt=k).data.tried for k in range(11)] == list(range(11))
    place.change("times=10", "times=11")
    refused = place.call("run", code=1)
    assert "10" in refused.stderr


def test_the_environment_gives_parameters_and_options(place: Place) -> None:
    place.write("import os\n" + NESTED)

    place.call("run", SWELL_RUN_N="4", SWELL_RUN_TAGS="red blue")
    assert place.run("NestedFlow/1").data.n == 4
    assert place.run("NestedFlow/1").user_tags == frozenset({"red", "blue"})
    place.call("run", "--n", "5", SWELL_RUN_N="4")
    assert place.run("NestedFlow/2").data.n == 5


def test_a_store_is_found_upwards_of_the_working_directory(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write("import os\n" + NESTED)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    place.call("run")

    done = python(place.script, "run", store=below, SWELL_ROOT="")

    assert "Run 2 " in done.stdout
    assert not (below / ".swell").exists()
    assert os.listdir(below) == ["ran"]
