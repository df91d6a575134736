"""The live view: its layout on values, what scrolls by, and what a terminal is sent."""

from __future__ import annotations

import io
import re

import pytest

from swell.cli.live import LiveObserver, glyphs_for
from swell.cli.live_layout import (
    ASCII_GLYPHS,
    Cell,
    Glyphs,
    Tail,
    cell_width,
    choose_steps,
    coloured_text,
    cut,
    frame,
    painted,
    plain_text,
)
from swell.cli.live_output import (
    BURST_LINES,
    LINES_PER_S,
    HeldTracebacks,
    OutputGate,
    OutputGates,
    Shown,
)
from swell.cli.live_screen import Screen, drawing, rows_of
from swell.cli.live_state import RunView
from swell.cli.render import Paint
from swell.model.cause import Cause
from swell.model.ids import JobId, RunId
from swell.model.record import ErrorInfo, Outcome
from swell.scheduler.observe import (
    Notice,
    Output,
    Progress,
    RunBegan,
    RunFinished,
    TaskBegan,
    TaskEnded,
    TaskFailed,
    TasksEnding,
    Told,
)
from swell.scheduler.ready import StepCounts

RUN = RunId("Sum", 15)
AT = 1_700_000_000.0
JOB = JobId("2", 0)
NO_PAINT = Paint(False)
SIGNS = Glyphs()


def view_of(
    counts: dict[str, StepCounts], *notices: Notice, steps: tuple[str, ...] = ()
) -> RunView:
    view = RunView()
    began = RunBegan(RUN, AT, steps or tuple(counts))
    for notice in (began, Progress(AT, counts), *notices):
        view.take(notice)
    return view


def shown(
    view: RunView, size: tuple[int, int] = (80, 24), tail: Tail | None = None, after_s: float = 4.0
) -> list[str]:
    lines = frame(view, AT + after_s, size, SIGNS, tail)
    return [painted(line, size[0], NO_PAINT, SIGNS.more)[0] for line in lines]


# --- layout ------------------------------------------------------------------------


def test_each_step_has_one_line_with_its_state_counts_and_times() -> None:
    view = view_of(
        {
            "start": StepCounts(done=1),
            "work": StepCounts(done=50, running=8, waiting=140, failed=2),
            "join": StepCounts(),
        },
        TaskBegan(JobId("1", 0), "start", AT),
        TaskEnded(JobId("1", 0), "start", AT + 0.3, 0.3),
        TaskBegan(JOB, "work", AT + 1),
        TaskEnded(JOB, "work", AT + 2, 1.0),
    )
    assert shown(view, (90, 24)) == [
        "Sum run 15 · 4.0 s",
        "  ✓ start                                    0.3 s",
        "  ● work   ━━━━━━━─────────────────  50/200  3.0 s  2 failed · 8 running · 1.0 s each",
        "  · join",
    ]


def test_single_tasks_have_neither_bar_nor_count() -> None:
    view = view_of({"start": StepCounts(running=1), "end": StepCounts()})
    assert shown(view) == ["Sum run 15 · 4.0 s", "  ● start", "  · end"]


@pytest.mark.parametrize(
    ("counts", "sign"),
    [
        (StepCounts(), "·"),
        (StepCounts(waiting=1), "○"),
        (StepCounts(running=1, failed=1), "●"),
        (StepCounts(done=1, failed=1), "✗"),
        (StepCounts(cancelled=1), "–"),
        (StepCounts(done=1), "✓"),
        (StepCounts(adopted=1), "✓"),
    ],
)
def test_the_sign_says_how_a_step_is(counts: StepCounts, sign: str) -> None:
    assert shown(view_of({"work": counts}))[1][2] == sign


def test_of_an_end_that_is_not_yet_told_the_time_goes_on() -> None:
    view = view_of({"work": StepCounts(done=1)}, TaskBegan(JOB, "work", AT + 1))
    assert shown(view)[1] == "  ✓ work  3.0 s"


def test_the_final_header_says_how_the_run_ended() -> None:
    def header(finished: RunFinished) -> str:
        return shown(view_of({"start": StepCounts()}, finished))[0]

    assert header(RunFinished(RUN, AT, 9.0, True, False, "")) == "✓ Sum run 15 · done in 9.0 s"
    assert (
        header(RunFinished(RUN, AT, 9.0, False, False, "x")) == "✗ Sum run 15 · failed after 9.0 s"
    )
    ended = RunFinished(RUN, AT, 9.0, False, True, "interrupted (Ctrl-C)")
    assert header(ended)[2:] == "Sum run 15 · interrupted (Ctrl-C) after 9.0 s"


def test_while_tasks_are_being_ended_the_header_says_so() -> None:
    view = view_of({"start": StepCounts(running=1)}, TasksEnding(AT, 1, "interrupted"))
    assert shown(view)[0] == "Sum run 15 · 4.0 s · ending"


def test_of_many_steps_the_active_ones_are_shown_and_the_rest_counted() -> None:
    steps = {f"step_{i}": StepCounts() for i in range(200)}
    for i in range(100):
        steps[f"step_{i}"] = StepCounts(done=1)
    steps["step_3"] = StepCounts(failed=1)
    steps["step_100"] = StepCounts(running=1)
    lines = shown(view_of(steps), (80, 12))
    assert len(lines) <= 11
    assert lines[1] == "  ✓ 93 steps done"
    assert lines[-1] == "  · 99 steps to come"
    assert "  ✗ step_3" in lines
    assert "  ● step_100" in lines


def test_no_step_is_left_out_where_all_have_room() -> None:
    view = view_of({name: StepCounts() for name in "abc"})
    assert choose_steps(view, 3) == (["a", "b", "c"], 0, 0)
    assert choose_steps(view, 2) == (["a"], 0, 2)


@pytest.mark.parametrize("columns", [1, 2, 5, 10, 20, 40, 80, 200])
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 24])
def test_the_view_fits_every_terminal(columns: int, rows: int) -> None:
    counts = {
        f"a_step_with_a_rather_long_name_{i}": StepCounts(done=i, running=2) for i in range(9)
    }
    view = view_of(counts, TaskBegan(JOB, "a_step_with_a_rather_long_name_3", AT))
    tail = Tail([("work/2", "text " * 50)] * 8, 1_000, "python flow.py logs 15")
    lines = frame(view, AT + 1, (columns, rows), SIGNS, tail)
    assert len(lines) <= max(1, rows - 1)
    assert all(painted(line, columns, NO_PAINT, "…")[1] <= max(1, columns - 1) for line in lines)


def test_details_that_have_no_room_are_left_out_whole() -> None:
    counts = StepCounts(done=1, running=2)
    view = view_of({"work": counts}, TaskEnded(JOB, "work", AT, 1.0))
    assert shown(view, (60, 24))[1].endswith("1/3    2 running · 1.0 s each")
    assert shown(view, (46, 24))[1].endswith("1/3    2 running")


def test_what_is_hidden_is_shown_below_as_its_last_lines_and_a_command() -> None:
    tail = Tail([("work/2", f"line {i}") for i in range(8)], 1_234, "python flow.py logs 15")
    assert shown(view_of({"work": StepCounts(running=1)}), tail=tail)[2:] == [
        "  work/2 │ line 4",
        "  work/2 │ line 5",
        "  work/2 │ line 6",
        "  work/2 │ line 7",
        "  … 1,234 lines not shown: python flow.py logs 15",
    ]


def test_a_line_that_is_too_long_is_cut_with_a_mark() -> None:
    assert painted((Cell("abcdef"), Cell("ghi")), 9, NO_PAINT, "…") == ("abcdefg…", 8)
    assert painted((Cell("abcdef"), Cell("gh")), 9, NO_PAINT, "…") == ("abcdefgh", 8)


def test_wide_characters_take_two_columns_and_are_never_halved() -> None:
    assert cell_width("a漢字") == 5
    assert cell_width("e\u0301") == 1
    assert cut("漢字漢字", 6, "…") == "漢字…"


def test_what_moves_the_cursor_is_taken_out_and_colours_stay_where_they_may() -> None:
    text = "\033[2J\033[31mred\033[0m\t\033]0;title\007x\x07\b"
    assert plain_text(text) == "red    x"
    assert coloured_text(text) == "\033[31mred\033[0m    x\033[0m"


def test_terminals_without_unicode_get_plain_signs() -> None:
    assert glyphs_for(io.TextIOWrapper(io.BytesIO(), encoding="ascii")) is ASCII_GLYPHS
    assert glyphs_for(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == SIGNS


# --- what scrolls by -----------------------------------------------------------------


def test_a_few_lines_scroll_by_and_a_flood_does_not() -> None:
    gate = OutputGate()
    passed = [gate.passes(AT) for _ in range(BURST_LINES + 50)]
    assert passed == [True] * BURST_LINES + [False] * 50
    assert gate.hidden == 50


def test_a_steady_trickle_always_scrolls_by() -> None:
    gate = OutputGate()
    assert all(gate.passes(AT + i / (LINES_PER_S - 1)) for i in range(2_000))


def test_a_steady_flood_stays_hidden_and_does_not_come_in_bursts() -> None:
    gate = OutputGate()
    passed = [gate.passes(AT + i / (LINES_PER_S * 3)) for i in range(3_000)]
    assert passed == sorted(passed, reverse=True)


def test_after_a_calm_time_lines_scroll_by_again() -> None:
    gate = OutputGate()
    for _ in range(BURST_LINES + 1):
        gate.passes(AT)
    assert not gate.passes(AT + 0.5)
    assert gate.passes(AT + 4)


def test_a_step_that_floods_does_not_hide_the_lines_of_another() -> None:
    gates = OutputGates()
    for _ in range(BURST_LINES + 7):
        gates.passes("work", Shown("work/2", "x"), AT)
    assert gates.passes("end", Shown("end/9", "the result"), AT)
    assert gates.is_hiding(AT)
    assert gates.gaps(AT) == []
    assert gates.gaps(AT + 60) == [("work", 7)]
    assert gates.gaps(AT + 61) == []


def test_the_traceback_that_ended_a_task_is_not_shown_and_what_else_was_printed_is() -> None:
    held = HeldTracebacks()
    lines = ["Traceback (most recent call last):", "  File x", "ValueError: no", "by the way"]
    assert not held.takes(JOB, "work/2", "before", AT)
    assert all(held.takes(JOB, "work/2", line, AT) for line in lines)
    traceback = "\n".join(lines[:3]) + "\n"
    assert held.end(JOB, traceback) == [Shown("work/2", "by the way")]


def test_a_traceback_of_a_task_that_goes_on_is_output_like_any() -> None:
    held = HeldTracebacks()
    held.takes(JOB, "work/2", "Traceback (most recent call last):", AT)
    assert held.release(AT - 1) == []
    assert held.release(AT + 1) == [Shown("work/2", "Traceback (most recent call last):")]


# --- what the terminal is sent ---------------------------------------------------------


def test_a_drawing_is_one_text_that_leaves_the_cursor_shown() -> None:
    text = drawing(["above"], ["block"], 3)
    assert text.index("\033[3A") < text.index("above") < text.index("block")
    assert text.index("\033[?25l") < text.index("\033[?25h")


def test_after_the_terminal_became_narrower_old_lines_take_more_rows() -> None:
    assert rows_of([79, 10, 0], 80) == 3
    assert rows_of([79, 10, 0], 40) == 4


def test_what_did_not_change_is_not_drawn_again() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.draw([], [("a", 1)], 80)
    size = len(out.getvalue())
    screen.draw([], [("a", 1)], 80)
    assert len(out.getvalue()) == size
    screen.draw(["above"], [("a", 1)], 80)
    assert len(out.getvalue()) > size


def screen_of(sent: str) -> list[str]:
    """What a terminal shows after ``sent``: enough of one for these tests."""
    rows, row = [""], 0
    for part in re.findall(r"\033\[\??\d*[A-Za-z]|\n|\r|[^\033\n\r]+", sent):
        if part == "\n":
            row += 1
            if row == len(rows):
                rows.append("")
        elif part.endswith("A") and part.startswith("\033"):
            row -= int(part[2:-1])
        elif part == "\033[J":
            del rows[row + 1 :]
            rows[row] = ""
        elif not part.startswith(("\033", "\r")):
            rows[row] = part
    return [line.rstrip() for line in rows]


def live(*notices: Notice, is_quiet: bool = False) -> list[str]:
    out = io.StringIO()
    now = AT
    observer = LiveObserver(
        NO_PAINT, out, logs_command="python flow.py logs", is_quiet=is_quiet, clock=lambda: now
    )
    for notice in (RunBegan(RUN, AT, ("work",)), *notices):
        observer.notice(notice)
    return screen_of(out.getvalue())


COUNTS = {"work": StepCounts(done=1)}
DONE = RunFinished(RUN, AT + 9, 9.0, True, False, "")


def test_what_tasks_print_scrolls_by_above_the_final_view() -> None:
    lines = live(
        Progress(AT, {"work": StepCounts(running=1)}),
        Output(JOB, "work", AT + 1, "stdout", b"one\ntwo\nno end"),
        Progress(AT + 1, COUNTS),
        Told(AT + 1, "a hint"),
        TaskEnded(JOB, "work", AT + 2, 1.0),
        Progress(AT + 2, COUNTS),
        DONE,
    )
    assert lines == [
        "work/2 │ one",
        "work/2 │ two",
        "a hint",
        "work/2 │ no end",
        "✓ Sum run 15 · done in 9.0 s",
        "  ✓ work",
        "",
    ]


def test_a_failure_is_one_line_without_the_traceback() -> None:
    outcome = Outcome(
        False,
        Cause.USER_ERROR,
        "ValueError: no",
        ErrorInfo("ValueError", "no", "Traceback (most recent call last):\nValueError: no\n"),
    )
    lines = live(
        Output(JOB, "work", AT, "stderr", b"Traceback (most recent call last):\nValueError: no\n"),
        TaskFailed(JOB, "work", AT, outcome),
        Progress(AT + 1, {"work": StepCounts(failed=1)}),
        RunFinished(RUN, AT + 9, 9.0, False, False, ""),
    )
    assert lines[:2] == ["✗ work/2 failed: ValueError: no.", "✗ Sum run 15 · failed after 9.0 s"]


def test_after_many_failures_further_ones_are_only_counted() -> None:
    failures = [
        TaskFailed(JobId(str(i), 0), "work", AT, Outcome(False, Cause.TIMEOUT)) for i in range(50)
    ]
    lines = live(*failures, DONE)
    assert sum("failed: timeout" in line for line in lines) == 20
    assert "Further failures are counted below." in lines


def test_lines_that_were_hidden_are_counted_at_the_end() -> None:
    flood = b"x\n" * (BURST_LINES + 5)
    lines = live(Output(JOB, "work", AT, "stdout", flood), DONE)
    assert "… 5 lines of work not shown here: python flow.py logs 15/work" in lines


def test_quiet_leaves_out_hints() -> None:
    lines = live(Told(AT, "a hint"), Told(AT, "a warning", is_warning=True), DONE, is_quiet=True)
    assert lines[0] == "a warning"
