"""`swell runs`, `swell show` and `swell artifacts`: runs of any flow, in tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import click

from swell.cli.looking import (
    LOST,
    Looking,
    ago_text,
    looking_of,
    status_colour,
    status_word,
)
from swell.cli.paths import find_path
from swell.cli.render import count_text, duration_text, size_text
from swell.cli.run_story import story_lines
from swell.cli.tables import Cell, Column, cut, one_line, table_lines
from swell.client.query import no_flow
from swell.errors import NotFound
from swell.model.facts import RunFact, RunStatus, StoredRecord
from swell.model.ids import PARAMETERS_STEP
from swell.model.record import ArtifactRef
from swell.session.reading import LocalStores

_STATUSES = [*(status.value for status in RunStatus), LOST]


def runs_command(ctx: click.Context) -> click.Command:
    """``swell runs [FLOW]``."""
    del ctx
    return click.Command(
        "runs",
        params=[
            click.Argument(["flow"], required=False),
            click.Option(
                ["--limit", "-n"],
                type=click.IntRange(min=1),
                default=20,
                show_default=True,
                help="At most so many, the newest.",
            ),
            click.Option(
                ["--status"], type=click.Choice(_STATUSES), help="Only runs that stand so."
            ),
            click.Option(
                ["--tag", "tags"],
                multiple=True,
                metavar="TAG",
                help="Only runs with this tag; may be repeated.",
            ),
        ],
        callback=_runs,
        help="List the latest runs, of one flow or of all.",
    )


def show_command(ctx: click.Context) -> click.Command:
    """``swell show [RUN]``."""
    del ctx
    return click.Command(
        "show",
        params=[click.Argument(["run"], required=False)],
        callback=_show,
        help="Show one run: its steps, what failed and why, its parameters (RUN: BigSumFlow/15; "
        "without it the latest).",
    )


def artifacts_command(ctx: click.Context) -> click.Command:
    """``swell artifacts PATH``."""
    del ctx
    return click.Command(
        "artifacts",
        params=[
            click.Argument(["path"], required=False),
            click.Option(
                ["--private"], is_flag=True, help="Also those that begin with an underscore."
            ),
        ],
        callback=_artifacts,
        help="List artifacts by name, type, size and preview, loading none (PATH: "
        "run[/step[/task]]; without it the latest run). Of one task, frames, arrays and models "
        "are shown in detail.",
    )


# --- runs ------------------------------------------------------------------------------


@click.pass_context
def _runs(
    ctx: click.Context,
    /,
    flow: str | None,
    limit: int,
    status: str | None,
    tags: tuple[str, ...],
) -> None:
    looking = looking_of(ctx)
    stores = looking.open_or_none()
    if stores is None:
        looking.say(f"No run yet: {looking.place.root} is not a store.")
        looking.say("Write a first flow with 'swell new', then run it.")
        return
    found = stores.metastore.runs(flow, tags=tags, limit=None if status else limit)
    runs = [run for run in found if status in (None, status_word(run))][:limit]
    if not runs:
        if flow is not None and not stores.metastore.runs(flow, limit=1):
            raise no_flow(stores, flow)
        looking.say("No run is like that." if status or tags else "No run yet.")
        return
    looking.print(_runs_table(looking, stores, runs))
    if len(runs) == limit and not status:
        looking.say(looking.heading_paint.dim(f"The latest {limit}; --limit shows more."))


def _runs_table(looking: Looking, stores: LocalStores, runs: Sequence[RunFact]) -> list[str]:
    paint, now = looking.paint, time.time()
    columns = [
        Column("run", may_be_cut=True),
        Column("status"),
        Column("started"),
        Column("took", is_number=True),
        Column("tasks", is_number=True),
        Column("tags", may_be_cut=True),
    ]
    rows: list[list[str | Cell]] = []
    for run in runs:
        word = status_word(run)
        tasks = sum(
            step.tasks for step in stores.metastore.steps(run.id) if step.name != PARAMETERS_STEP
        )
        rows.append(
            [
                Cell(str(run.id), paint.bold),
                Cell(word, status_colour(word, paint)),
                ago_text(now - run.created_at),
                _took(run, word, now),
                f"{tasks:,}",
                Cell(", ".join(sorted(run.user_tags)), paint.dim),
            ]
        )
    return table_lines(columns, rows, looking.width, heading=paint.dim)


def _took(run: RunFact, word: str, now: float) -> str:
    if run.finished_at is not None:
        return duration_text(run.finished_at - run.created_at)
    return duration_text(now - run.created_at) if word == RunStatus.RUNNING.value else "?"


# --- show ------------------------------------------------------------------------------


@click.pass_context
def _show(ctx: click.Context, /, run: str | None) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    found = find_path(stores, run, None)
    if found.step is not None:
        raise NotFound(
            f"'{run}' is not a run.",
            remedy=f"See 'swell show {found.run.id}', 'swell logs {run}' and "
            f"'swell artifacts {run}'.",
        )
    looking.print(story_lines(looking, stores, found, time.time()))


# --- artifacts -------------------------------------------------------------------------


@click.pass_context
def _artifacts(ctx: click.Context, /, path: str | None, private: bool) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    found = find_path(stores, path, None)
    one = None if found.task is None else [found.task]
    stored = stores.metastore.records(found.run.id, step=found.step, tasks=one)
    records = {record.job.task: record for record in stored}
    in_order = [records[fact.created.task] for fact in found.tasks if fact.created.task in records]
    if not in_order:
        looking.say("No task has left artifacts yet.")
        return
    by_step: dict[str, list[StoredRecord]] = {}
    for record in in_order:
        by_step.setdefault(record.step, []).append(record)
    is_first = True
    for step, of_step in by_step.items():
        rest = [step, of_step[0].job.task] if len(of_step) == 1 else [step]
        heading = str(found.run.id) + "".join(f"/{part}" for part in rest)
        if len(of_step) > 1:
            heading += f" · {count_text(len(of_step), 'task')}"
        looking.heading(heading if is_first else f"\n{heading}")
        is_first = False
        whole = len(of_step) == 1 or found.step is not None
        make = _one_by_one if whole else _together
        looking.print(make(looking, of_step, private=private))
        if len(of_step) == 1 and found.step is not None:
            looking.print(_details(looking, of_step[0], private=private))


def _one_by_one(looking: Looking, records: Sequence[StoredRecord], *, private: bool) -> list[str]:
    """A line for each artifact of each task."""
    paint = looking.paint
    columns = [
        Column("task", is_number=True),
        Column("name"),
        Column("type", may_be_cut=True),
        Column("size", is_number=True),
        Column("value", may_be_cut=True),
    ]
    rows: list[list[str | Cell]] = [
        [
            Cell(record.job.task, paint.dim),
            Cell(name, paint.bold),
            ref.type,
            size_text(ref.size),
            ref.preview_line,
        ]
        for record in records
        for name, ref in _shown(record, private=private)
    ]
    if len(records) == 1:
        columns, rows = columns[1:], [row[1:] for row in rows]
    return table_lines(columns, rows, looking.width, heading=paint.dim)


def _details(looking: Looking, record: StoredRecord, *, private: bool) -> Iterator[str]:
    """What previews say beyond their first line."""
    for name, ref in _shown(record, private=private):
        _, *details = ref.preview.splitlines()
        if details:
            yield from ("", looking.paint.bold(name))
            yield from (cut(one_line(line), looking.width) for line in details)


def _together(looking: Looking, records: Sequence[StoredRecord], *, private: bool) -> list[str]:
    """A line for each name: what the tasks of a step have under it."""
    paint = looking.paint
    found: dict[str, list[ArtifactRef]] = {}
    for record in records:
        for name, ref in _shown(record, private=private):
            found.setdefault(name, []).append(ref)
    columns = [
        Column("name"),
        Column("type", may_be_cut=True),
        Column("tasks", is_number=True),
        Column("size", is_number=True),
        Column("values", may_be_cut=True),
    ]
    rows: list[list[str | Cell]] = [
        [
            Cell(name, paint.bold),
            ", ".join(dict.fromkeys(ref.type for ref in refs)),
            f"{len(refs):,}",
            size_text(_stored_bytes(refs)),
            _few_values(refs),
        ]
        for name, refs in sorted(found.items())
    ]
    return table_lines(columns, rows, looking.width, heading=paint.dim)


def _stored_bytes(refs: Iterable[ArtifactRef]) -> int:
    """Bytes together, a Blob that several tasks have counted once."""
    blobs = {ref.key: ref.size for ref in refs if ref.key is not None}
    return sum(blobs.values()) + sum(ref.size for ref in refs if ref.key is None)


def _few_values(refs: Sequence[ArtifactRef]) -> str:
    different = dict.fromkeys(ref.preview_line for ref in refs)
    few = list(different)[:4]
    if len(different) == 1:
        return few[0]
    return " · ".join(few) + (" …" if len(different) > len(few) else "")


def _shown(record: StoredRecord, *, private: bool) -> Iterator[tuple[str, ArtifactRef]]:
    for name, ref in sorted(record.record.artifacts.items()):
        if private or not name.startswith("_"):
            yield name, ref
