"""Resumed runs, named facts and tags as a notebook sees them."""

from __future__ import annotations

from datetime import datetime

import pytest

from swell.client.objects import DataArtifact, Flow, Run, Step, Task
from swell.errors import SwellError
from swell.model.ids import RunId
from tests.unit.client.filled_store import FAILED, MemoryStores, Writer


def ids(objects: object) -> list[str]:
    return [each.id for each in objects]  # type: ignore[attr-defined]


# --- resumed runs --------------------------------------------------------------


def resumed(writer: Writer, stores: MemoryStores) -> RunId:
    """Run 2 resumes run 1: start is taken over, finale is new."""
    origin = writer.run()
    created = writer.task(origin, "start", "1")
    writer.attempt(created, outcome=FAILED)
    writer.attempt(created, {"x": 1}, number=1)
    stores.logs[origin, "1", 1, "stdout"] = [(1_700_000_000.5, "größe".encode()), (2e9, b"two")]
    run = writer.run(origin_run=1)
    writer.attempt(writer.task(run, "start", "5", origin_task="start/1"), {"x": 1})
    writer.attempt(writer.task(run, "finale", "6"))
    return run


def test_what_resume_took_over_names_its_origin(writer: Writer, stores: MemoryStores) -> None:
    resumed(writer, stores)
    assert Run("SumFlow/2").origin_pathspec == "SumFlow/1"
    assert Step("SumFlow/2/start").origin_pathspec == "SumFlow/1/start"
    assert Task("SumFlow/2/start/5").origin_pathspec == "SumFlow/1/start/1"
    assert DataArtifact("SumFlow/2/start/5/x").origin_pathspec == "SumFlow/1/start/1/x"
    assert Task("SumFlow/2/finale/6").origin_pathspec is None
    assert Run("SumFlow/1").origin_pathspec is None
    assert Flow("SumFlow").origin_pathspec is None


def test_the_log_of_a_task_taken_over_is_its_origins(writer: Writer, stores: MemoryStores) -> None:
    resumed(writer, stores)
    task = Task("SumFlow/2/start/5")
    assert task.stdout == "größe\ntwo\n"
    assert task.stdout_size == len(task.stdout.encode())
    assert (task.stderr, task.stderr_size) == ("", 0)
    (when, line), _ = task.loglines("stdout", as_unicode=False)
    assert (when, line) == (datetime(2023, 11, 14, 22, 13, 20, 500000), "größe".encode())


# --- facts ---------------------------------------------------------------------


def test_the_named_facts_of_a_task_cover_all_attempts(writer: Writer) -> None:
    created = writer.task(writer.run(), "start", "1")
    writer.attempt(created, outcome=FAILED)
    writer.attempt(created, number=1)
    task = Task("SumFlow/1/start/1")

    found = [(datum.name, datum.value) for datum in task.metadata if datum.name == "attempt_ok"]
    assert found == [("attempt_ok", "False"), ("attempt_ok", "True")]
    first = task.metadata[0]
    assert (first.name, first.value, first.type, first.task) == ("attempt", "0", "attempt", task)
    assert first.created_at == 1_700_000_003_000
    assert task.metadata_dict == {
        "attempt": "1",
        "attempt_ok": "True",
        "attempt-done": "1",
        "origin-run-id": "None",
        "ds-type": "local",
        "ds-root": "/data/.swell",
        "user": "ann",
        "runtime": "dev",
        "python_version": "3.11.7",
        "script-name": "sum.py",
    }


def test_facts_of_foreach_clone_and_parameters(writer: Writer, stores: MemoryStores) -> None:
    writer.whole_run()
    facts = Task("SumFlow/1/each/3").metadata_dict
    assert facts["foreach-execution-path"] == "start:1"
    assert facts["foreach-stack"] == ["xs=1"]
    facts = Task("SumFlow/1/_parameters/0").metadata_dict
    assert (facts["start_step"], facts["end_step"]) == ("start", "finale")

    writer.now += 100
    origin = writer.run(origin_run=1)
    writer.attempt(writer.task(origin, "each", "9", origin_task="each/3"))
    facts = Task("SumFlow/2/each/9").metadata_dict
    assert (facts["origin-run-id"], facts["origin-task-id"]) == ("1", "3")
    assert facts["foreach-execution-path"] == "start:1"


# --- tags ----------------------------------------------------------------------


def test_tags_of_a_run_are_changed_and_seen_on_its_parts(writer: Writer) -> None:
    writer.whole_run("old")
    run = Run("SumFlow/1")
    run.add_tag("a")
    run.add_tags(["b", "c", "user:ann"])
    run.remove_tag("absent")
    run.replace_tag("old", "new")
    run.replace_tags(tags_to_remove=["a", "b"], tags_to_add=["d"])

    assert run.user_tags == {"c", "new", "d"}
    assert run.tags == run.user_tags | run.system_tags
    assert run["each"].task.user_tags == run.user_tags  # type: ignore[union-attr]
    assert isinstance(run.tags, frozenset)
    assert ids(Flow("SumFlow").runs("new", "d")) == ["1"]
    assert ids(run.steps("nobody")) == []
    assert ids(run["each"].tasks("new")) == ["4", "3", "2"]


def test_a_system_tag_cannot_be_removed(writer: Writer) -> None:
    writer.whole_run()
    with pytest.raises(SwellError, match="'user:ann' is a system tag"):
        Run("SumFlow/1").remove_tag("user:ann")
