"""The report on a run that did not end well, and the commands it names."""

from __future__ import annotations

import click
import pytest

from swell.cli.again import Again, command_again, option_words, program_words
from swell.cli.failure import Story, lines_before, report
from swell.cli.render import Paint
from swell.model.cause import Cause
from swell.model.ids import JobId
from swell.model.record import ErrorInfo, Outcome
from swell.scheduler.failures import tally_of
from swell.scheduler.loop import RunEnd
from swell.scheduler.observe import TaskFailed
from swell.scheduler.ready import StepCounts

AGAIN = Again(("python", "flow.py"))


def user_error(task: int, text: str = "no", line: int = 7, step: str = "work") -> TaskFailed:
    traceback = (
        "Traceback (most recent call last):\n"
        f'  File "flow.py", line {line}, in work\n'
        "    raise ValueError\n"
        f"ValueError: {text}\n"
    )
    error = ErrorInfo("ValueError", text, traceback)
    outcome = Outcome(False, Cause.USER_ERROR, f"ValueError: {text}", error)
    return TaskFailed(JobId(str(task), 0), step, 0.0, outcome)


def segfault(task: int) -> TaskFailed:
    outcome = Outcome(False, Cause.SIGNAL, "Ended by SIGSEGV (segmentation fault).")
    return TaskFailed(JobId(str(task), 1), "work", 0.0, outcome)


def reported(
    *failures: TaskFailed,
    counts: dict[str, StepCounts] | None = None,
    stories: dict[str, Story] | None = None,
    why: str = "",
    interrupted: bool = False,
    verdict: str = "",
    ok: bool = False,
) -> list[str]:
    end = RunEnd(
        ok,
        interrupted,
        why,
        failures,
        counts=counts or {},
        verdict=verdict,
        tally=tally_of(failures),
    )
    return report(15, end, stories or {}, AGAIN, Paint(False))


def test_one_failure_is_told_with_cause_place_traceback_last_lines_and_what_to_type() -> None:
    story = Story("items[3] = x", ["working", "careful"])
    assert reported(user_error(2), stories={"2": story}) == [
        "",
        "work/2 failed (items[3] = x): ValueError: no",
        "    Traceback (most recent call last):",
        '      File "flow.py", line 7, in work',
        "        raise ValueError",
        "    ValueError: no",
        "  Last lines it printed:",
        "    working",
        "    careful",
        "",
        "Log:     python flow.py logs 15/work/2",
        "Debug:   python flow.py debug 15/work/2",
        "Go on:   python flow.py resume --origin-run-id 15",
    ]


def test_failures_of_one_cause_are_told_once_and_the_most_frequent_cause_first() -> None:
    failures = [segfault(1), *(user_error(i, f"bad value {i}") for i in range(2, 139))]
    lines = reported(*failures, counts={"work": StepCounts(failed=138, done=62)})
    assert lines[1] == "138 of 200 tasks of 'work' failed: 2 causes."
    headings = [line for line in lines if " failed" in line][1:]
    assert headings == [
        "work/2 failed: ValueError: bad value 2",
        "work/1 failed (after 2 attempts): signal: Ended by SIGSEGV (segmentation fault).",
    ]
    assert "  In the same way: work/3, work/4, work/5, work/6, work/7, work/8 and 130 more" in lines
    assert "  To run it here: python flow.py debug 15/work/2" in lines


def test_a_foreach_that_ended_the_run_speaks_first() -> None:
    words = "3 of 100 items of 'work' failed, and max_failures=2% allows 2."
    lines = reported(user_error(2), user_error(3), user_error(4), verdict=words)
    assert lines[1:4] == [words, "", "3 tasks of 'work' failed: all for one cause."]


def test_failures_within_the_budget_of_a_run_that_is_done_can_be_tried_again() -> None:
    lines = reported(user_error(2), user_error(3), ok=True)
    assert lines[1] == "2 tasks of 'work' failed, within max_failures: all for one cause."
    assert lines[-1] == "Again:   python flow.py resume --origin-run-id 15"


def test_an_example_of_many_is_told_with_its_inputs() -> None:
    story = Story("items[3] = x", parameters="alpha = 0.5, n = 3")
    lines = reported(user_error(2), user_error(3), stories={"2": story})
    assert "work/2 failed (items[3] = x): ValueError: no" in lines
    assert "  Parameters: alpha = 0.5, n = 3" in lines


def test_of_many_causes_some_are_shown_and_the_others_counted() -> None:
    lines = reported(*(user_error(i, line=i) for i in range(1, 10)))
    assert lines[1] == "9 tasks of 'work' failed: 9 causes."
    assert "… and 5 more tasks, for 5 other causes." in lines


def test_a_failure_without_frames_is_told_in_one_line() -> None:
    error = ErrorInfo("swell.errors.TooManyItems", "200 items", "swell.errors.TooManyItems: 200\n")
    outcome = Outcome(False, Cause.USER_ERROR, "200 items", error)
    lines = reported(TaskFailed(JobId("1", 0), "start", 0.0, outcome))
    assert lines[1:3] == ["start/1 failed: 200 items", ""]


def test_a_cause_of_several_lines_is_told_whole() -> None:
    outcome = Outcome(False, Cause.ENVIRONMENT, "No package:\n  numpy 9 was not found")
    lines = reported(TaskFailed(JobId("1", 0), "start", 0.0, outcome))
    assert lines[1:3] == [
        "start/1 failed: environment: No package: …",
        "      numpy 9 was not found",
    ]


def test_a_very_long_traceback_is_shortened_in_its_middle() -> None:
    text = "Traceback\n" + "\n".join(f"  line {i}" for i in range(500))
    outcome = Outcome(False, Cause.USER_ERROR, "deep", ErrorInfo("E", "deep", text))
    lines = reported(TaskFailed(JobId("1", 0), "start", 0.0, outcome))
    assert len(lines) < 60
    assert "    Traceback" in lines
    assert "      line 499" in lines
    assert any("which are in the log" in line for line in lines)


def test_an_interrupted_run_says_what_was_kept_and_how_to_go_on() -> None:
    counts = {"start": StepCounts(done=1), "work": StepCounts(done=11, cancelled=3, waiting=6)}
    assert reported(counts=counts, why="interrupted (Ctrl-C)", interrupted=True) == [
        "",
        "Run 15: interrupted (Ctrl-C).",
        "12 finished tasks are kept. 3 running tasks were ended.",
        "",
        "Go on:   python flow.py resume --origin-run-id 15",
    ]


def test_the_last_lines_do_not_repeat_the_traceback() -> None:
    traceback = ["Traceback", "  File", "ValueError"]
    printed = ["a", "b", *traceback, "c"]
    assert lines_before(printed, traceback, 10) == ["a", "b", "c"]
    assert lines_before(printed, [], 2) == ["ValueError", "c"]
    assert lines_before(["a", "Traceback"], traceback, 10) == ["a", "Traceback"]


# --- the commands ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orig_argv", "argv", "words"),
    [
        (["python", "flow.py", "run"], ["flow.py", "run"], ("python", "flow.py")),
        (["python3", "-X", "dev", "a b.py"], ["a b.py"], ("python3", "-X", "dev", "a b.py")),
        (
            ["python", "-m", "pkg.flow", "run", "--n", "3"],
            ["/x/pkg/flow.py", "run", "--n", "3"],
            ("python", "-m", "pkg.flow"),
        ),
        ([], ["flow.py", "run"], ("python", "flow.py")),
    ],
)
def test_the_program_is_named_as_it_was_typed(
    orig_argv: list[str], argv: list[str], words: tuple[str, ...]
) -> None:
    assert program_words(orig_argv, argv) == words


def test_commands_are_quoted_for_the_shell() -> None:
    again = Again(("python", "my flow.py"), ("--with", "retry:times=2"), ("--max-workers", "4"))
    assert again.logs("15/start") == "python 'my flow.py' logs 15/start"
    assert again.resume(15) == (
        "python 'my flow.py' --with retry:times=2 resume --origin-run-id 15 --max-workers 4"
    )


def test_resume_keeps_the_options_that_were_typed_and_hold_for_it_too() -> None:
    found: list[Again] = []

    def called(**options: object) -> None:
        found.append(command_again(click.get_current_context(), ["workers", "with_", "json"]))

    run = click.Command(
        "run",
        params=[
            click.Option(["--workers"], type=int, default=16),
            click.Option(["--with", "with_"], multiple=True),
            click.Option(["--keep"], is_flag=True),
            click.Option(["--json"], is_flag=True),
            click.Option(["--alpha"]),
        ],
        callback=called,
    )
    top = [
        click.Option(["--quiet/--loud"]),
        click.Option(["--config", "config_files"], nargs=2, multiple=True),
    ]
    app = click.Group(params=top, commands={"run": run})
    typed = "--loud --config a b run --with x --with y --json --alpha 1"
    app.main(typed.split(), standalone_mode=False)
    assert found[0].before == ("--loud",)
    assert found[0].options == ("--with", "x", "--with", "y")


def test_an_option_of_two_values_is_typed_with_both() -> None:
    option = click.Option(["--pair"], nargs=2)
    assert option_words(option, ("a", 2)) == ["--pair", "a", "2"]
