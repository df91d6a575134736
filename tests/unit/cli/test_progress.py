"""A run as plain lines and as JSON lines."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from swell.cli.lines import LineSplitter
from swell.cli.progress import STATUS_EVERY_S, LineWriter, PlainObserver
from swell.cli.progress_json import ALWAYS, EVENTS, JsonObserver
from swell.cli.render import Paint, duration_text
from swell.model.cause import Cause
from swell.model.ids import JobId, RunId
from swell.model.record import ErrorInfo, Outcome
from swell.scheduler.observe import (
    ChildrenOpened,
    Notice,
    Output,
    Progress,
    RunBegan,
    RunFinished,
    TaskBegan,
    TaskEnded,
    TaskFailed,
    TaskRetries,
    TasksAdopted,
    TasksEnding,
    Told,
)
from swell.scheduler.ready import StepCounts

RUN = RunId("Sum", 15)
AT = 1_700_000_000.0
JOB = JobId("2", 0)
BAD = Outcome(
    False, Cause.USER_ERROR, "ValueError: no", ErrorInfo("ValueError", "no", "Traceback\nno")
)
BEGAN = RunBegan(RUN, AT, ("start", "work", "end"))
DONE = RunFinished(RUN, AT + 9, 9.0, True, False, "")


def told(*notices: Notice, is_quiet: bool = False) -> list[str]:
    """Texts of the lines without their times."""
    out = io.StringIO()
    observer = PlainObserver(Paint(False), out, is_quiet=is_quiet)
    for notice in (*notices, DONE):
        observer.notice(notice)
    lines = out.getvalue().splitlines()[:-1]
    return [line[24:] for line in lines]


def objects(*notices: Notice) -> list[dict[str, Any]]:
    out = io.StringIO()
    observer = JsonObserver(out)
    for notice in notices:
        observer.notice(notice)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def output(data: bytes, stream: str = "stdout", job: JobId = JOB, at: float = AT) -> Output:
    return Output(job, "work", at, stream, data, 77)


def test_every_line_begins_with_a_time_of_milliseconds() -> None:
    out = io.StringIO()
    PlainObserver(Paint(False), out).notice(BEGAN)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} Run 15 of Sum begins\.\n", out.getvalue()
    )


def test_times_never_go_back_from_line_to_line() -> None:
    out = io.StringIO()
    observer = PlainObserver(Paint(False), out)
    observer.notice(Told(AT + 2, "later"))
    observer.notice(Told(AT + 1, "earlier, but told after it"))
    first, second = (line[:23] for line in out.getvalue().splitlines())
    assert first == second


def test_a_task_is_told_from_start_to_end_with_its_own_lines() -> None:
    lines = told(
        BEGAN, TaskBegan(JOB, "work", AT, 77), output(b"a\nb\n"), TaskEnded(JOB, "work", AT, 0.25)
    )
    assert lines == [
        "Run 15 of Sum begins.",
        "[15/work/2 (pid 77)] Task starts.",
        "[15/work/2 (pid 77)] a",
        "[15/work/2 (pid 77)] b",
        "[15/work/2 (pid 77)] Task is done, in 0.2 s.",
    ]


def test_output_that_is_faster_than_the_word_that_its_task_began_is_told_after_it() -> None:
    lines = told(BEGAN, output(b"quick\n"), TaskBegan(JOB, "work", AT, 77))
    assert lines[1:] == ["[15/work/2 (pid 77)] Task starts.", "[15/work/2 (pid 77)] quick"]


def test_a_last_line_without_its_end_is_told_when_the_task_ends() -> None:
    lines = told(
        BEGAN, TaskBegan(JOB, "work", AT, 77), output(b"no end"), TaskEnded(JOB, "work", AT, 1.0)
    )
    assert lines[2:] == [
        "[15/work/2 (pid 77)] no end",
        "[15/work/2 (pid 77)] Task is done, in 1.0 s.",
    ]


def test_retries_say_why_and_when_and_the_next_start_says_its_number() -> None:
    again = JobId("2", 1)
    lines = told(
        BEGAN,
        TaskRetries(JOB, "work", AT, 1, AT + 120, BAD),
        TaskBegan(again, "work", AT, 78),
        TaskBegan(JobId("2", 2), "work", AT, 79, is_fallback=True),
    )
    assert lines[1:] == [
        "[15/work/2] Attempt 1 failed: ValueError: no. The next one starts in 2 min.",
        "[15/work/2 (pid 78)] Task starts again (attempt 2).",
        "[15/work/2 (pid 79)] Task starts once more, to record its failure for @catch.",
    ]


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (TaskFailed(JOB, "work", AT, BAD), "Task failed: ValueError: no."),
        (
            TaskFailed(JOB, "work", AT, Outcome(False, Cause.TIMEOUT, "It ran too long.")),
            "Task failed: timeout: It ran too long.",
        ),
        (TaskFailed(JOB, "work", AT, Outcome(False, Cause.HOST_LOST)), "Task failed: host lost."),
        (
            TaskFailed(
                JOB, "work", AT, Outcome(False, Cause.CANCELLED, "It was ended on request.")
            ),
            "Task was ended: cancelled: It was ended on request.",
        ),
        (
            TaskFailed(
                JOB, "work", AT, Outcome(False, Cause.USER_ERROR, "no", retryable=False), attempts=3
            ),
            "Task failed: no. It is not retried: its failure says that trying again cannot help.",
        ),
    ],
)
def test_a_failure_says_its_cause_in_words(failure: TaskFailed, text: str) -> None:
    assert told(BEGAN, failure)[1:] == [f"[15/work/2] {text}"]


def test_resume_tells_what_it_gathers_and_each_task_it_takes_over() -> None:
    lines = told(
        RunBegan(RUN, AT, ("start",), origin=14),
        TasksAdopted("start", AT, (("1", "1"), ("2", "5"))),
    )
    assert lines == [
        "Run 15 of Sum resumes run 14.",
        "Gathering what run 14 has done, to take it over.",
        "[15/start/1] Taken over from the origin's task 1.",
        "[15/start/2] Taken over from the origin's task 5.",
    ]


def test_children_of_a_foreach_are_counted() -> None:
    assert told(ChildrenOpened("1", "work", AT, 1_200)) == ["Step 'work' opens 1,200 tasks."]


def test_that_running_tasks_are_being_ended_is_told_with_the_reason() -> None:
    lines = told(TasksEnding(AT, 3, "Task work/2 failed."))
    assert lines == ["3 running tasks are being ended: Task work/2 failed."]


def test_every_five_minutes_is_told_what_runs_waits_and_has_not_begun() -> None:
    counts = {"start": StepCounts(done=1), "work": StepCounts(running=2, waiting=7)}
    lines = told(
        BEGAN,
        Progress(AT, counts),
        Progress(AT + STATUS_EVERY_S - 1, counts),
        Progress(AT + STATUS_EVERY_S, counts),
        Progress(AT + STATUS_EVERY_S + 1, counts),
    )
    assert lines[1:] == ["work: 2 running, 7 waiting; not begun: end."]


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (DONE, "Run 15 is done, in 9.0 s."),
        (RunFinished(RUN, AT, 70.0, False, False, "x"), "Run 15 failed, after 1 min 10 s."),
        (
            RunFinished(RUN, AT, 9.0, False, True, "interrupted (Ctrl-C)"),
            "Run 15 was ended after 9.0 s: interrupted (Ctrl-C).",
        ),
    ],
)
def test_the_last_line_says_how_the_run_ended(end: RunFinished, text: str) -> None:
    out = io.StringIO()
    PlainObserver(Paint(False), out).notice(end)
    assert out.getvalue()[24:] == f"{text}\n"


def test_quiet_leaves_out_hints_and_keeps_warnings_and_progress() -> None:
    lines = told(BEGAN, Told(AT, "a hint"), Told(AT, "a warning", is_warning=True), is_quiet=True)
    assert lines == ["Run 15 of Sum begins.", "a warning"]


def test_of_a_progress_bar_only_its_last_state_is_a_line() -> None:
    splitter = LineSplitter()
    assert splitter.lines(JOB, "stderr", b" 10%\r 50%\r") == []
    assert splitter.lines(JOB, "stderr", b"100%\r\nnext\n") == ["100%", "next"]


def test_a_line_that_comes_in_pieces_is_put_together_for_each_stream() -> None:
    splitter = LineSplitter()
    assert splitter.lines(JOB, "stdout", "gr\u00fc".encode()[:3]) == []
    assert splitter.lines(JOB, "stderr", b"other\n") == ["other"]
    assert splitter.lines(JOB, "stdout", "gr\u00fc".encode()[3:] + b"n\n") == ["gr\u00fcn"]


def test_lines_that_come_fast_are_written_together_and_none_is_kept_for_long() -> None:
    now = 100.0
    out = io.StringIO()
    writer = LineWriter(out, lambda: now)
    writer.write(["a"])
    writer.write(["b"])
    assert out.getvalue() == "a\n"
    now += 0.2
    writer.write([])
    assert out.getvalue() == "a\nb\n"


class _Closed(io.StringIO):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError


def test_a_reader_that_went_away_does_not_stop_the_run() -> None:
    observer = PlainObserver(Paint(False), _Closed())
    observer.notice(BEGAN)
    observer.notice(DONE)


def test_what_the_terminal_cannot_encode_is_replaced() -> None:
    raw = io.BytesIO()
    observer = PlainObserver(Paint(False), io.TextIOWrapper(raw, encoding="ascii"))
    observer.notice(Told(AT, "gr\u00fcn"))
    assert raw.getvalue().endswith(b" gr?n\n")


# --- JSON --------------------------------------------------------------------------


ONE_OF_EACH: list[Notice] = [
    BEGAN,
    Told(AT, "hint"),
    TaskBegan(JOB, "work", AT, 77),
    output(b"line\n"),
    TaskRetries(JOB, "work", AT, 1, AT + 1, BAD),
    TaskEnded(JobId("2", 1), "work", AT, 0.5),
    TaskFailed(JobId("3", 0), "work", AT, BAD),
    TasksEnding(AT, 1, "why"),
    ChildrenOpened("1", "work", AT, 3),
    TasksAdopted("start", AT, (("1", "4"),)),
    Progress(AT, {"work": StepCounts(running=1)}),
    DONE,
]


def test_every_json_object_has_the_documented_fields_and_no_other() -> None:
    seen = {}
    for told_object in objects(*ONE_OF_EACH):
        name = told_object["event"]
        seen[name] = set(told_object)
        assert seen[name] == {*ALWAYS, *EVENTS[name]}, name
    assert set(seen) == set(EVENTS)


def test_json_ends_with_run_finished_and_the_last_counts() -> None:
    last = objects(BEGAN, Progress(AT, {"work": StepCounts(done=1)}), DONE)[-2:]
    assert [one["event"] for one in last] == ["progress", "run_finished"]
    assert last[0]["counts"]["work"]["done"] == 1
    assert last[1]["ok"] is True
    assert last[1]["run"] == 15


def test_json_gives_output_line_by_line_after_the_beginning_of_its_task() -> None:
    told_objects = objects(
        BEGAN,
        output(b"a\nb"),
        TaskBegan(JOB, "work", AT, 77),
        TaskEnded(JOB, "work", AT, 0.1),
        DONE,
    )
    assert [one.get("text", one["event"]) for one in told_objects] == [
        *("run_began", "task_began", "a", "b", "task_ended", "progress", "run_finished")
    ]


def test_json_failures_hold_the_exception() -> None:
    (failed,) = [
        one
        for one in objects(BEGAN, TaskFailed(JOB, "work", AT, BAD), DONE)
        if one["event"] == "task_failed"
    ]
    assert (failed["cause"], failed["message"]) == ("user_error", "ValueError: no")
    assert failed["error"] == {"type": "ValueError", "text": "no", "traceback": "Traceback\nno"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.012, "12 ms"),
        (0.3, "0.3 s"),
        (9.97, "10 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
