"""Words of looking commands: states, progress bars, names of new scripts, statuses."""

from __future__ import annotations

import pytest

from swell.cli.lines import last_state
from swell.cli.looking import ago_text, task_state
from swell.cli.new import STARTER, names_of
from swell.errors import UsageError
from swell.model.cause import Cause
from swell.model.facts import TaskCreated, TaskFact
from swell.model.ids import RunId

CREATED = TaskCreated(RunId("SumFlow", 1), "start", "1", 0.0)


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (b"plain", "plain"),
        (b"\r  0 %\r 50 %\r100 %", "100 %"),
        (b"\r 50 %\r100 %\r", "100 %"),
        (b"windows\r", "windows"),
        (b"", ""),
        (b"not utf-8 \xff", "not utf-8 \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_of_a_progress_bar_its_last_state_is_shown(printed: bytes, shown: str) -> None:
    assert last_state(printed) == shown


@pytest.mark.parametrize(
    ("fact", "run_is_over", "state"),
    [
        (TaskFact(CREATED), False, "waiting"),
        (TaskFact(CREATED), True, "not begun"),
        (TaskFact(CREATED, 0, 1.0), False, "running"),
        (TaskFact(CREATED, 0, 1.0), True, "cut short"),
        (TaskFact(CREATED, 0, 1.0, 2.0, True), True, "done"),
        (TaskFact(CREATED, 0, 1.0, 2.0, True, caught=True), True, "caught"),
        (TaskFact(CREATED, 0, 1.0, 2.0, False, cause=Cause.SIGNAL), True, "failed"),
        (TaskFact(CREATED, 0, 1.0, 2.0, False, cause=Cause.CANCELLED), True, "cancelled"),
    ],
)
def test_a_task_without_an_end_runs_only_while_its_run_does(
    fact: TaskFact, run_is_over: bool, state: str
) -> None:
    assert task_state(fact, run_is_over=run_is_over) == state


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "just now"), (300, "5 min ago"), (7300, "2 h ago"), (200_000, "2 days ago")],
)
def test_times_are_told_from_now(seconds: float, text: str) -> None:
    assert ago_text(seconds) == text


@pytest.mark.parametrize(
    ("name", "path", "flow"),
    [
        ("train", "train.py", "TrainFlow"),
        ("train.py", "train.py", "TrainFlow"),
        ("my-sum", "my-sum.py", "MySumFlow"),
        ("my_sum2", "my_sum2.py", "MySum2Flow"),
        ("SumFlow", "SumFlow.py", "SumFlow"),
        ("folder/train", "folder/train.py", "TrainFlow"),
    ],
)
def test_a_new_script_and_its_flow_are_named_alike(name: str, path: str, flow: str) -> None:
    assert names_of(name) == (path, flow)


@pytest.mark.parametrize("name", ["9", "-", "größe", ".py", "2nd"])
def test_a_name_no_flow_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="named after"):
        names_of(name)


def test_the_starter_script_is_python() -> None:
    compile(STARTER.format(flow="TrainFlow"), "train.py", "exec")
