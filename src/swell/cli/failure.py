"""The last word on a run that did not end well: which task, why, and how to go on."""

from __future__ import annotations

import sys

from swell.cli.progress import failure_words
from swell.cli.render import Paint, count_text, say_error
from swell.scheduler.observe import TaskFailed
from swell.session.flow import FlowAtHand
from swell.session.run import RunResult

_SHOWN_FAILURES = 3


def report_failure(at_hand: FlowAtHand, result: RunResult, paint: Paint) -> None:
    """Write to stderr what failed, with the user's own traceback, and the command to resume."""
    run = result.run.id.number
    lines = [""]
    for failure in result.end.failures[:_SHOWN_FAILURES]:
        lines += _failure_lines(failure, run, paint)
    rest = len(result.end.failures) - _SHOWN_FAILURES
    if rest > 0:
        lines.append(f"… and {count_text(rest, 'more failed task')}.")
    script = sys.argv[0]
    if result.end.failures:
        first = result.end.failures[0]
        lines.append(f"Its log:       python {script} logs {run}/{first.step}/{first.job.task}")
    lines.append(f"To go on:      python {script} resume --origin-run-id {run}")
    say_error("\n".join(lines))


def _failure_lines(failure: TaskFailed, run: int, paint: Paint) -> list[str]:
    task = f"{run}/{failure.step}/{failure.job.task}"
    heading = f"{task} failed"
    if failure.job.attempt:
        heading += f" ({count_text(failure.job.attempt + 1, 'attempt')})"
    lines = [f"{paint.red(heading)}: {failure_words(failure.outcome)}"]
    error = failure.outcome.error
    if error is not None and error.traceback:
        lines += [f"    {line}" for line in error.traceback.rstrip().splitlines()]
    lines.append("")
    return lines
