"""Paths as people type them, and what is said of those that lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from swell.cli.paths import TypedPath, find_path, in_order, path_text, typed_path
from swell.errors import InvalidPathspec, NotFound
from swell.model.facts import TaskCreated, TaskFact
from swell.model.ids import RunId
from tests.unit.client.filled_store import MemoryStores, Writer


@pytest.fixture
def stores(tmp_path: Path) -> MemoryStores:
    return MemoryStores(tmp_path)


@pytest.fixture
def writer(stores: MemoryStores) -> Writer:
    return Writer(stores.metastore)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "flow", "path"),
    [
        ("15", "SumFlow", TypedPath("SumFlow", "15")),
        ("15/end", "SumFlow", TypedPath("SumFlow", "15", "end")),
        ("15/end/3", "SumFlow", TypedPath("SumFlow", "15", "end", "3")),
        ("15/end/", "SumFlow", TypedPath("SumFlow", "15", "end")),
        ("SumFlow/15/end", "SumFlow", TypedPath("SumFlow", "15", "end")),
        ("SumFlow", "SumFlow", TypedPath("SumFlow", None)),
        ("15/end", None, TypedPath(None, "15", "end")),
        ("SumFlow/15/end/3", None, TypedPath("SumFlow", "15", "end", "3")),
        ("SumFlow", None, TypedPath("SumFlow", None)),
    ],
)
def test_a_path_may_name_its_flow_or_leave_it_out(
    text: str, flow: str | None, path: TypedPath
) -> None:
    assert typed_path(text, flow) == path


@pytest.mark.parametrize("text", ["1/a/2/x", "1//2", "", "/", "SumFlow/1/a/2/x"])
@pytest.mark.parametrize("flow", ["SumFlow", None])
def test_a_path_of_another_form_is_refused_with_the_form(text: str, flow: str | None) -> None:
    with pytest.raises(InvalidPathspec) as caught:
        typed_path(text, flow)

    assert "run/step/task" in caught.value.message


def test_a_run_means_its_tasks_in_order_without_the_parameters(
    stores: MemoryStores, writer: Writer
) -> None:
    run = writer.whole_run(width=9)

    found = find_path(stores, "1", "SumFlow")

    assert found.run.id == run
    assert [fact.created.task for fact in found.tasks] == [str(n) for n in range(1, 13)]


def test_without_a_path_the_latest_run_is_meant(stores: MemoryStores, writer: Writer) -> None:
    writer.whole_run()
    writer.whole_run()

    assert find_path(stores, None, "SumFlow").run.id.number == 2
    assert find_path(stores, None, None).run.id.number == 2


def test_a_bare_number_is_enough_where_one_flow_has_it(
    stores: MemoryStores, writer: Writer
) -> None:
    writer.whole_run()
    writer.whole_run()
    writer.run(flow="OtherFlow")

    assert find_path(stores, "2/join", None).run.id == RunId("SumFlow", 2)
    with pytest.raises(NotFound, match="Several flows") as caught:
        find_path(stores, "1", None)
    assert caught.value.remedy == "Say which: OtherFlow/1, SumFlow/1."
    with pytest.raises(NotFound, match="No flow has a run 7") as caught:
        find_path(stores, "7", None)
    assert "SumFlow/2" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "cause", "remedy"),
    [
        ("9", "no run '9'", "1"),
        ("1/jion", "no step 'jion'", "join"),
        ("1/each/77", "no task '77'", "4, 3, 2"),
        ("1/5", "a task of that number", "1/join/5"),
        ("join", "not the number of a run", "'1/join'"),
        ("nonsense", "not the number of a run", "latest is 1"),
    ],
)
def test_what_does_not_exist_is_told_with_what_is_near(
    stores: MemoryStores, writer: Writer, text: str, cause: str, remedy: str
) -> None:
    writer.whole_run()

    with pytest.raises(NotFound) as caught:
        find_path(stores, text, "SumFlow")

    assert cause in caught.value.message
    assert remedy in caught.value.remedy


def test_a_step_that_has_not_begun_is_told_from_one_that_there_is_not(
    stores: MemoryStores, writer: Writer
) -> None:
    run = writer.run()
    writer.task(run, "start", "1")

    with pytest.raises(NotFound, match="'finale' of run SumFlow/1 has not begun") as caught:
        find_path(stores, "1/finale", "SumFlow")

    assert caught.value.remedy == "Steps that have: start."


def test_an_unknown_flow_is_told_with_the_flows_there_are(
    stores: MemoryStores, writer: Writer
) -> None:
    writer.whole_run()

    with pytest.raises(NotFound, match="SimFlow") as caught:
        find_path(stores, "SimFlow/1", None)

    assert "SumFlow" in caught.value.remedy


def test_tasks_of_a_gang_stand_behind_their_control_task() -> None:
    run = RunId("SumFlow", 1)
    ids = ["10", "2_node_10", "2", "2_node_2", "2_node_1"]
    tasks = [TaskFact(TaskCreated(run, "work", task, 0.0)) for task in ids]

    ordered = [fact.created.task for fact in in_order(tasks)]

    assert ordered == ["2", "2_node_1", "2_node_2", "2_node_10", "10"]


def test_a_path_is_shown_as_it_would_be_typed_there() -> None:
    run = RunId("SumFlow", 15)

    assert path_text(run, "end", "3", flow="SumFlow") == "15/end/3"
    assert path_text(run, "end", flow=None) == "SumFlow/15/end"
