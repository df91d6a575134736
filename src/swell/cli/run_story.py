"""One run in words: how it stands, its steps, what failed and why, how to go on."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from swell.cli.failure import others_words, summary
from swell.cli.looking import (
    LOST,
    Looking,
    ago_text,
    is_over,
    status_colour,
    status_word,
    task_state,
)
from swell.cli.paths import Found
from swell.cli.render import count_text, duration_text, size_text
from swell.cli.tables import Cell, Column, cut, one_line, shown_width, table_lines
from swell.client.query import run_graph
from swell.model.cause import Cause
from swell.model.facts import AttemptFact, RunFact, RunStatus, TaskFact
from swell.model.ids import PARAMETERS_STEP, JobId
from swell.model.record import Outcome
from swell.scheduler.failures import tally_of
from swell.scheduler.observe import TaskFailed
from swell.session.reading import LocalStores

_SHOWN_FAILURES = 5
_STATES = ("done", "caught", "failed", "cancelled", "cut short", "running", "waiting", "not begun")


class _StepSum(msgspec.Struct):
    """What the tasks of a step come to."""

    name: str
    states: Counter[str]
    adopted: int = 0
    seconds: list[float] = []
    peak_mb: float = 0.0
    retries: int = 0


def story_lines(looking: Looking, stores: LocalStores, found: Found, now: float) -> Iterator[str]:
    """The lines that ``swell show`` prints."""
    run, word = found.run, status_word(found.run)
    attempts = stores.metastore.attempts(run.id)
    yield from _heading_lines(looking, run, word, now)
    yield from _parameter_lines(looking, stores, run)
    sums = _sums(found.tasks, attempts, run_is_over=is_over(found.run))
    if sums:
        yield ""
        yield from _steps_table(looking, _in_graph_order(run, sums))
    yield from _failure_lines(looking, run, found.tasks, attempts)
    yield from _next_lines(looking, run, word, found.tasks)


# --- how it stands -----------------------------------------------------------------------


def _heading_lines(looking: Looking, run: RunFact, word: str, now: float) -> Iterator[str]:
    paint = looking.paint
    yield f"{paint.bold(str(run.id))} · {status_colour(word, paint)(word)}"
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.created_at))
    yield _fact(looking, "started", f"{clock}, {ago_text(now - run.created_at)}")
    if run.finished_at is not None:
        yield _fact(looking, "took", duration_text(run.finished_at - run.created_at))
    elif word == LOST:
        silent = now - max(run.created_at, run.heartbeat_at or 0.0)
        yield _fact(
            looking, "driver", f"gone without a word (last seen {duration_text(silent)} ago)"
        )
    else:
        yield _fact(looking, "running", f"for {duration_text(now - run.created_at)}")
    yield _fact(looking, "script", run.script or "(a notebook)")
    yield _fact(looking, "by", f"{run.user} on {run.host}" if run.host else run.user)
    if run.origin_run is not None:
        yield _fact(looking, "resumes", f"{run.id.flow}/{run.origin_run}")
    if run.user_tags:
        yield _fact(looking, "tags", ", ".join(sorted(run.user_tags)))


def _fact(looking: Looking, label: str, text: str) -> str:
    return f"  {looking.paint.dim(f'{label:<8}')} {one_line(text)}"


def _parameter_lines(looking: Looking, stores: LocalStores, run: RunFact) -> Iterator[str]:
    stored = stores.metastore.records(run.id, step=PARAMETERS_STEP)
    refs = {
        name: ref
        for record in stored
        for name, ref in sorted(record.record.artifacts.items())
        if name != "name" and not name.startswith("_")
    }
    if not refs:
        return
    width = max(map(shown_width, refs))
    yield ""
    yield looking.paint.dim("parameters and constants")
    for name, ref in refs.items():
        value = cut(one_line(ref.preview_line), max(16, looking.width - width - 5))
        yield f"  {name}{' ' * (width - shown_width(name))}  {value}"


# --- steps -------------------------------------------------------------------------------


def _sums(
    tasks: Sequence[TaskFact], attempts: Sequence[AttemptFact], *, run_is_over: bool
) -> dict[str, _StepSum]:
    sums: dict[str, _StepSum] = {}
    for fact in tasks:
        step = sums.setdefault(
            fact.created.step, _StepSum(fact.created.step, Counter(), seconds=[])
        )
        step.states[task_state(fact, run_is_over=run_is_over)] += 1
        step.adopted += fact.created.origin_task is not None
        step.retries += fact.attempt or 0
    own = {fact.created.task for fact in tasks if fact.created.origin_task is None}
    for attempt in attempts:
        if attempt.job.task not in own:
            continue
        known = sums[attempt.step]
        known.peak_mb = max(known.peak_mb, attempt.usage.peak_memory_mb or 0.0)
        if attempt.started_at is not None and attempt.ended_at is not None:
            known.seconds.append(attempt.ended_at - attempt.started_at)
    return sums


def _in_graph_order(run: RunFact, sums: dict[str, _StepSum]) -> list[_StepSum]:
    graph = run_graph(run)
    order = list(graph.order or graph.nodes) if graph else []
    order += [name for name in sums if name not in order]
    return [sums.get(name) or _StepSum(name, Counter(), seconds=[]) for name in order]


def _steps_table(looking: Looking, steps: Sequence[_StepSum]) -> list[str]:
    paint = looking.paint
    colours = {
        "done": paint.green,
        "caught": paint.yellow,
        "failed": paint.red,
        "cut short": paint.red,
        "cancelled": paint.yellow,
    }
    states = [state for state in _STATES if any(step.states[state] for step in steps)]
    columns = [Column("step", may_be_cut=True), Column("tasks", is_number=True)]
    columns += [Column(state, is_number=True) for state in states]
    extras = {
        "taken over": any(step.adopted for step in steps),
        "retries": any(step.retries for step in steps),
    }
    columns += [Column(name, is_number=True) for name, wanted in extras.items() if wanted]
    columns += [Column("typical", is_number=True), Column("longest", is_number=True)]
    columns += [Column("peak memory", is_number=True)]
    rows: list[list[str | Cell]] = []
    for step in steps:
        row: list[str | Cell] = [
            Cell(step.name, paint.bold if step.states else paint.dim),
            _number(step.states.total()),
        ]
        row += [Cell(_number(step.states[state]), colours.get(state)) for state in states]
        if extras["taken over"]:
            row.append(_number(step.adopted))
        if extras["retries"]:
            row.append(_number(step.retries))
        row.append(duration_text(statistics.median(step.seconds)) if step.seconds else "")
        row.append(duration_text(max(step.seconds)) if step.seconds else "")
        row.append(size_text(step.peak_mb * 1_000_000) if step.peak_mb else "")
        rows.append(row)
    return table_lines(columns, rows, looking.width, heading=paint.dim)


def _number(count: int) -> str:
    return f"{count:,}" if count else ""


# --- what failed, and what next ------------------------------------------------------------


def _failure_lines(
    looking: Looking, run: RunFact, tasks: Sequence[TaskFact], attempts: Sequence[AttemptFact]
) -> Iterator[str]:
    outcomes = {attempt.job.task: attempt.outcome for attempt in attempts}
    failed = [fact for fact in tasks if _is_failure(fact) and not fact.caught]
    if len(failed) > 1:
        yield from _causes(looking, run, failed, outcomes, Counter(f.created.step for f in tasks))
    elif failed:
        yield from _failure(looking, run, failed[0], outcomes.get(failed[0].created.task))
    caught = [fact for fact in tasks if fact.caught]
    for fact in caught[:_SHOWN_FAILURES]:
        made = f" ({count_text(fact.attempt + 1, 'attempt')})" if fact.attempt else ""
        words = looking.paint.yellow(f"{_path(run, fact)} was caught")
        yield ""
        yield f"{words}{made}{_why(outcomes.get(fact.created.task))}"
    rest = len(caught) - _SHOWN_FAILURES
    if rest > 0:
        yield ""
        yield f"… and {count_text(rest, 'more task')} like that."


def _failure(
    looking: Looking, run: RunFact, fact: TaskFact, outcome: Outcome | None
) -> Iterator[str]:
    """One failed task: why, and its traceback."""
    made = f" ({count_text(fact.attempt + 1, 'attempt')})" if fact.attempt else ""
    yield ""
    yield f"{looking.paint.red(f'{_path(run, fact)} failed')}{made}{_why(outcome)}"
    if outcome is not None and outcome.error is not None:
        for line in outcome.error.traceback.rstrip().splitlines():
            yield f"    {line}"


def _causes(
    looking: Looking,
    run: RunFact,
    failed: Sequence[TaskFact],
    outcomes: Mapping[str, Outcome | None],
    tasks_of: Mapping[str, int],
) -> Iterator[str]:
    """Many failed tasks: how many causes, and an example of each."""
    facts = {fact.created.task: fact for fact in failed}
    tally = tally_of(
        TaskFailed(JobId(task, fact.attempt or 0), fact.created.step, 0.0, outcome)
        for task, fact in facts.items()
        if (outcome := outcomes.get(task)) is not None
    )
    groups = tally.groups()
    if not groups:
        return
    is_tolerated = run.status is RunStatus.DONE
    total = tasks_of[tally.steps[0]] if len(tally.steps) == 1 else None
    yield ""
    yield looking.paint.red(summary(tally, total, is_tolerated=is_tolerated))
    for group in groups[:_SHOWN_FAILURES]:
        task = group.first.job.task
        yield from _failure(looking, run, facts[task], outcomes.get(task))
        if group.count > 1:
            yield looking.paint.dim(f"  In the same way: {others_words(group)}")
            command = f"swell debug {run.id}/{group.first.step}/{task}"
            yield looking.paint.dim(f"  To run it here: {command}")
    rest = tally.total - sum(group.count for group in groups[:_SHOWN_FAILURES])
    if rest:
        yield ""
        yield f"… and {count_text(rest, 'more task')}, for other causes."


def _path(run: RunFact, fact: TaskFact) -> str:
    return f"{run.id.number}/{fact.created.step}/{fact.created.task}"


def _why(outcome: Outcome | None) -> str:
    """': user error: ValueError: bad'; empty where nothing is known."""
    if outcome is None:
        return ""
    message = outcome.message
    if not message and outcome.error is not None:
        message = f"{outcome.error.type}: {outcome.error.text}"
    cause = "" if outcome.cause is Cause.OK else outcome.cause.value.replace("_", " ")
    return "".join(f": {one_line(part)}" for part in (cause, message) if part)


def _is_failure(fact: TaskFact) -> bool:
    if fact.caught:
        return True
    return fact.ok is False and fact.cause is not Cause.CANCELLED


def _next_lines(
    looking: Looking, run: RunFact, word: str, tasks: Sequence[TaskFact]
) -> Iterator[str]:
    script = _near(run.script)
    lines: list[tuple[str, str]] = []
    failed = next((fact for fact in tasks if _is_failure(fact) and not fact.caught), None)
    if failed is not None:
        path = f"{run.id}/{failed.created.step}/{failed.created.task}"
        lines.append(("Its log", f"swell logs {path}"))
    elif word == RunStatus.RUNNING.value:
        lines.append(("Follow it", f"swell logs {run.id} --follow"))
    else:
        lines.append(("What it left", f"swell artifacts {run.id}"))
    if word in (RunStatus.FAILED.value, RunStatus.INTERRUPTED.value, LOST) and script:
        lines.append(("To go on", f"python {script} resume --origin-run-id {run.id.number}"))
    yield ""
    width = max(len(label) for label, _ in lines) + 1
    for label, command in lines:
        yield f"{label + ':':<{width}}  {looking.paint.bold(command)}"


def _near(script: str) -> str:
    """The path as one would type it from here."""
    if not script:
        return ""
    relative = os.path.relpath(script)
    return script if relative.startswith("..") else relative
