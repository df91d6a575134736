"""The client over runs that really ran: objects, what is not there, looking from elsewhere."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import swell
from swell import DataArtifact, Flow, Metaflow, Run, Step, Task
from swell.errors import ExceptionWrapper, InvalidPathspec, NotFound
from tests.e2e.story_store import SCRIPTS, in_other_process, looked_at
from tests.e2e.terminal import run

pytestmark = pytest.mark.usefixtures("looking")


# --- what all objects have -------------------------------------------------------


def test_every_object_knows_its_path_its_parent_and_its_children() -> None:
    flow = Flow("StoryFlow")
    run, step, task = flow["1"], flow["1"]["each"], flow["1"]["each"]["2"]
    artifact = task["length"]
    objects: list[Any] = [flow, run, step, task, artifact]
    assert [one.id for one in objects] == ["StoryFlow", "1", "each", "2", "length"]
    assert artifact.pathspec == "StoryFlow/1/each/2/length"
    assert artifact.path_components == ["StoryFlow", "1", "each", "2", "length"]
    assert [one.parent for one in objects] == [None, flow, run, step, task]
    assert all(child in one for one, child in [(flow, "1"), (run, "each"), (step, "2")])
    assert "9" not in flow
    with pytest.raises(KeyError):
        flow["9"]
    assert all(datetime.now() - one.created_at < timedelta(hours=1) for one in objects)
    assert all(one.created_at.tzinfo is None for one in objects)


def test_children_come_newest_first() -> None:
    assert [run.id for run in Flow("StoryFlow")] == ["3", "2", "1"]
    order = ["end", "risky", "flaky", "join", "each", "start"]
    assert [step.id for step in Run("StoryFlow/1")] == order
    assert [task.id for task in Step("StoryFlow/1/each")] == ["4", "3", "2"]


def test_objects_are_found_by_their_paths() -> None:
    assert Run("StoryFlow/1")["each"]["2"]["length"] == DataArtifact("StoryFlow/1/each/2/length")
    assert DataArtifact("StoryFlow/1/each/2/length").data == 40
    assert Task("StoryFlow/1/each/2").index == 0


def test_objects_pickle_with_their_namespace_and_store(looking: Path, tmp_path: Path) -> None:
    swell.namespace("user:somebody")
    pickled = pickle.dumps(Run("StoryFlow/4"))
    code = (
        "import pickle, sys; run = pickle.load(sys.stdin.buffer); "
        "print(run.data.y, run.is_in_namespace(), [r.id for r in run.parent])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickled, capture_output=True, cwd=tmp_path, check=True
    )
    assert done.stdout.decode().split() == ["41", "True", "['4']"]


def test_metaflow_lists_the_flows_that_have_a_run_here() -> None:
    assert [flow.id for flow in Metaflow()] == ["GangFlow", "StoryFlow"]
    assert [flow.id for flow in Metaflow().flows] == ["GangFlow", "StoryFlow"]
    assert Metaflow()["StoryFlow"] == Flow("StoryFlow")
    assert Metaflow is swell.Swell


# --- flows and runs --------------------------------------------------------------


def test_the_latest_run_the_latest_good_one_and_runs_by_tags() -> None:
    flow = Flow("StoryFlow")
    assert flow.latest_run == Run("StoryFlow/3")
    assert flow.latest_successful_run == Run("StoryFlow/3")
    assert [run.id for run in flow.runs("red")] == ["2", "1"]
    assert [run.id for run in flow.runs("red", "blue")] == ["1"]
    assert list(flow.runs("green")) == []


def test_a_good_run_tells_its_end_and_its_data() -> None:
    run = Run("StoryFlow/1")
    assert run.successful
    assert run.finished
    assert run.end_task == Task("StoryFlow/1/end/8")
    assert run.data.y == 42
    assert run.finished_at is not None
    assert run.finished_at >= run.created_at
    assert run.code is None
    assert run.trigger is None
    assert run.origin_pathspec is None
    assert [step.id for step in run.steps("red")] == [step.id for step in run]
    assert list(run.steps("green")) == []


def test_a_failed_run_is_neither_successful_nor_finished() -> None:
    run = Run("StoryFlow/2")
    assert not run.successful
    assert not run.finished
    assert run.end_task == Task("StoryFlow/2/end/7")


def test_parameters_configs_and_constants_are_a_hidden_step() -> None:
    run = Run("StoryFlow/1")
    assert "_parameters" not in [step.id for step in run]
    parameters = run["_parameters"].task
    assert parameters.id == "0"
    assert (parameters.data.n, parameters.data.unit) == (3, "cm")
    assert parameters["notes"].data == "some notes\n"


def test_a_resumed_run_knows_its_origin_and_reads_its_logs() -> None:
    run = Run("StoryFlow/3")
    start, end = run["start"].task, run["end"].task
    assert run.origin_pathspec == "StoryFlow/2"
    assert start.origin_pathspec == "StoryFlow/2/start/1"
    assert start["words"].origin_pathspec == "StoryFlow/2/start/1/words"
    assert end.origin_pathspec is None
    assert start.stdout == "hello from start\n"
    assert start["words"].sha == Task("StoryFlow/2/start/1")["words"].sha
    assert Task("StoryFlow/1/start/1").origin_pathspec is None


# --- steps ------------------------------------------------------------------------


def test_a_step_tells_its_newest_task_and_the_steps_around_it() -> None:
    step = Step("StoryFlow/1/each")
    assert step.task == Task("StoryFlow/1/each/4")
    assert [task.id for task in step.tasks("red", "blue")] == ["4", "3", "2"]
    assert list(step.tasks("green")) == []
    assert [one.id for one in step.parent_steps] == ["start"]
    assert [one.id for one in step.child_steps] == ["join"]
    assert step.finished_at is not None
    assert step.environment_info is None
    assert step.control_task is None


def test_a_gang_has_one_control_task() -> None:
    step = Step("GangFlow/1/train")
    control = step.control_task
    assert control is not None
    assert [task.id for task in step.control_tasks()] == [control.id]
    assert sorted(task.id for task in step) == [control.id, f"{control.id}_node_1"]
    facts = control.metadata_dict
    assert facts["parallel-world-size"] == 2
    (kind,) = {fact.value for fact in control.metadata if fact.type == "internal_task_type"}
    assert kind == "control_task"


# --- tasks --------------------------------------------------------------------------


def test_a_task_iterates_over_what_is_not_hidden() -> None:
    task = Task("StoryFlow/1/start/1")
    names = {artifact.id for artifact in task}
    assert names == {"words", "n", "notes", "unit", "name"}
    assert set(task.artifacts._fields) == names
    assert task.artifacts.words.data[0] == "a" * 40
    assert task["_hidden"].data == 1
    assert ("_hidden" in task.data, "words" in task.data, "no" in task.data) == (True, True, False)
    assert set(dir(task.data)) == names


def test_a_task_that_was_retried_shows_each_attempt() -> None:
    task, first = Task("StoryFlow/1/flaky/6"), Task("StoryFlow/1/flaky/6", attempt=0)
    assert (task.successful, task.finished, task.current_attempt) == (True, True, 1)
    assert (first.successful, first.finished, first.current_attempt) == (False, False, 0)
    assert (task.data.tries, first.data.tries) == (2, 1)
    assert DataArtifact("StoryFlow/1/flaky/6/tries", attempt=0).data == 1
    assert task.exception is None
    assert (task.stdout, first.stdout) == ("try 2\n", "try 1\n")
    assert "OSError: not yet" in first.stderr


def test_a_caught_task_is_finished_but_not_successful() -> None:
    task = Task("StoryFlow/1/risky/7")
    assert (task.successful, task.finished) == (False, True)
    assert task.exception is None
    problem = task.data.problem
    assert isinstance(problem, ExceptionWrapper)
    assert (problem.exception, problem.type) == ("too risky", "builtins.ValueError")
    assert "raise ValueError" in str(problem)
    assert task.data.before == "kept"


def test_a_failed_task_tells_its_exception() -> None:
    task = Task("StoryFlow/2/end/7")
    assert (task.successful, task.finished) == (False, False)
    assert task.finished_at is not None
    exception = task.exception
    assert exception is not None
    assert (exception.exception, exception.type) == ("still broken", "builtins.RuntimeError")


def test_logs_come_whole_and_line_by_line_with_their_times() -> None:
    task = Task("StoryFlow/1/start/1")
    assert task.stdout == "hello from start\n"
    assert task.stderr == "careful\n"
    assert (task.stdout_size, task.stderr_size) == (17, 8)
    ((at, line),) = task.loglines("stdout")
    assert line == "hello from start"
    assert abs(at.replace(tzinfo=timezone.utc) - task.created_at.astimezone()) < timedelta(hours=1)
    assert [text for _, text in task.loglines("stderr", as_unicode=False)] == [b"careful"]


def test_a_task_knows_its_relatives() -> None:
    each, join = Task("StoryFlow/1/each/3"), Task("StoryFlow/1/join/5")
    assert [task.pathspec for task in each.parent_tasks] == ["StoryFlow/1/start/1"]
    assert list(each.parent_task_pathspecs) == ["StoryFlow/1/start/1"]
    assert list(each.child_tasks) == [join]
    assert sorted(join.parent_task_pathspecs) == [f"StoryFlow/1/each/{id}" for id in (2, 3, 4)]
    assert list(join.child_task_pathspecs) == ["StoryFlow/1/flaky/6"]


def test_a_local_task_has_no_code_package_and_no_environment() -> None:
    task = Task("StoryFlow/1/start/1")
    assert (task.code, task.environment_info, task.runtime_name) == (None, None, "dev")


def test_an_artifact_tells_its_size_its_key_and_when_it_was_made() -> None:
    one, other = (DataArtifact(f"StoryFlow/1/each/{task}/same") for task in (2, 3))
    assert one.data == [1, 2, 3]
    assert one.sha == other.sha
    assert one.sha != DataArtifact("StoryFlow/1/each/2/length").sha
    assert one.size == len(pickle.dumps([1, 2, 3], protocol=5))
    assert one.finished_at == Task("StoryFlow/1/each/2").finished_at


# --- what is not there ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "near"),
    [
        (lambda: Flow("StorFlow"), "StoryFlow"),
        (lambda: Run("StoryFlow/9"), "4, 3, 2, 1"),
        (lambda: Step("StoryFlow/1/ech"), "each"),
        (lambda: Task("StoryFlow/1/each/9"), "4"),
        (lambda: Task("StoryFlow/1/start/2"), "each"),
        (lambda: DataArtifact("StoryFlow/1/start/1/wrds"), "words"),
        (lambda: Task("StoryFlow/1/start/1", attempt=3), "0"),
        (lambda: Task("StoryFlow/1/start/1", attempt=-1), "0"),
        (lambda: Run("StoryFlow/1", attempt=0), "Task"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(make: Any, near: str) -> None:
    with pytest.raises(NotFound, match=near):
        make()


@pytest.mark.parametrize("path", ["StoryFlow", "StoryFlow/1/start", "StoryFlow//", "", "/1"])
def test_a_path_of_another_form_is_told_with_the_form(path: str) -> None:
    with pytest.raises(InvalidPathspec, match="Flow/run"):
        Run(path)


def test_where_there_is_no_store_the_folders_looked_at_are_named(tmp_path: Path) -> None:
    done = in_other_process("from swell import Flow; Flow('StoryFlow')", tmp_path)
    last = done.stderr.strip().splitlines()[-1]
    assert "NotFound" in last
    assert f"neither {tmp_path} nor a folder above it" in last


def test_a_root_that_is_no_store_is_named(tmp_path: Path) -> None:
    with looked_at(tmp_path), pytest.raises(NotFound, match=r"SWELL_ROOT.*not a store"):
        Flow("StoryFlow")


# --- from elsewhere -----------------------------------------------------------------------------


def test_inside_a_task_the_client_sees_the_store_and_the_namespace_of_its_run(
    looking: Path,
) -> None:
    seen = Run("GangFlow/1")["join"].task.data.seen
    assert seen == {
        "run": "GangFlow/1",
        "task": "GangFlow/1/start/1",
        "running": True,
        "namespace": "user:tester",
        "metadata": f"sqlite@{looking}/.swell/metadata.db",
        "latest": "GangFlow/1",
        "types": {
            "start": "split-parallel",
            "train": "linear",
            "join": "join",
            "end": "end",
        },
    }


def test_tasks_find_their_run_and_their_gang_in_the_environment() -> None:
    one, other = Run("GangFlow/1")["join"].task.data.variables
    control = Step("GangFlow/1/train").control_task
    assert control is not None
    assert one == {
        "SWELL_RUN_ID": "1",
        "MF_PARALLEL_MAIN_IP": "127.0.0.1",
        "MF_PARALLEL_NUM_NODES": "2",
        "MF_PARALLEL_NODE_INDEX": "0",
        "MF_PARALLEL_CONTROL_TASK_ID": control.id,
    }
    assert other == {**one, "MF_PARALLEL_NODE_INDEX": "1"}


@pytest.mark.parametrize("isolation", ["fork", "fresh"])
def test_the_namespace_of_a_run_holds_in_its_tasks(tmp_path: Path, isolation: str) -> None:
    script = Path(shutil.copy(SCRIPTS / "gang.py", tmp_path))
    run(script, "run", "--namespace", "", "--isolation", isolation, store=tmp_path)
    with looked_at(tmp_path):
        seen = Run("GangFlow/1")["join"].task.data.seen
    assert seen["namespace"] is None
    assert (seen["run"], seen["task"]) == ("GangFlow/1", "GangFlow/1/start/1")


def test_a_folder_below_the_store_finds_it(looking: Path) -> None:
    below = looking / "notebooks" / "deep"
    below.mkdir(parents=True)
    code = "from swell import Flow; print(Flow('StoryFlow').latest_successful_run.data.y)"
    assert in_other_process(code, below, user="tester").stdout.strip() == "41"


def test_importing_the_client_after_the_builder_gives_the_client() -> None:
    code = "from swell import flow, Flow; print(flow.__module__, Flow.__module__, Flow.__name__)"
    assert in_other_process(code, Path.cwd()).stdout.split() == ["swell.builder", "swell", "Flow"]
