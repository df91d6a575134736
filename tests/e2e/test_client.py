"""The client over runs that really ran: objects, namespaces, tags, facts, cards, from anywhere."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import swell
from swell import DataArtifact, Flow, Metaflow, Run, Step, Task
from swell.cards import get_cards
from swell.errors import (
    ExceptionWrapper,
    InvalidPathspec,
    MetadataError,
    NamespaceMismatch,
    NotFound,
    TaggingError,
)
from tests.e2e.story_store import looked_at, make_story_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_story_store(tmp_path_factory.mktemp("story"))


@pytest.fixture(autouse=True)
def looking(folder: Path) -> Iterator[None]:
    with looked_at(folder):
        yield


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


def test_objects_pickle_with_their_namespace_and_store(folder: Path, tmp_path: Path) -> None:
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


# --- namespaces -------------------------------------------------------------------------


def test_only_the_own_runs_are_seen_unless_another_namespace_is_chosen() -> None:
    assert swell.get_namespace() == "user:tester"
    assert [run.id for run in Flow("StoryFlow")] == ["3", "2", "1"]
    with pytest.raises(NamespaceMismatch, match=r"user:tester.*namespace\(None\)"):
        Run("StoryFlow/4")
    with pytest.raises(NamespaceMismatch):
        Flow("StoryFlow")["4"]

    assert swell.namespace("user:somebody") == "user:somebody"
    assert Flow("StoryFlow").latest_run == Run("StoryFlow/4")
    with pytest.raises(NamespaceMismatch):
        Flow("GangFlow")

    assert swell.namespace(None) is None
    assert [run.id for run in Flow("StoryFlow")] == ["4", "3", "2", "1"]
    assert swell.default_namespace() == "user:tester"


def test_any_tag_is_a_namespace() -> None:
    swell.namespace("blue")
    assert [run.id for run in Flow("StoryFlow")] == ["1"]
    assert Run("StoryFlow/1").is_in_namespace()


def test_an_object_keeps_the_namespace_it_was_found_in() -> None:
    flow = Flow("StoryFlow")
    swell.namespace(None)
    assert [run.id for run in flow] == ["3", "2", "1"]


def test_the_production_token_makes_the_default_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWELL_PRODUCTION_TOKEN", "t1")
    assert swell.default_namespace() == "production:t1"


def test_a_user_named_root_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWELL_USER", "root")
    monkeypatch.setenv("SUDO_USER", "eve")
    assert swell.default_namespace() == "user:eve"


@pytest.mark.parametrize("form", ["{}/.swell", "{}", "sqlite@{}/.swell/metadata.db", "local@{}"])
def test_a_notebook_chooses_the_store_it_reads(form: str, folder: Path, tmp_path: Path) -> None:
    code = f"""
from swell import Flow, metadata, get_metadata, default_metadata, namespace
assert metadata({form.format(folder)!r}) == get_metadata()
namespace(None)
print(get_metadata())
print(len(list(Flow("StoryFlow"))))
"""
    done = in_other_process(code, tmp_path)
    assert done.stdout.split() == [f"sqlite@{folder}/.swell/metadata.db", "4"], done.stderr


def test_a_store_that_is_not_there_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    before = swell.get_metadata()
    with pytest.raises(MetadataError, match=str(tmp_path)):
        swell.metadata(str(tmp_path))
    assert swell.get_metadata() == before
    assert swell.default_metadata() == before


# --- tags ----------------------------------------------------------------------------------


def test_system_tags_say_who_ran_it_with_what() -> None:
    run = Run("StoryFlow/1")
    version = sys.version_info
    assert run.system_tags == {
        "user:tester",
        "runtime:dev",
        f"swell_version:{swell.__version__}",
        f"python_version:{version.major}.{version.minor}.{version.micro}",
    }
    assert run.user_tags == {"red", "blue"}
    assert run.tags == run.system_tags | run.user_tags
    assert Task("StoryFlow/1/start/1").tags == run.tags
    kinds = {type(tags) for tags in (run.tags, run.user_tags, run.system_tags)}
    assert kinds == {frozenset}


def test_user_tags_are_added_removed_and_replaced() -> None:
    run = Run("StoryFlow/3")
    run.add_tag("one")
    run.add_tags(["two", "three"])
    assert run.user_tags == {"one", "two", "three"}
    run.remove_tag("absent")
    run.remove_tags(["two", "three"])
    run.replace_tag("one", "four")
    run.replace_tags(["four"], ["five", "six"])
    assert Run("StoryFlow/3").user_tags == {"five", "six"}
    assert Run("StoryFlow/3")["start"].task.user_tags == {"five", "six"}
    run.remove_tags(["five", "six"])
    assert Run("StoryFlow/3").user_tags == frozenset()


def test_system_tags_can_be_added_in_vain_and_not_removed() -> None:
    run = Run("StoryFlow/3")
    run.add_tag("user:tester")
    assert run.user_tags == frozenset()
    with pytest.raises(TaggingError, match="user:tester"):
        run.remove_tag("user:tester")


@pytest.mark.parametrize("tags", [[""], ["x" * 501], [3], [f"t{n}" for n in range(51)]])
def test_a_tag_that_breaks_a_rule_changes_nothing(tags: list[Any]) -> None:
    run = Run("StoryFlow/3")
    with pytest.raises(TaggingError):
        run.add_tags([*tags, "good"])
    assert Run("StoryFlow/3").user_tags == frozenset()


# --- facts that tools read ------------------------------------------------------------------


def test_every_attempt_leaves_its_facts(folder: Path) -> None:
    task = Task("StoryFlow/1/flaky/6")
    facts = task.metadata_dict
    version = sys.version_info
    expected = {
        "attempt": "1",
        "attempt_ok": "True",
        "attempt-done": "1",
        "origin-run-id": "None",
        "ds-type": "local",
        "ds-root": str(folder / ".swell" / "blobs"),
        "user": "tester",
        "runtime": "dev",
        "python_version": f"{version.major}.{version.minor}.{version.micro}",
        "script-name": "story.py",
        "swell_version": swell.__version__,
    }
    assert {name: facts[name] for name in expected} == expected
    outcomes = [fact for fact in task.metadata if fact.name == "attempt_ok"]
    assert [fact.value for fact in outcomes] == ["False", "True"]
    assert {fact.type for fact in outcomes} == {"internal_attempt_status"}
    assert [fact.value for fact in task.metadata if fact.name == "attempt"] == ["0", "1"]
    first = task.metadata[0]
    assert first._fields == ("name", "value", "created_at", "type", "task")
    assert first.task == task
    assert abs(first.created_at / 1000 - task.created_at.timestamp()) < 3600


def test_the_git_commit_is_a_fact_and_its_address_holds_no_secret() -> None:
    for path in ("StoryFlow/1/flaky/6", "StoryFlow/1/_parameters/0"):
        assert json.loads(str(Task(path).metadata_dict["git-info"])) == {
            "branch_name": "main",
            "commit_sha": "c0ffee" * 6 + "c0ff",
            "repo_url": "https://example.org/ann/story.git",
        }


def test_a_task_in_a_foreach_tells_where_and_for_what() -> None:
    first, second = Task("StoryFlow/1/each/2"), Task("StoryFlow/1/each/3")
    assert first.metadata_dict["foreach-execution-path"] == "start:0"
    assert first.metadata_dict["foreach-stack"] == ["words=" + "a" * 30]
    assert second.metadata_dict["foreach-stack"] == ["words=b"]
    (frame,) = second["_foreach_stack"].data
    assert tuple(frame) == ("start", "words", 3, 1, "b")
    assert "foreach-stack" not in Task("StoryFlow/1/start/1").metadata_dict


def test_a_clone_tells_its_origin_and_the_rest_of_it() -> None:
    facts = Task("StoryFlow/3/each/2").metadata_dict
    assert (facts["origin-run-id"], facts["origin-task-id"]) == ("2", "2")
    assert facts["foreach-stack"] == ["words=" + "a" * 30]
    assert Task("StoryFlow/3/each/2")["_foreach_stack"].data[0].value == "a" * 30


def test_the_parameters_tell_where_the_graph_begins_and_ends() -> None:
    facts = {
        fact.name: (fact.type, fact.value) for fact in Task("StoryFlow/1/_parameters/0").metadata
    }
    assert facts["start_step"] == ("graph_structure", "start")
    assert facts["end_step"] == ("graph_structure", "end")


# --- cards ------------------------------------------------------------------------------------


def test_cards_of_a_task_are_got_by_object_and_by_path() -> None:
    (card,) = get_cards(Task("StoryFlow/1/each/2"))
    assert card.type == "default"
    assert "<html" in card.get()
    assert get_cards("StoryFlow/1/each/2", type="default")[0].hash == card.hash
    assert len(get_cards("StoryFlow/1/each/2", type="other")) == 0
    assert len(get_cards("StoryFlow/1/join/5")) == 0


def test_cards_of_a_clone_are_those_of_its_origin() -> None:
    (card,) = get_cards("StoryFlow/3/each/2")
    assert card.hash == get_cards("StoryFlow/2/each/2")[0].hash
    assert card.origin_pathspec == "StoryFlow/2/each/2"
    assert len(get_cards("StoryFlow/3/each/2", follow_resumed=False)) == 0


def test_cards_of_what_is_no_task_are_refused() -> None:
    with pytest.raises(InvalidPathspec, match="int"):
        get_cards(3)


# --- from elsewhere -----------------------------------------------------------------------------


def test_inside_a_task_the_client_sees_the_store_and_the_namespace_of_its_run(
    folder: Path,
) -> None:
    seen = Run("GangFlow/1")["join"].task.data.seen
    assert seen == {
        "run": "GangFlow/1",
        "task": "GangFlow/1/start/1",
        "running": True,
        "namespace": "user:tester",
        "metadata": f"sqlite@{folder}/.swell/metadata.db",
        "latest": "GangFlow/1",
    }


def test_a_folder_below_the_store_finds_it(folder: Path) -> None:
    below = folder / "notebooks" / "deep"
    below.mkdir(parents=True)
    code = "from swell import Flow; print(Flow('StoryFlow').latest_successful_run.data.y)"
    assert in_other_process(code, below, user="tester").stdout.strip() == "41"


def test_importing_the_client_after_the_builder_gives_the_client() -> None:
    code = "from swell import flow, Flow; print(flow.__module__, Flow.__module__, Flow.__name__)"
    assert in_other_process(code, Path.cwd()).stdout.split() == ["swell.builder", "swell", "Flow"]


def in_other_process(
    code: str, cwd: Path, *, user: str = "tester"
) -> subprocess.CompletedProcess[str]:
    import os

    environ = {key: value for key, value in os.environ.items() if not key.startswith("SWELL_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**environ, "SWELL_USER": user},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
