"""`diff`: what differs between two runs, in sections; `--json` for tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from swell.cli.looking import Looking, looking_of, status_word
from swell.cli.paths import find_whole_run
from swell.cli.render import count_text, duration_text, size_text
from swell.cli.tables import Cell, Column, cut, one_line, table_lines
from swell.client.compare import (
    ArtifactChange,
    Change,
    RunDiff,
    StepPair,
    StepSum,
    compare_runs,
    content_key,
)
from swell.client.run_view import view_run
from swell.errors import UsageError
from swell.model.facts import RunFact, RunStatus
from swell.model.record import ArtifactRef

_SHOWN = 40
"""Lines of a script's differences, and artifacts, that are shown without ``--all``."""
_DETAILS = 12
_SECTION_OF = {"parameters": "parameters, configs and constants"}

_UNKNOWN = {
    "code": "The text of the script is not known of both runs.",
    "packages": "The versions of packages are not known of both runs.",
}


def diff_command(ctx: click.Context) -> click.Command:
    """``diff RUN RUN``."""
    del ctx
    return click.Command(
        "diff",
        params=[
            click.Argument(["runs"], nargs=-1, metavar="RUN RUN"),
            click.Option(["--json", "as_json"], is_flag=True, help="As one JSON object."),
            click.Option(["--all", "is_whole"], is_flag=True, help="Leave nothing out."),
        ],
        callback=_diff,
        help="Say what differs between two runs: parameters, code, packages, steps, artifacts, "
        "time and memory. Artifacts are compared by their content, and none is loaded.",
    )


@click.pass_context
def _diff(ctx: click.Context, /, runs: tuple[str, ...], as_json: bool, is_whole: bool) -> None:
    looking = looking_of(ctx)
    if len(runs) != 2:
        many = (
            f"{len(runs)} were given" if len(runs) > 1 else f"{'one' if runs else 'none'} was given"
        )
        raise UsageError(
            f"'diff' compares two runs, and {many}.",
            remedy=f"Name both, like '{looking.program} diff {_example(looking)}'.",
        )
    stores = looking.open()
    first, second = (find_whole_run(stores, text, looking.flow).run for text in runs)
    if first.id == second.id:
        raise UsageError(
            f"'{runs[0]}' and '{runs[1]}' are the same run.", remedy="Name two that are different."
        )
    found = compare_runs(view_run(stores, first), view_run(stores, second))
    if as_json:
        import json

        looking.print([json.dumps(_plain((first, second), found), indent=2, ensure_ascii=False)])
        return
    for run in (first, second):
        if status_word(run) == RunStatus.RUNNING.value:
            looking.say(f"{looking.path(run)} still runs: more may follow.")
    if first.id.flow != second.id.flow:
        looking.say("The runs are of different flows: what has the same name is compared.")
    names = (looking.path(first), looking.path(second))
    looking.print(_Page(looking, names, is_whole=is_whole).lines((first, second), found))


def _example(looking: Looking) -> str:
    return "14 15" if looking.flow else "BigSumFlow/14 BigSumFlow/15"


# --- as text ---------------------------------------------------------------------------


class _Page:
    """Lines for people; ``names`` are the runs as they would type them here."""

    def __init__(self, looking: Looking, names: tuple[str, str], *, is_whole: bool) -> None:
        self._looking = looking
        self._paint = looking.paint
        self._names = names
        self._is_whole = is_whole

    def lines(self, runs: tuple[RunFact, RunFact], found: RunDiff) -> Iterator[str]:
        """The whole page."""
        yield from self._heading(runs)
        yield from self._changes("parameters", found.parameters)
        yield from self._code(found)
        yield from self._changes("packages", found.packages)
        yield from self._changes("steps", list(map(_step_change, found.changed_steps)))
        yield from self._artifacts(found)
        yield from self._times(found.steps)
        yield from self._last_words(found)

    def _heading(self, runs: tuple[RunFact, RunFact]) -> Iterator[str]:
        rows: list[list[str | Cell]] = []
        for sign, name, run in zip("-+", self._names, runs, strict=True):
            took = ""
            if run.finished_at is not None:
                took = duration_text(run.finished_at - run.created_at)
            heading = Cell(f"{sign} {name}", self._colour(sign))
            rows.append([heading, status_word(run), took, run.user])
        columns = [Column(""), Column(""), Column("", is_number=True), Column("", may_be_cut=True)]
        yield from table_lines(columns, rows, self._looking.width)[1:]

    def _section(self, title: str, note: str = "") -> Iterator[str]:
        yield ""
        yield self._paint.bold(_SECTION_OF.get(title, title)) + self._paint.dim(note)

    def _changes(self, title: str, changes: Sequence[Change]) -> Iterator[str]:
        """A line a name: what it is in the first run, what in the second."""
        if not changes:
            return
        yield from self._section(title)
        rows: list[list[str | Cell]] = [
            [f"  {change.name}", self._side("-", change.first), self._side("+", change.second)]
            for change in changes
        ]
        columns = [Column(""), Column("", may_be_cut=True), Column("", may_be_cut=True)]
        yield from table_lines(columns, rows, self._looking.width)[1:]

    def _code(self, found: RunDiff) -> Iterator[str]:
        if not (found.code or found.script):
            return
        yield from self._section("code")
        if found.code:
            yield from list(self._changes("code", found.code))[2:]
        if not found.script:
            return
        if all(change.name != "commit" for change in found.code):
            yield "  the script differs, and no commit tells of it:"
        shown = found.script if self._is_whole else found.script[:_SHOWN]
        for line in shown:
            text = cut(f"    {one_line(line)}".rstrip(), self._looking.width)
            yield self._line_colour(line)(text)
        yield from self._left_out(len(found.script) - len(shown), "line")

    def _artifacts(self, found: RunDiff) -> Iterator[str]:
        if not found.artifacts:
            return
        yield from self._section("artifacts", f" ({found.same_artifacts:,} the same)")
        shown = found.artifacts if self._is_whole else found.artifacts[:_SHOWN]
        for change in shown:
            name = self._paint.bold(f"{change.step} · {one_line(change.name)}")
            yield f"  {name}{_where(change)}"
            yield from self._previews(change)
        yield from self._left_out(len(found.artifacts) - len(shown), "artifact")

    def _previews(self, change: ArtifactChange) -> Iterator[str]:
        """Lines that only one preview has, under their first line where that is the same."""
        first, second = (_preview(ref) for ref in (change.first, change.second))
        if change.first is not None and change.second is not None and first == second:
            yield self._fit(f"      {first[0]}")
            yield self._paint.dim("      (the same preview, but the content differs)")
            return
        if first and second and first[0] == second[0]:
            yield self._fit(f"      {first[0]}")
        for sign, own, other in (("-", first, second), ("+", second, first)):
            only = [line for line in own if line not in other]
            shown = only if self._is_whole else only[:_DETAILS]
            for line in shown:
                yield self._colour(sign)(self._fit(f"    {sign} {line}"))
            yield from self._left_out(len(only) - len(shown), "line")

    def _times(self, steps: Sequence[StepPair]) -> Iterator[str]:
        rows = [_time_row(pair) for pair in steps]
        if not any(any(row[1:]) for row in rows):
            return
        yield from self._section("time and memory", f" ({self._names[0]}, {self._names[1]})")
        columns = [Column("  step", may_be_cut=True)]
        for title in ("typical", "", "longest", "", "peak memory", ""):
            columns.append(Column(title, is_number=True))
        yield from table_lines(columns, rows, self._looking.width, heading=self._paint.dim)

    def _last_words(self, found: RunDiff) -> Iterator[str]:
        words = [_SECTION_OF.get(name, name) for name in found.same_in]
        if words:
            yield ""
            yield f"The two runs are the same in {_listed(words)}."
        for name in found.unknown:
            yield _UNKNOWN[name]

    # --- small parts ---

    def _side(self, sign: str, text: str | None) -> Cell:
        shown = "(none)" if text is None else one_line(text)
        return Cell(shown, self._paint.dim if text is None else self._colour(sign))

    def _colour(self, sign: str) -> Callable[[str], str]:
        return self._paint.red if sign == "-" else self._paint.green

    def _line_colour(self, line: str) -> Callable[[str], str]:
        return self._colour(line[0]) if line[:1] in ("-", "+") else self._paint.dim

    def _fit(self, text: str) -> str:
        return cut(one_line(text).rstrip(), self._looking.width)

    def _left_out(self, count: int, what: str) -> Iterator[str]:
        if count > 0:
            yield self._paint.dim(f"    … {count_text(count, f'more {what}')} (--all)")


def _step_change(pair: StepPair) -> Change:
    return Change(pair.name, _tasks(pair.first), _tasks(pair.second))


def _tasks(one: StepSum | None) -> str | None:
    return None if one is None else count_text(one.tasks, "task")


def _where(change: ArtifactChange) -> str:
    """' (2 of 40 tasks, the first at [3])'."""
    if change.tasks < 2:
        return ""
    place = f", the first at {list(change.indices)}" if change.indices else ""
    return f" ({change.differing:,} of {change.tasks:,} tasks{place})"


def _preview(ref: ArtifactRef | None) -> list[str]:
    return ["(none)"] if ref is None else ref.preview.splitlines() or [""]


def _time_row(pair: StepPair) -> list[str | Cell]:
    first, second = pair.first or StepSum(), pair.second or StepSum()
    return [
        f"  {pair.name}",
        _seconds(first.typical_s),
        _seconds(second.typical_s),
        _seconds(first.longest_s),
        _seconds(second.longest_s),
        _megabytes(first.peak_memory_mb),
        _megabytes(second.peak_memory_mb),
    ]


def _seconds(value: float | None) -> str:
    return "" if value is None else duration_text(value)


def _megabytes(value: float | None) -> str:
    return "" if value is None else size_text(value * 1_000_000)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


# --- for tools -------------------------------------------------------------------------


def _plain(runs: tuple[RunFact, RunFact], found: RunDiff) -> dict[str, Any]:
    """Pairs are [first run, second run]; null: nothing there."""
    return {
        "runs": [str(run.id) for run in runs],
        "parameters": _plain_changes(found.parameters),
        "code": _plain_changes(found.code),
        "script": list(found.script),
        "packages": _plain_changes(found.packages),
        "steps": {
            pair.name: {
                "tasks": [one and one.tasks for one in (pair.first, pair.second)],
                "typical_s": [one and one.typical_s for one in (pair.first, pair.second)],
                "longest_s": [one and one.longest_s for one in (pair.first, pair.second)],
                "peak_memory_mb": [one and one.peak_memory_mb for one in (pair.first, pair.second)],
            }
            for pair in found.steps
        },
        "artifacts": [
            {
                "step": change.step,
                "name": change.name,
                "tasks": change.tasks,
                "differing": change.differing,
                "indices": list(change.indices),
                "values": [_plain_ref(ref) for ref in (change.first, change.second)],
            }
            for change in found.artifacts
        ],
        "same_artifacts": found.same_artifacts,
        "same_in": list(found.same_in),
        "unknown": list(found.unknown),
    }


def _plain_changes(changes: Sequence[Change]) -> dict[str, list[str | None]]:
    return {change.name: [change.first, change.second] for change in changes}


def _plain_ref(ref: ArtifactRef | None) -> dict[str, Any] | None:
    if ref is None:
        return None
    return {"type": ref.type, "size": ref.size, "key": content_key(ref), "preview": ref.preview}
