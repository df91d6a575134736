"""Flows, runs, steps and tasks as a notebook reads them."""

from __future__ import annotations

from datetime import datetime

import pytest

from swell.client.namespaces import (
    default_metadata,
    default_namespace,
    get_metadata,
    get_namespace,
    metadata,
    namespace,
)
from swell.client.objects import DataArtifact, Flow, Metaflow, Run, Step, Swell, Task
from swell.errors import InvalidPathspec, NamespaceMismatch, NotFound
from swell.model.cause import Cause
from swell.model.record import Items, Outcome, Split, Transition
from tests.unit.client.filled_store import CAUGHT, FAILED, MemoryStores, Writer


def ids(objects: object) -> list[str]:
    return [each.id for each in objects]  # type: ignore[attr-defined]


# --- going down and up ---------------------------------------------------------


def test_iteration_is_newest_first_on_every_level(writer: Writer) -> None:
    writer.whole_run()
    writer.whole_run(flow="Older")
    writer.whole_run()

    assert ids(Swell()) == ["SumFlow", "Older"]
    assert ids(Flow("SumFlow")) == ["2", "1"]
    assert ids(Run("SumFlow/2")) == ["finale", "join", "each", "start"]
    assert ids(Step("SumFlow/2/each")) == ["4", "3", "2"]
    assert ids(Task("SumFlow/2/each/3")) == ["name", "square"]


def test_a_child_is_found_by_its_name_hidden_ones_too(writer: Writer) -> None:
    writer.whole_run()
    run = Swell()["SumFlow"]["1"]

    assert run["each"]["3"]["square"].data == 1
    assert run["_parameters"].task["n"].data == 3  # type: ignore[union-attr]
    assert run["start"]["1"]["_hidden"].data == 1
    assert "each" in run
    assert "nowhere" not in run
    with pytest.raises(KeyError):
        run["nowhere"]
    with pytest.raises(KeyError):
        Flow("SumFlow")["99"]


def test_objects_know_their_path_and_their_parent(writer: Writer) -> None:
    writer.whole_run()
    artifact = DataArtifact("SumFlow/1/each/3/square")

    assert artifact.pathspec == "SumFlow/1/each/3/square"
    assert artifact.path_components == ["SumFlow", "1", "each", "3", "square"]
    assert artifact.parent == Task("SumFlow/1/each/3")
    assert artifact.parent.parent == Step("SumFlow/1/each")
    assert artifact.parent.parent.parent == Run("SumFlow/1")
    assert artifact.parent.parent.parent.parent == Flow("SumFlow")
    assert Flow("SumFlow").parent is None
    assert isinstance(Run("SumFlow/1").id, str)
    assert repr(Task("SumFlow/1/each/3", attempt=0)) == "Task('SumFlow/1/each/3', attempt=0)"


def test_metaflow_is_swell() -> None:
    assert Metaflow is Swell


def test_times_are_naive_and_local(writer: Writer) -> None:
    run = writer.run()
    assert Run("SumFlow/1").created_at == datetime.fromtimestamp(writer.now)
    assert Flow("SumFlow").created_at == Run(str(run)).created_at


# --- outcome -------------------------------------------------------------------


def test_a_run_that_ended_well_gives_the_data_of_its_terminal_step(writer: Writer) -> None:
    writer.whole_run()
    run = Run("SumFlow/1")

    assert run.successful
    assert run.finished
    assert run.data is not None
    assert run.data.sum == 5
    assert run.end_task == Task("SumFlow/1/finale/6")
    assert run.finished_at == Task("SumFlow/1/finale/6").finished_at
    assert (run.code, run.trigger) == (None, None)


def test_a_run_still_at_work_is_not_finished_and_is_seen_to_finish(writer: Writer) -> None:
    run = writer.run()
    seen = Run("SumFlow/1")
    assert (seen.finished, seen.successful, seen.data, seen.finished_at) == (
        False,
        False,
        None,
        None,
    )

    last = writer.task(run, "finale", "1")
    assert not seen.finished
    writer.attempt(last, {"sum": 1})

    assert seen.finished
    assert seen.data is not None
    assert seen.data.sum == 1


def test_a_failed_task_is_neither_finished_nor_successful_and_says_why(writer: Writer) -> None:
    run = writer.run()
    writer.attempt(writer.task(run, "start", "1"), outcome=FAILED)
    task = Task("SumFlow/1/start/1")

    assert not task.finished
    assert not task.successful
    assert task.finished_at is not None
    assert task.cause == "user_error"
    assert task.exception is not None
    assert (task.exception.exception, task.exception.type) == ("no", "builtins.ValueError")
    assert str(task.exception) == "Traceback: at line 3"


def test_a_caught_task_is_finished_but_not_successful(writer: Writer) -> None:
    run = writer.run()
    writer.attempt(writer.task(run, "start", "1"), outcome=CAUGHT)
    task = Task("SumFlow/1/start/1")

    assert task.finished
    assert not task.successful
    assert task.exception is None


def test_a_task_shows_its_latest_attempt_unless_one_is_named(writer: Writer) -> None:
    run = writer.run()
    created = writer.task(run, "start", "1")
    writer.attempt(created, {"x": "first"}, 0, FAILED)
    writer.attempt(created, {"x": "second"}, 1)

    latest, first = Task("SumFlow/1/start/1"), Task("SumFlow/1/start/1", attempt=0)
    assert (latest.data.x, latest.successful, latest.current_attempt) == ("second", True, 1)
    assert (first.data.x, first.successful, first.current_attempt) == ("first", False, 0)
    assert first.exception is not None
    assert DataArtifact("SumFlow/1/start/1/x", attempt=0).data == "first"


def test_a_task_listed_while_it_runs_shows_what_it_leaves_later(writer: Writer) -> None:
    run = writer.run()
    created = [writer.task(run, "each", str(number)) for number in (1, 2, 3)]
    listed = list(Step("SumFlow/1/each"))
    assert [list(task) for task in listed] == [[], [], []]

    for each in created:
        writer.attempt(each, {"x": int(each.task)})

    assert [task.data.x for task in listed] == [3, 2, 1]
    assert all(task.successful for task in listed)


def test_the_latest_successful_run_passes_over_failed_ones(writer: Writer) -> None:
    writer.whole_run()
    for _ in range(25):
        writer.attempt(writer.task(writer.run(), "start", "1"), outcome=FAILED)
    flow = Flow("SumFlow")

    assert flow.latest_run == Run("SumFlow/26")
    assert flow.latest_successful_run == Run("SumFlow/1")


# --- artifacts -----------------------------------------------------------------


def test_artifacts_are_attributes_of_data(writer: Writer) -> None:
    writer.whole_run()
    data = Task("SumFlow/1/start/1").data

    assert data.xs == [0, 1, 2]
    assert "xs" in data
    assert "other" not in data
    assert dir(data) == ["name", "xs"]
    with pytest.raises(AttributeError, match=r"SumFlow/1/start/1 has no artifact 'other'"):
        _ = data.other


def test_artifacts_come_as_a_namedtuple_of_public_names(writer: Writer) -> None:
    writer.whole_run()
    artifacts = Task("SumFlow/1/each/4").artifacts
    assert artifacts._fields == ("name", "square")
    assert artifacts.square.data == 4


def test_an_artifact_tells_size_type_and_key_without_loading(writer: Writer) -> None:
    writer.whole_run()
    one, other = DataArtifact("SumFlow/1/join/5/sum"), DataArtifact("SumFlow/1/finale/6/sum")
    assert (one.type, one.preview) == ("int", "5")
    assert one.size > 0
    assert one.sha == other.sha
    assert one.sha != DataArtifact("SumFlow/1/join/5/name").sha
    assert one.finished_at == Task("SumFlow/1/join/5").finished_at


def test_a_thousand_tasks_and_an_artifact_of_each_take_a_handful_of_queries(
    writer: Writer, stores: MemoryStores
) -> None:
    writer.whole_run(width=1000)
    stores.metastore.questions.clear()

    squares = sum(task.data.square for task in Step("SumFlow/1/each"))
    backwards = [task["square"].data for task in reversed(list(Step("SumFlow/1/each")))]

    assert squares == sum(n * n for n in range(1000))
    assert backwards == [n * n for n in range(1000)]
    assert len(stores.metastore.questions) <= 2 * 8


def test_facts_of_all_tasks_take_a_handful_of_queries(writer: Writer, stores: MemoryStores) -> None:
    writer.whole_run(width=20)
    stores.metastore.questions.clear()
    paths = [task.metadata_dict["foreach-execution-path"] for task in Step("SumFlow/1/each")]
    assert paths == [f"start:{index}" for index in reversed(range(20))]
    assert len(stores.metastore.questions) <= 6


def test_hidden_artifacts_that_tools_read_are_told_from_the_facts(writer: Writer) -> None:
    run = writer.run()
    split = Transition(("each",), Split("xs", 7, Items(range=(0, 1))))
    writer.attempt(writer.task(run, "start", "1"), outcome=Outcome(True, transition=split))
    within = {"indices": (4,), "path_text": "start:4", "stack_text": ("x='d'",)}
    writer.attempt(writer.task(run, "each", "2", **within), outcome=FAILED)
    writer.attempt(writer.task(run, "each", "3", **within), outcome=CAUGHT)
    start, failed, caught = (Task(f"SumFlow/1/{name}") for name in ("start/1", "each/2", "each/3"))

    assert start["_transition"].data == (["each"], "xs")
    assert (start["_foreach_var"].data, start["_foreach_num_splits"].data) == ("xs", 7)
    assert (start["_success"].data, start["_task_ok"].data, start["_exception"].data) == (
        True,
        True,
        None,
    )
    assert (failed["_success"].data, failed["_task_ok"].data) == (False, False)
    assert failed["_exception"].data == failed.exception
    assert (caught["_success"].data, caught["_task_ok"].data) == (False, True)
    (frame,) = failed["_foreach_stack"].data
    assert (frame.step, frame.var, frame.num_splits) == ("start", "x", 7)
    assert (frame.index, frame.value) == (4, "'d'")
    assert DataArtifact("SumFlow/1/each/2/_current_step").data == "each"


def test_a_task_whose_process_died_tells_the_cause(writer: Writer) -> None:
    died = Outcome(False, Cause.OUT_OF_MEMORY, "Out of memory (peak 900 MB, limit 800 MB).")
    writer.attempt(writer.task(writer.run(), "start", "1"), outcome=died)
    exception = Task("SumFlow/1/start/1").exception
    assert exception is not None
    assert (exception.type, exception.exception) == ("out_of_memory", died.message)


# --- relatives -----------------------------------------------------------------


def test_tasks_know_where_their_data_came_from_and_went(writer: Writer) -> None:
    writer.whole_run()
    assert ids(Task("SumFlow/1/join/5").parent_tasks) == ["2", "3", "4"]
    assert ids(Task("SumFlow/1/start/1").child_tasks) == ["4", "3", "2"]
    assert list(Task("SumFlow/1/each/3").parent_task_pathspecs) == ["SumFlow/1/start/1"]
    assert list(Task("SumFlow/1/each/3").child_task_pathspecs) == ["SumFlow/1/join/5"]
    assert list(Task("SumFlow/1/start/1").parent_tasks) == []
    assert list(Task("SumFlow/1/finale/6").child_tasks) == []


def test_steps_know_their_neighbours(writer: Writer) -> None:
    writer.whole_run()
    assert ids(Step("SumFlow/1/each").parent_steps) == ["start"]
    assert ids(Step("SumFlow/1/each").child_steps) == ["join"]
    assert list(Step("SumFlow/1/start").parent_steps) == []


def test_a_task_knows_its_index_in_the_innermost_foreach(writer: Writer) -> None:
    writer.whole_run()
    assert [task.index for task in Step("SumFlow/1/each")] == [2, 1, 0]
    assert Task("SumFlow/1/join/5").index is None


def test_a_step_tells_its_control_task_and_when_it_finished(writer: Writer) -> None:
    run = writer.run()
    writer.attempt(writer.task(run, "train", "1", gang_size=2, gang_control=True))
    follower = writer.task(run, "train", "1_node_1", gang_size=2)
    step = Step("SumFlow/1/train")

    assert step.finished_at is None
    writer.attempt(follower)
    assert step.finished_at == Task("SumFlow/1/train/1_node_1").finished_at
    assert step.control_task == Task("SumFlow/1/train/1")
    assert ids(step.control_tasks()) == ["1"]
    assert Task("SumFlow/1/train/1").metadata_dict["internal_task_type"] == "control_task"
    assert Task("SumFlow/1/train/1_node_1").metadata_dict["parallel-world-size"] == 2


# --- errors --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        (Flow, "SumFlop", "Flows there are: SumFlow"),
        (Run, "SumFlow/9", "Its runs: 2, 1"),
        (Run, "SumFlow/latest", "Its runs: 2, 1"),
        (Step, "SumFlow/2/eech", "Its steps are: each"),
        (Task, "SumFlow/2/each/9", "Its tasks are: 4, 3, 2"),
        (Task, "SumFlow/2/each/1", "It is of step 'start'"),
        (DataArtifact, "SumFlow/2/each/2/squares", "Its artifacts are: square"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is_nearest(
    writer: Writer, kind: type, path: str, words: str
) -> None:
    writer.whole_run()
    writer.whole_run()
    with pytest.raises(NotFound, match=words):
        kind(path)


@pytest.mark.parametrize("attempt", [-1, 2, 14])
def test_an_attempt_that_is_not_there_is_not_found(writer: Writer, attempt: int) -> None:
    writer.attempt(writer.task(writer.run(), "start", "1"))
    with pytest.raises(NotFound, match=r"attempt"):
        Task("SumFlow/1/start/1", attempt=attempt)


def test_an_attempt_of_something_without_attempts_is_not_found(writer: Writer) -> None:
    writer.whole_run()
    with pytest.raises(NotFound, match="Only a Task"):
        Run("SumFlow/1", attempt=0)


@pytest.mark.parametrize(
    ("kind", "path"),
    [(Flow, "F/1"), (Run, "F"), (Step, "F/1"), (Task, "F/1/s"), (Task, "F//s/1"), (Run, 15)],
)
def test_a_path_of_another_form_is_refused_with_the_form(
    stores: MemoryStores, kind: type, path: object
) -> None:
    with pytest.raises(InvalidPathspec, match="Write it like 'MyFlow"):
        kind(path)


# --- namespaces ----------------------------------------------------------------


def test_only_runs_of_the_namespace_are_seen(writer: Writer) -> None:
    writer.whole_run()
    writer.whole_run(user="bob")
    assert ids(Flow("SumFlow")) == ["1"]
    assert namespace("user:bob") == "user:bob"
    assert ids(Flow("SumFlow")) == ["2"]
    assert namespace(None) is None
    assert ids(Flow("SumFlow")) == ["2", "1"]
    assert default_namespace() == get_namespace() == "user:ann"


def test_any_tag_is_a_namespace(writer: Writer) -> None:
    writer.whole_run()
    writer.whole_run("exp:1", user="bob")
    namespace("exp:1")
    assert Flow("SumFlow").latest_run == Run("SumFlow/2")


@pytest.mark.parametrize("path", ["SumFlow", "SumFlow/1", "SumFlow/1/each", "SumFlow/1/each/2"])
def test_what_is_in_another_namespace_says_so(writer: Writer, path: str) -> None:
    writer.whole_run(user="bob")
    kind = (Flow, Run, Step, Task)[path.count("/")]
    with pytest.raises(NamespaceMismatch, match=r"'user:ann'.*namespace\(None\)") as caught:
        kind(path)
    assert caught.value.namespace == "user:ann"


def test_a_child_in_another_namespace_says_so(writer: Writer) -> None:
    writer.whole_run()
    writer.whole_run(user="bob")
    writer.whole_run(user="bob", flow="BobsFlow")
    assert "2" in Flow("SumFlow")
    with pytest.raises(NamespaceMismatch):
        Flow("SumFlow")["2"]
    with pytest.raises(NamespaceMismatch):
        Swell()["BobsFlow"]
    assert ids(Swell().flows) == ["SumFlow"]


def test_objects_stay_in_the_namespace_they_were_made_in(writer: Writer) -> None:
    writer.whole_run()
    writer.whole_run(user="bob")
    flow = Flow("SumFlow")
    namespace(None)
    assert ids(flow) == ["1"]


# --- stores --------------------------------------------------------------------


def test_another_store_can_be_read_and_the_default_again(
    writer: Writer, stores: MemoryStores, tmp_path: object
) -> None:
    writer.whole_run()
    here = get_metadata()
    assert metadata(f"{tmp_path}/there") == f"{tmp_path}/there"
    with pytest.raises(NotFound, match="The store is empty"):
        Flow("SumFlow")
    assert default_metadata() == here
    assert Flow("SumFlow").latest_run is not None
