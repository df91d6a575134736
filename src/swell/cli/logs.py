"""`logs`: what tasks printed, after the run or while it runs; and its scrubbing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from swell.cli.lines import last_state
from swell.cli.log_sources import (
    STREAMS,
    LogSource,
    log_sources,
    logged_lines,
)
from swell.cli.looking import Looking, is_over, looking_of, status_word, task_state
from swell.cli.paths import Found, find_path
from swell.cli.render import Stamps, count_text
from swell.datastore.logs import STDERR, SYSTEM, LogLine
from swell.errors import CommandException, UsageError
from swell.model.facts import RETRY_FACT, RunStatus
from swell.session.reading import LocalStores

_POLL_S = 0.2


class _Group(click.Group):
    """`logs PATH` is `logs show PATH`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


def logs_command(ctx: click.Context) -> click.Command:
    """``logs``, with ``show`` and ``scrub``."""
    del ctx
    path = click.Argument(["path"], required=False)
    show = click.Command(
        "show",
        params=[
            path,
            *_stream_options(),
            click.Option(["--timestamps"], is_flag=True, help="Put its time before each line."),
            _attempt_option("Which attempt, counted from 0; else the latest."),
            click.Option(["--follow", "-f"], is_flag=True, help="Go on until the end."),
        ],
        callback=_show,
        help="Show what the tasks of a run, a step, or one task printed (PATH: run[/step[/task]]; "
        "without it the latest run).",
    )
    scrub = click.Command(
        "scrub",
        params=[
            click.Argument(["path"]),
            *_stream_options(),
            _attempt_option("Only this attempt."),
            click.Option(
                ["--latest/--all", "only_latest"],
                default=True,
                help="Only the latest attempt, or all of them.",
            ),
            click.Option(
                ["--include-not-done"], is_flag=True, help="Tasks too that have not ended."
            ),
        ],
        callback=_scrub,
        help="Remove stored output for good; a mark stands in its place.",
    )
    return _Group("logs", commands={"show": show, "scrub": scrub}, help="Show what tasks printed.")


def _stream_options() -> list[click.Parameter]:
    return [
        click.Option(["--stdout"], is_flag=True, help="Only standard output."),
        click.Option(["--stderr"], is_flag=True, help="Only standard error."),
        click.Option(["--both"], is_flag=True, help="Both, which is what is done without."),
    ]


def _attempt_option(sentence: str) -> click.Option:
    return click.Option(["--attempt"], type=click.IntRange(min=0), metavar="NUMBER", help=sentence)


def _streams(options: dict[str, Any]) -> tuple[str, ...]:
    if options["both"] or options["stdout"] == options["stderr"]:
        return STREAMS["both"]
    return STREAMS["stdout" if options["stdout"] else "stderr"]


# --- show ----------------------------------------------------------------------------


@click.pass_context
def _show(ctx: click.Context, /, path: str | None, **options: Any) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    found = find_path(stores, path, looking.flow)
    streams = _streams(options)
    shown = _line_shower(looking, with_times=options["timestamps"])
    if options["follow"]:
        _follow(looking, stores, found, streams, options["attempt"], shown)
        return
    is_single = found.task is not None
    has_printed, silent = False, 0
    for source, lines in logged_lines(
        stores, log_sources(stores, found, options["attempt"]), streams
    ):
        wanted = (line for line in lines if line.stream in streams)
        first = next(wanted, None)
        if first is None and not is_single:
            silent += 1
            continue
        looking.heading(("\n" if has_printed else "") + _heading(looking, found, source))
        has_printed = True
        if first is None:
            looking.say(_silence(streams))
            continue
        looking.print(shown(line) for line in _from(first, wanted))
    if silent or not found.tasks:
        looking.say(_silent_words(found, silent))


def _from(first: LogLine, rest: Iterator[LogLine]) -> Iterator[LogLine]:
    yield first
    yield from rest


def _line_shower(looking: Looking, *, with_times: bool) -> Callable[[LogLine], str]:
    paint, stamps = looking.paint, Stamps()

    def show(line: LogLine) -> str:
        text = last_state(line.text)
        if line.stream == SYSTEM:
            text = paint.dim(f"[swell] {text}")
        elif line.stream == STDERR:
            text = paint.yellow(text) if text else text
        return f"{paint.dim(stamps(line.at))} {text}" if with_times else text

    return show


def _heading(looking: Looking, found: Found, source: LogSource) -> str:
    created = source.fact.created
    parts = [looking.path(found.run, created.step, created.task)]
    if created.stack_text:
        parts[0] += f" ({', '.join(created.stack_text)})"
    if source.origin is None and source.fact.attempt:
        parts.append(f"attempt {source.attempt} of 0–{source.fact.attempt}")
    if source.is_missing:
        parts.append(f"taken over from {source.origin}, which is not in the store any more")
    elif source.origin is not None:
        parts.append(f"taken over from {source.origin}")
    else:
        parts.append(task_state(source.fact, run_is_over=is_over(found.run)))
    return " · ".join(parts)


def _silence(streams: tuple[str, ...]) -> str:
    where = "" if len(streams) > 1 else f" to {streams[0]}"
    return f"(It printed nothing{where}.)"


def _silent_words(found: Found, silent: int) -> str:
    if not found.tasks:
        return "No task has begun."
    if silent == len(found.tasks):
        return f"{count_text(silent, 'task')}, and nothing was printed."
    return f"({count_text(silent, 'more task')} printed nothing.)"


# --- follow --------------------------------------------------------------------------


def _follow(
    looking: Looking,
    stores: LocalStores,
    found: Found,
    streams: tuple[str, ...],
    attempt: int | None,
    shown: Callable[[LogLine], str],
) -> None:
    """Show what there is and what comes, until the run, the one task or the attempt is over."""
    steps = {fact.created.task: fact.created.step for fact in found.tasks}
    adopted = [source for source in log_sources(stores, found, None) if source.origin is not None]
    for source, lines in logged_lines(stores, adopted, streams):
        looking.heading(_heading(looking, found, source))
        looking.print(shown(line) for line in lines if line.stream in streams)
    if adopted and found.task is not None:
        return
    if found.task is not None and attempt is None:
        looking.heading(looking.path(found.run, *_rest(found)))
    tail = stores.logs(found.run.id).follow(found.task, attempt)

    def print_lines(lines: Iterable[LogLine]) -> None:
        looking.print(
            _with_task(looking, found, steps, line, shown(line))
            for line in lines
            if line.stream in streams and _belongs(stores, found, steps, line.task)
        )
        looking.flush()

    while True:
        # Asked before reading: what was printed before the end is then shown.
        has_ended = _has_ended(stores, found, attempt)
        print_lines(tail.poll())
        if has_ended:
            print_lines(tail.rest())
            _tell_if_detached(looking, stores, found)
            return
        time.sleep(_POLL_S)


def _tell_if_detached(looking: Looking, stores: LocalStores, found: Found) -> None:
    run = stores.metastore.run(found.run.id)
    if run is not None and run.status is RunStatus.DETACHED:
        looking.say(
            f"Run {looking.path(run)} is detached: what its tasks print is collected from "
            f"'{looking.program} attach {run.id.number}' on."
        )


def _rest(found: Found) -> list[str]:
    return [part for part in (found.step, found.task) if part is not None]


def _belongs(stores: LocalStores, found: Found, steps: dict[str, str], task: str) -> bool:
    if task not in steps:
        for fact in stores.metastore.tasks(found.run.id, task=task):
            steps[task] = fact.created.step
    return found.step is None or steps.get(task) == found.step


def _with_task(
    looking: Looking, found: Found, steps: dict[str, str], line: LogLine, text: str
) -> str:
    if found.task is not None:
        return text
    path = looking.path(found.run, steps.get(line.task, "?"), line.task)
    return looking.paint.dim(f"[{path}] ") + text


def _has_ended(stores: LocalStores, found: Found, attempt: int | None) -> bool:
    run = stores.metastore.run(found.run.id)
    if run is None or status_word(run) != RunStatus.RUNNING.value:
        return True
    if found.task is None:
        return False
    facts = stores.metastore.attempts(run.id, found.step, found.task)
    if any(fact.job.attempt == attempt and fact.outcome is not None for fact in facts):
        return True
    if not facts or facts[-1].outcome is None:
        return False
    if facts[-1].outcome.ok:
        return True
    # A member of a gang may be run again because another one failed, later than it.
    (task,) = stores.metastore.tasks(run.id, found.step, found.task)
    return task.created.gang_size is None and RETRY_FACT not in facts[-1].metadata


# --- scrub ---------------------------------------------------------------------------


@click.pass_context
def _scrub(ctx: click.Context, /, path: str, **options: Any) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    found = find_path(stores, path, looking.flow)
    if found.step is None:
        raise UsageError(
            f"'{path}' is a whole run.", remedy="Scrub a step or a task: run/step[/task]."
        )
    attempt, only_latest = options["attempt"], options["only_latest"]
    streams = _streams(options)
    done = left = 0
    for source in log_sources(stores, found, attempt):
        if source.fact.ended_at is None and not options["include_not_done"]:
            left += 1
            continue
        if source.is_missing:
            continue
        chosen = source.attempt if only_latest or attempt is not None else None
        stream = streams[0] if len(streams) == 1 else None
        pieces = stores.logs(source.run).scrub(source.task, chosen, stream)
        done += bool(pieces)
        if source.origin is not None and pieces:
            looking.say(
                f"{looking.path(found.run, *_rest(found))} was taken over: "
                f"the log of {source.origin} is scrubbed."
            )
    if left and not done:
        raise CommandException(
            f"Nothing is scrubbed: {count_text(left, 'task')} of {path} "
            f"{'has' if left == 1 else 'have'} not ended.",
            remedy="Wait for the end, or give --include-not-done.",
        )
    looking.say(f"The output of {count_text(done, 'task')} is removed.")
    if left:
        looking.say(f"{count_text(left, 'task')} not ended yet: left as they are.")
