"""`usage`: what the steps of a run asked for, what they used, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
import msgspec

from swell.cli.looking import Looking, looking_of, status_word
from swell.cli.paths import find_whole_run
from swell.cli.render import count_text, duration_text
from swell.cli.tables import Cell, Column, table_lines
from swell.client.query import run_graph
from swell.client.step_needs import Advice, StepNeeds, advice_on, asked_by_step, step_needs
from swell.errors import NotFound
from swell.model.facts import AttemptFact, RunFact, RunStatus, TaskFact
from swell.model.ids import PARAMETERS_STEP
from swell.session.reading import LocalStores


def usage_command(ctx: click.Context) -> click.Command:
    """``usage RUN``."""
    del ctx
    return click.Command(
        "usage",
        params=[
            click.Argument(["path"], required=False, metavar="[RUN]"),
            click.Option(["--json", "as_json"], is_flag=True, help="As one JSON object."),
        ],
        callback=_usage,
        help="Say what each step of a run (default: the latest) asked for, what its attempts "
        "used of memory (MB) and processors, and which @resources would do.",
    )


@click.pass_context
def _usage(ctx: click.Context, /, path: str | None, as_json: bool) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    ctx.call_on_close(stores.close)
    found = find_whole_run(stores, path, looking.flow)
    steps = _needs(stores, found.run)
    if not steps:
        raise _nothing_measured(looking, found.run, found.tasks)
    if as_json:
        looking.print([_json(found.run, steps)])
        return
    if status_word(found.run) == RunStatus.RUNNING.value:
        looking.say(f"Run {looking.path(found.run)} still runs: this is of what has ended so far.")
    looking.print(_table(looking, steps))
    told = [words for one in steps if (words := advice_words(one))]
    if told:
        looking.print(["", *told])


def _needs(stores: LocalStores, run: RunFact) -> list[StepNeeds]:
    by_step: dict[str, list[AttemptFact]] = {}
    asked = {}
    for fact in stores.metastore.attempts(run.id):
        if fact.step == PARAMETERS_STEP:
            asked = asked_by_step(fact.metadata)
        else:
            by_step.setdefault(fact.step, []).append(fact)
    graph = run_graph(run)
    order = [*(graph.order or graph.nodes)] if graph is not None else []
    order += [step for step in by_step if step not in order]
    found = (step_needs(step, by_step.get(step, ()), asked.get(step)) for step in order)
    return [one for one in found if one is not None]


def _nothing_measured(looking: Looking, run: RunFact, tasks: Sequence[TaskFact]) -> NotFound:
    path = looking.path(run)
    if tasks and all(task.created.origin_task is not None for task in tasks):
        return NotFound(
            f"All tasks of run {path} were taken over from run {run.origin_run}: none ran in it.",
            remedy=f"Look at that one: {looking.program} usage "
            f"{looking.path(run).rpartition(str(run.id.number))[0]}{run.origin_run}.",
        )
    if status_word(run) == RunStatus.RUNNING.value:
        return NotFound(
            f"No task of run {path} has ended yet, so nothing was measured.",
            remedy="Look again when one has.",
        )
    return NotFound(
        f"No task of run {path} has ended with its usage measured.",
        remedy="What a task uses is known when its process has ended under its driver.",
    )


def _json(run: RunFact, steps: Sequence[StepNeeds]) -> str:
    whole = {
        "run": str(run.id),
        "status": run.status.value,
        "steps": [
            {**msgspec.to_builtins(one), "advice": msgspec.to_builtins(advice_on(one))}
            for one in steps
        ],
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()


# --- as text -----------------------------------------------------------------------------


def _table(looking: Looking, steps: Sequence[StepNeeds]) -> list[str]:
    paint = looking.paint
    numbers = ("attempts", "MB asked", "median", "95 %", "most", "unused")
    columns = [Column("step", may_be_cut=True)]
    columns += [Column(title, is_number=True) for title in numbers]
    columns += [
        Column(title, is_number=True) for title in ("cpu asked", "busy", "most", "cpu time")
    ]
    rows: list[list[str | Cell]] = []
    for one in steps:
        asked = one.asked
        memory, cores, cpu_s = one.memory_mb, one.cores, one.cpu_s
        mb, cpu = (asked.memory_mb, asked.cpu) if asked is not None else (None, None)
        rows.append(
            [
                Cell(one.step, paint.bold),
                f"{one.attempts:,}",
                f"{mb:,}" if mb is not None else "",
                *([_mb(memory.median), _mb(memory.p95), _mb(memory.max)] if memory else [""] * 3),
                f"{one.wasted_memory:.0%}" if one.wasted_memory is not None else "",
                f"{cpu:g}" if cpu is not None else "",
                *([f"{cores.median:.2f}", f"{cores.max:.2f}"] if cores else [""] * 2),
                duration_text(cpu_s.median) if cpu_s else "",
            ]
        )
    return table_lines(columns, rows, looking.width, heading=paint.dim)


def advice_words(needs: StepNeeds) -> str:
    """'start: asked 60,000 MB, peak 7,112 MB; `@resources(memory=7500)` would do.'; empty where
    all may stay as it is."""
    advice = advice_on(needs)
    lines = [*_shortage_words(needs, advice)]
    if not advice.is_empty:
        wish = f"`@resources({', '.join(_arguments(advice))})`"
        lines.append(f"{needs.step}: {'; '.join(_facts(needs, advice))}; {wish} would do.")
    return "\n".join(lines)


def _shortage_words(needs: StepNeeds, advice: Advice) -> Iterator[str]:
    if not needs.out_of_memory:
        return
    ended = count_text(needs.out_of_memory, "attempt")
    text = f"{needs.step}: {ended} of {needs.attempts:,} ended for want of memory"
    if needs.enough_mb is None:
        most = f", the last at {needs.memory_mb.max:,.0f} MB" if needs.memory_mb else ""
        yield f"{text}{most}; none is known that had enough."
    elif advice.memory_mb is None:
        yield f"{text}."
    else:
        yield f"{text}; the others needed up to {needs.enough_mb:,.0f} MB."


def _arguments(advice: Advice) -> Iterator[str]:
    if advice.cpu is not None:
        yield f"cpu={advice.cpu:g}"
    if advice.memory_mb is not None:
        yield f"memory={advice.memory_mb}"


def _facts(needs: StepNeeds, advice: Advice) -> Iterator[str]:
    asked = needs.asked
    if advice.cpu is not None and asked is not None and needs.cores is not None:
        yield f"asked {asked.cpu:g} cpu, {needs.cores.max:.2f} busy at most"
    if advice.memory_mb is not None and needs.enough_mb is not None:
        wish = asked.memory_mb if asked is not None else None
        said = f"asked {wish:,} MB" if wish is not None else "asked no memory"
        yield f"{said}, peak {needs.enough_mb:,.0f} MB"


def _mb(amount: float) -> str:
    return f"{amount:,.0f}"
