"""`dump`: the artifacts of tasks, to be read or as a pickle."""

from __future__ import annotations

import pprint
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import click

from swell.cli.looking import Looking, is_over, looking_of, task_state
from swell.cli.paths import Found, find_path
from swell.cli.render import size_text
from swell.cli.tables import cut, one_line, shown_width
from swell.client.derived import DERIVED, derived_ref
from swell.errors import CommandException, StoreError, Untrusted, UseError
from swell.model.facts import TaskFact
from swell.model.record import ArtifactRef, Outcome
from swell.session.reading import LocalStores

_PAGE_WIDTH = 100
"""Where values are wrapped at the latest, and where the output is no terminal."""
_WIDEST_TYPE = 24
_NARROWEST_VALUE = 24
_KEPT_BYTES = 1_000
"""Texts of values up to this size are kept for the next task that has them."""

Refs = Mapping[str, ArtifactRef]


def dump_command(ctx: click.Context) -> click.Command:
    """``dump PATH``."""
    del ctx
    return click.Command(
        "dump",
        params=[
            click.Argument(["path"]),
            click.Option(
                ["--private"], is_flag=True, help="Also artifacts that begin with an underscore."
            ),
            click.Option(
                ["--max-value-size"],
                type=click.IntRange(min=0),
                default=1000,
                show_default=True,
                help="Show values of up to so many bytes; 0: names only.",
            ),
            click.Option(["--include"], metavar="A,B", help="Only these artifacts."),
            click.Option(
                ["--file"],
                metavar="FILE",
                help="Write all values to FILE, as a pickle of {'run/step/task': {name: value}}.",
            ),
        ],
        callback=_dump,
        help="Show the artifacts of a step's tasks, or of one task (PATH: run/step[/task]).",
    )


@click.pass_context
def _dump(
    ctx: click.Context,
    /,
    path: str,
    private: bool,
    max_value_size: int,
    include: str | None,
    file: str | None,
) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    found = find_path(stores, path, looking.flow)
    only = frozenset(name.strip() for name in include.split(",")) if include else None
    tasks = _refs_by_task(stores, found, private=private, only=only)
    if only:
        _tell_missing(looking, only, tasks)
    if file is not None:
        _write(looking, stores, found, tasks, file)
        return
    page = min(looking.width, _PAGE_WIDTH)
    texts = _Texts(stores, max_value_size, page)
    for number, (fact, refs) in enumerate(tasks):
        created = fact.created
        heading = looking.path(found.run, created.step, created.task)
        if not fact.ok:
            heading += f" · {task_state(fact, run_is_over=is_over(found.run))}"
        looking.heading(("\n" if number else "") + heading)
        if not refs:
            looking.say("(It has no such artifacts.)" if only else "(It has left no artifacts.)")
        looking.print(_lines(looking, texts, refs, page) if max_value_size else refs)


# --- which artifacts -------------------------------------------------------------------


def _refs_by_task(
    stores: LocalStores, found: Found, *, private: bool, only: frozenset[str] | None
) -> list[tuple[TaskFact, Refs]]:
    """Each task with its artifacts, sorted by name."""
    one = None if found.task is None else [found.task]
    stored = stores.metastore.records(found.run.id, step=found.step, tasks=one)
    records = {record.job.task: record.record.artifacts for record in stored}
    outcomes = _outcomes(stores, found) if private else {}
    tasks: list[tuple[TaskFact, Refs]] = []
    for fact in found.tasks:
        task = fact.created.task
        refs: dict[str, ArtifactRef] = {}
        if task in outcomes:
            for name in DERIVED:
                refs[name] = derived_ref(name, stores, found.run, fact, outcomes[task])
        refs.update(records.get(task, {}))
        wanted = {
            name: ref
            for name, ref in sorted(refs.items())
            if (private or not name.startswith("_")) and (only is None or name in only)
        }
        tasks.append((fact, wanted))
    return tasks


def _outcomes(stores: LocalStores, found: Found) -> dict[str, Outcome]:
    attempts = stores.metastore.attempts(found.run.id, found.step, found.task)
    return {one.job.task: one.outcome for one in attempts if one.outcome is not None}


def _tell_missing(
    looking: Looking, only: frozenset[str], tasks: list[tuple[TaskFact, Refs]]
) -> None:
    missing = only.difference(*(refs for _, refs in tasks))
    for name in sorted(missing):
        hint = " (--private shows those that begin with an underscore)" if name[:1] == "_" else ""
        looking.say(f"No artifact '{name}' here{hint}.")


# --- as text ---------------------------------------------------------------------------


def _lines(looking: Looking, texts: _Texts, refs: Refs, page: int) -> Iterator[str]:
    """Name, size, type, value; a value of several lines stands below."""
    paint = looking.paint
    names = max(map(shown_width, refs), default=0)
    sizes = max((len(size_text(ref.size)) for ref in refs.values()), default=0)
    types = min(_WIDEST_TYPE, max((len(ref.type) for ref in refs.values()), default=0))
    for name, ref in refs.items():
        head = (
            paint.bold(name + " " * (names - shown_width(name)))
            + f"  {size_text(ref.size):>{sizes}}  "
            + paint.dim(f"{ref.type:<{types}}")
        )
        room = max(_NARROWEST_VALUE, page - names - sizes - max(types, len(ref.type)) - 6)
        value = texts.of(ref, room)
        lines = value.text.splitlines() or [""]
        shown = [paint.dim(line) for line in lines] if value.is_note else lines
        if len(lines) == 1 and shown_width(lines[0]) <= room:
            yield f"{head}  {shown[0]}".rstrip()
        else:
            yield head.rstrip()
            yield from (f"    {line}" for line in shown)


class _Value(NamedTuple):
    """A value as text, or a note on why it is not shown."""

    text: str
    is_note: bool = False


class _Texts:
    """Values as text; one that many tasks have is loaded once."""

    def __init__(self, stores: LocalStores, max_value_size: int, page: int) -> None:
        self._stores = stores
        self._max_value_size = max_value_size
        self._page = page
        self._known: dict[ArtifactRef, _Value] = {}

    def of(self, ref: ArtifactRef, room: int) -> _Value:
        """The value of ``ref``; a note is cut to ``room`` columns."""
        if ref.size > self._max_value_size:
            note = f"larger than {self._max_value_size:,} bytes: {one_line(ref.preview_line)}"
            details = _preview(ref).splitlines()[1:]
            width = self._page - 4 if details else room
            return _Value("\n".join(cut(line, width) for line in (note, *details)), is_note=True)
        found = self._known.get(ref)
        if found is None:
            found = self._load(ref)
            if ref.size <= _KEPT_BYTES:
                self._known[ref] = found
        return found

    def _load(self, ref: ArtifactRef) -> _Value:
        try:
            value = self._stores.load(ref)
            if isinstance(value, str):
                return _Value(repr(value))
            return _Value(pprint.pformat(value, width=self._page - 4))
        except UseError:
            raise
        except StoreError as error:
            return _Value(f"{_preview(ref)}\nnot loaded: {error}", is_note=True)
        except Exception as error:
            # What the user's class raises in its own __setstate__ or __repr__.
            return _Value(f"{_preview(ref)}\ncannot be shown: {error!r}", is_note=True)


def _preview(ref: ArtifactRef) -> str:
    return "\n".join(map(one_line, ref.preview.splitlines()))


# --- as a file -------------------------------------------------------------------------


def _write(
    looking: Looking,
    stores: LocalStores,
    found: Found,
    tasks: list[tuple[TaskFact, Refs]],
    file: str,
) -> None:
    import pickle

    run = found.run.id.number
    values: dict[str, dict[str, Any]] = {}
    for fact, refs in tasks:
        path = f"{run}/{fact.created.step}/{fact.created.task}"
        loaded = values[path] = {}
        for name, ref in refs.items():
            try:
                loaded[name] = stores.load(ref)
            except Untrusted as error:
                raise error.located(f"Artifact {path}/{name}") from None
    try:
        with open(file, "wb") as out:
            pickle.dump(values, out, protocol=pickle.HIGHEST_PROTOCOL)
    except OSError as error:
        raise CommandException(
            f"{file} cannot be written: {error.strerror}.", remedy="Name a file that can be."
        ) from error
    looking.say(
        f"The artifacts of {len(values):,} task{'' if len(values) == 1 else 's'} are in {file}."
    )
