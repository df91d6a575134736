"""Namespaces, tags, facts and cards of runs that really ran, as the client shows them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import swell
from swell import Flow, Run, Task
from swell.cards import get_cards
from swell.errors import InvalidPathspec, MetadataError, NamespaceMismatch, TaggingError
from tests.e2e.story_store import in_other_process

pytestmark = pytest.mark.usefixtures("looking")


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
def test_a_notebook_chooses_the_store_it_reads(form: str, looking: Path, tmp_path: Path) -> None:
    code = f"""
from swell import Flow, metadata, get_metadata, default_metadata, namespace
assert metadata({form.format(looking)!r}) == get_metadata()
namespace(None)
print(get_metadata())
print(len(list(Flow("StoryFlow"))))
"""
    done = in_other_process(code, tmp_path)
    assert done.stdout.split() == [f"sqlite@{looking}/.swell/metadata.db", "4"], done.stderr


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


def test_every_attempt_leaves_its_facts(looking: Path) -> None:
    task = Task("StoryFlow/1/flaky/6")
    facts = task.metadata_dict
    version = sys.version_info
    expected = {
        "attempt": "1",
        "attempt_ok": "True",
        "attempt-done": "1",
        "origin-run-id": "None",
        "ds-type": "local",
        "ds-root": str(looking / ".swell" / "blobs"),
        "user": "tester",
        "runtime": "dev",
        "python_version": f"{version.major}.{version.minor}.{version.micro}",
        "script-name": "story.py",
        "swell_version": swell.__version__,
    }
    assert {name: facts[name] for name in expected} == expected
    assert {fact.name for fact in task.metadata if fact.type == "usage"} >= {
        *("peak-memory-mb", "memory-measured-by", "cpu-s", "read-mb", "written-mb", "added-mb")
    }
    assert task.usage is not None
    assert task.usage.peak_memory_mb is not None
    assert facts["peak-memory-mb"] == f"{task.usage.peak_memory_mb:g}"
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
