"""`profile`: where the time of a run went, as text, JSON, or a page with a picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from swell.cli.files import write_file
from swell.cli.looking import Looking, looking_of, status_word
from swell.cli.paths import find_whole_run
from swell.cli.render import Paint, count_text, duration_text, size_text
from swell.cli.tables import WIDE, Cell, Column, table_lines
from swell.client.query import run_graph
from swell.client.time_spent import PHASES, Span, StepTime, TimeSpent, time_spent
from swell.errors import NotFound
from swell.model.facts import RunFact, RunStatus
from swell.model.ids import PARAMETERS_STEP
from swell.session.reading import LocalStores

_SHOWN = 20
"""Attempts of the critical path that are shown without ``--all``."""
_BAR = 24
_LARGE = 0.2
"""From this share of the critical path on, advice is given on a phase."""

PHASE_WORDS = {
    "wait": "waiting for a slot",
    "queue": "in the backend's queue",
    "start": "starting processes",
    "load": "loading artifacts",
    "code": "the steps' own code",
    "save": "saving artifacts",
    "report": "until its end was known",
    "rest": "between and after tasks",
}
_ADVICE = {
    "wait": "More would run at once with a higher --max-workers, smaller @resources, or on a "
    "larger machine.",
    "queue": "'batch why' says what jobs of a queue wait for.",
    "start": "Most of a start is what the script imports at its top: import in the step what "
    "only one step needs.",
    "load": "A step loads what it reads of self, and a join what it reads of its inputs: read "
    "less, or inputs.values(…) for one name of thousands.",
    "save": "What a step need not hand on can be deleted (del self.x) or stay out of self.",
    "report": "SWELL_REMOTE_POLL_S is how often ends of remote tasks are looked for.",
}


def profile_command(ctx: click.Context) -> click.Command:
    """``profile RUN``."""
    del ctx
    return click.Command(
        "profile",
        params=[
            click.Argument(["path"], required=False, metavar="[RUN]"),
            click.Option(["--json", "as_json"], is_flag=True, help="Seconds as one JSON object."),
            click.Option(["--all", "is_whole"], is_flag=True, help="Leave nothing out."),
            click.Option(
                ["--html"], metavar="FILE", help="Write a page with a picture of it to FILE."
            ),
        ],
        callback=_profile,
        help="Say where the time of a run (default: the latest) went: its critical path, and "
        "what a typical attempt of each step waited for.",
    )


@click.pass_context
def _profile(
    ctx: click.Context, /, path: str | None, as_json: bool, is_whole: bool, html: str | None
) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    ctx.call_on_close(stores.close)
    run = find_whole_run(stores, path, looking.flow).run
    spent = _spent(looking, stores, run)
    if html is not None:
        page = _page(run, spent)
        write_file(html, page)
        looking.say(f"The page is in {html} ({size_text(len(page))}).")
        return
    if as_json:
        looking.print([json.dumps(_plain(run, spent), indent=2)])
        return
    if status_word(run) == RunStatus.RUNNING.value:
        looking.say(f"{looking.path(run)} still runs: this is how it stands now.")
    looking.print([_first_line(looking, run, spent), ""])
    looking.print(_lines(spent, looking.paint, looking.width, is_whole=is_whole))
    advice = advice_on(spent)
    if advice:
        looking.print(["", *advice])


def timeline(looking: Looking, stores: LocalStores, run: RunFact) -> bytes:
    """The page of ``run``: HTML that needs nothing else. Raises NotFound where nothing ended."""
    return _page(run, _spent(looking, stores, run))


def _spent(looking: Looking, stores: LocalStores, run: RunFact) -> TimeSpent:
    """Raises NotFound where no task has ended."""
    metastore = stores.metastore
    graph = run_graph(run)
    order = (graph.order or tuple(graph.nodes)) if graph is not None else ()
    tasks = [one for one in metastore.tasks(run.id) if one.created.step != PARAMETERS_STEP]
    attempts = [one for one in metastore.attempts(run.id) if one.step != PARAMETERS_STEP]
    spent = time_spent(run.created_at, tasks, attempts, order)
    if not spent.spans:
        raise NotFound(
            f"No task of run {looking.path(run)} has ended here, so nothing is known of its time.",
            remedy="Look again when one has, or at the run it resumed.",
        )
    return spent


# --- as text ---------------------------------------------------------------------------


def _lines(spent: TimeSpent, paint: Paint, width: int, *, is_whole: bool) -> Iterator[str]:
    yield paint.bold("critical path") + paint.dim(
        f" ({count_text(len(spent.path), 'attempt')}, each waited for the one before)"
    )
    yield from table_lines(
        [Column(""), Column("", is_number=True), Column("", is_number=True), Column("")],
        [
            [f"  {PHASE_WORDS[name]}", duration_text(seconds), f"{share:.0%}", _bar(share)]
            for name, seconds, share in _shares(spent)
        ],
        width,
    )[1:]
    yield ""
    yield paint.bold("steps") + paint.dim(" (seconds of a typical attempt)")
    yield from table_lines(
        [
            Column("  step", may_be_cut=True),
            *(Column(title, is_number=True) for title in ("tasks", "from", "to", *PHASES)),
        ],
        [_step_row(step, spent) for step in spent.steps],
        width,
        heading=paint.dim,
    )
    yield ""
    yield paint.bold("attempts on the critical path")
    shown = spent.path if is_whole else _longest(spent.path)
    yield from table_lines(
        [Column("  task", may_be_cut=True), *(Column(name, is_number=True) for name in PHASES)],
        [[f"  {_name(span)}", *map(_seconds, span.seconds)] for span in shown],
        width,
        heading=paint.dim,
    )
    if len(shown) < len(spent.path):
        left = count_text(len(spent.path) - len(shown), "shorter one")
        yield paint.dim(f"  … {left} (--all)")


def _first_line(looking: Looking, run: RunFact, spent: TimeSpent) -> str:
    tasks = sum(step.tasks for step in spent.steps)
    attempts = len(spent.spans)
    more = f" in {attempts:,} attempts" if attempts != tasks else ""
    open_ones = f", {spent.unfinished:,} not ended" if spent.unfinished else ""
    took = duration_text(spent.end - spent.begin)
    return f"Run {looking.path(run)} took {took}: {count_text(tasks, 'task')}{more}{open_ones}."


def advice_on(spent: TimeSpent) -> list[str]:
    """A sentence for each phase that takes a large share of the critical path."""
    sentences = []
    for name, _, share in _shares(spent):
        if share < _LARGE:
            continue
        if name == "code":
            step, seconds = _slowest_step(spent.path)
            sentences.append(
                f"{seconds / (spent.end - spent.begin):.0%} of the time is the code of "
                f"'{step}': a faster '{step}', or one split by foreach, ends the run sooner."
            )
        elif name in _ADVICE:
            sentences.append(f"{share:.0%} of the time is {PHASE_WORDS[name]}. {_ADVICE[name]}")
    return sentences


def _slowest_step(path: Sequence[Span]) -> tuple[str, float]:
    sums: dict[str, float] = {}
    for span in path:
        sums[span.step] = sums.get(span.step, 0.0) + span.of("code")
    return max(sums.items(), key=lambda one: one[1])


def _shares(spent: TimeSpent) -> list[tuple[str, float, float]]:
    """(phase, seconds on the critical path, share of the run), longest first."""
    length = max(spent.end - spent.begin, 1e-9)
    rows = [(name, seconds, seconds / length) for name, seconds in spent.on_path().items()]
    return sorted((row for row in rows if row[1] > 0.0005), key=lambda row: -row[1])


def _longest(path: Sequence[Span]) -> list[Span]:
    kept = sorted(path, key=lambda span: -sum(span.seconds))[:_SHOWN]
    return [span for span in path if span in kept]


def _bar(share: float) -> str:
    return "█" * round(share * _BAR)


def _step_row(step: StepTime, spent: TimeSpent) -> list[str | Cell]:
    return [
        f"  {step.name}",
        f"{step.tasks:,}",
        _seconds(step.begin - spent.begin),
        _seconds(step.end - spent.begin),
        *map(_seconds, step.typical),
    ]


def _seconds(seconds: float) -> str:
    """Seconds to the millisecond, '·' for nothing worth a digit."""
    return "·" if seconds < 0.0005 else f"{seconds:,.3f}"


def _name(span: Span) -> str:
    return f"{span.step}/{span.task}" + (f" (attempt {span.attempt})" if span.attempt else "")


# --- as a page -------------------------------------------------------------------------


def _page(run: RunFact, spent: TimeSpent) -> bytes:
    from swell.cards.time_chart import Bar, Row, TimeChart, time_page

    def bars(span: Span) -> Iterator[Bar]:
        at = span.begin - spent.begin
        for name, seconds in zip(PHASES, span.seconds, strict=True):
            words = f"{_name(span)}: {PHASE_WORDS[name]}, {duration_text(seconds)}"
            if seconds > 0:
                yield Bar(at, at + seconds, name, words)
            at += seconds

    rows = [
        Row(
            step.name,
            [
                (span.is_on_since - spent.begin, span.end - spent.begin)
                for span in spent.spans
                if span.step == step.name
            ],
            [bar for span in spent.path if span.step == step.name for bar in bars(span)],
        )
        for step in spent.steps
    ]
    legend = [(name, PHASE_WORDS[name]) for name in PHASES]
    chart = TimeChart(spent.end - spent.begin, rows, legend)
    text = _lines(spent, Paint(enabled=False), WIDE, is_whole=False)
    facts = [
        ("Took", duration_text(spent.end - spent.begin)),
        ("Tasks", f"{sum(step.tasks for step in spent.steps):,}"),
        ("Attempts", f"{len(spent.spans):,}"),
        ("User", run.user),
    ]
    return time_page(str(run.id), facts, chart, advice_on(spent), "\n".join(text)).encode()


# --- for tools -------------------------------------------------------------------------


def _plain(run: RunFact, spent: TimeSpent) -> dict[str, Any]:
    return {
        "run": str(run.id),
        "seconds": spent.end - spent.begin,
        "unfinished": spent.unfinished,
        "critical_path": {
            "seconds": spent.on_path(),
            "attempts": [
                {
                    "step": span.step,
                    "task": span.task,
                    "attempt": span.attempt,
                    "begin": span.begin,
                    "seconds": dict(zip(PHASES, span.seconds, strict=True)),
                }
                for span in spent.path
            ],
        },
        "steps": {
            step.name: {
                "tasks": step.tasks,
                "attempts": step.attempts,
                "begin": step.begin,
                "end": step.end,
                "totals": dict(zip(PHASES, step.totals, strict=True)),
                "typical": dict(zip(PHASES, step.typical, strict=True)),
            }
            for step in spent.steps
        },
    }
