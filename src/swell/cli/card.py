"""`card`: list the cards of tasks, get their HTML, look at them in a browser."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from swell.cli.files import write_file
from swell.cli.looking import Looking, looking_of
from swell.cli.paths import Found, find_path, latest_run
from swell.cli.render import count_text, size_text
from swell.cli.tables import Cell, Column, table_lines
from swell.client.query import run_graph
from swell.errors import CardNotPresentException, CommandException
from swell.model.facts import RunFact, TaskFact
from swell.model.record import CardRef
from swell.session.reading import LocalStores

_SHORT_HASH = 8
TIMELINE = "timeline"
"""A card that every run has: where its time went. It is made when somebody asks for it."""


class _Card(NamedTuple):
    """A card and the task that has it."""

    run: RunFact
    task: TaskFact
    ref: CardRef

    @property
    def filename(self) -> str:
        """``type-id-hash.html``."""
        parts = (self.ref.type, self.ref.id, self.ref.hash)
        return "-".join(part for part in parts if part) + ".html"

    @property
    def pathspec(self) -> str:
        """``Flow/run/step/task``."""
        return f"{self.run.id}/{self.task.created.step}/{self.task.created.task}"


def card_command(ctx: click.Context) -> click.Command:
    """``card`` with its three commands."""
    del ctx
    path = click.Argument(["path"])
    commands = {
        "view": click.Command(
            "view",
            params=[path, *_choosing_options()],
            callback=_view,
            help="Open a card in the browser (PATH: step, of the latest run, or run/step[/task]).",
        ),
        "get": click.Command(
            "get",
            params=[path, click.Argument(["file"], required=False), *_choosing_options()],
            callback=_get,
            help="Write the HTML of a card to FILE, or to standard output.",
        ),
        "list": click.Command(
            "list",
            params=[
                click.Argument(["path"], required=False),
                *_choosing_options(),
                click.Option(["--as-json"], is_flag=True, help="As JSON."),
                click.Option(["--file"], metavar="FILE", help="Write the JSON to FILE."),
            ],
            callback=_list,
            help="List cards: of PATH, else of the latest run.",
        ),
    }
    return click.Group("card", commands=commands, help="Look at cards.")


def _choosing_options() -> list[click.Parameter]:
    return [
        click.Option(["--hash"], metavar="HASH", help="The card with this hash, or its beginning."),
        click.Option(
            ["--type"],
            metavar="TYPE",
            help="Cards of this type; 'timeline' with a run: where its time went.",
        ),
        click.Option(["--id"], metavar="ID", help="Cards with this id."),
        click.Option(
            ["--follow-resumed/--no-follow-resumed"],
            default=True,
            help="For tasks that resume took over: the cards of their origin.",
        ),
    ]


# --- commands ----------------------------------------------------------------------------


@click.pass_context
def _view(ctx: click.Context, /, path: str, **choice: Any) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    name, html = _one_page(looking, stores, path, choice)
    file = _temporary_file(name, html)
    if not looking.settings.has_display and sys.platform == "linux":
        looking.say("There is no screen here to open a browser on. The card is this file:")
        looking.print([file])
        return
    import webbrowser

    if webbrowser.open(f"file://{file}"):
        looking.say(f"The card opens in the browser: {file}")
    else:
        looking.say("No browser could be opened. The card is this file:")
        looking.print([file])


@click.pass_context
def _get(ctx: click.Context, /, path: str, file: str | None, **choice: Any) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    _, html = _one_page(looking, stores, path, choice)
    if file is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(html)
        return
    write_file(file, html)
    looking.say(f"The card is in {file} ({size_text(len(html))}).")


@click.pass_context
def _list(
    ctx: click.Context, /, path: str | None, as_json: bool, file: str | None, **choice: Any
) -> None:
    looking = looking_of(ctx)
    stores = looking.open() if path is not None else looking.open_or_none()
    if stores is None:
        looking.say("There are no cards: no run was made yet.")
        return
    found = _find(looking, stores, path)
    cards = _matching(_cards(stores, found), choice)
    if as_json or file:
        text = _json(cards, of_one_task=found.task is not None or len(found.tasks) == 1)
        if file:
            write_file(file, text.encode())
        else:
            looking.print([text])
        return
    if not cards:
        looking.say(f"{_where(looking, found)} has no cards{_choice_words(choice)}.")
        return
    looking.print(_table(looking, cards))


# --- choosing ----------------------------------------------------------------------------


def _find(looking: Looking, stores: LocalStores, path: str | None) -> Found:
    """What ``path`` means; a bare step is one of the latest run."""
    if path is not None and "/" not in path and not path.isdecimal():
        run = latest_run(stores, looking.flow)
        graph = run_graph(run)
        if graph is not None and path in graph.nodes:
            path = f"{run.id}/{path}"
    return find_path(stores, path, looking.flow)


def _cards(stores: LocalStores, found: Found) -> list[_Card]:
    one = None if found.task is None else [found.task]
    stored = stores.metastore.records(found.run.id, step=found.step, tasks=one)
    refs = {record.job.task: record.record.cards for record in stored}
    return [
        _Card(found.run, task, ref)
        for task in found.tasks
        for ref in refs.get(task.created.task, ())
    ]


def _matching(cards: Sequence[_Card], choice: dict[str, Any]) -> list[_Card]:
    return [
        card
        for card in cards
        if choice["type"] in (None, card.ref.type)
        and choice["id"] in (None, card.ref.id)
        and (choice["hash"] is None or card.ref.hash.startswith(choice["hash"]))
        and (choice["follow_resumed"] or card.task.created.origin_task is None)
    ]


def _one_page(
    looking: Looking, stores: LocalStores, path: str, choice: dict[str, Any]
) -> tuple[str, bytes]:
    """Name and HTML of the card that is meant. Raises CardNotPresentException, CommandException
    and, for the timeline of a run of which no task has ended, NotFound."""
    found = _find(looking, stores, path)
    cards = _cards(stores, found)
    matching = _matching(cards, choice)
    if found.step is None and choice["type"] == TIMELINE and not matching:
        from swell.cli.profile import timeline

        return f"{found.run.id}-{TIMELINE}.html", timeline(looking, stores, found.run)
    card = _one_of(looking, found, cards, matching, choice)
    return f"{card.pathspec}-{card.filename}", stores.load_card(card.ref)


def _one_of(
    looking: Looking,
    found: Found,
    cards: Sequence[_Card],
    matching: Sequence[_Card],
    choice: dict[str, Any],
) -> _Card:
    if len(matching) == 1:
        return matching[0]
    if not matching:
        raise CardNotPresentException(
            f"{_where(looking, found)} has no card{_choice_words(choice)}.",
            remedy=_those_there_are(looking, cards),
        )
    listed = "\n".join(f"    {line}" for line in _table(looking, matching))
    several_tasks = len({card.task.created.task for card in matching}) > 1
    how = f"card get {_task_path(looking, matching[0])}" if several_tasks else "--id or --hash"
    raise CommandException(
        f"{count_text(len(matching), 'card')} match:\n{listed}",
        remedy=f"Name one by its task, such as '{how}'."
        if several_tasks
        else f"Choose with {how}.",
    )


def _those_there_are(looking: Looking, cards: Sequence[_Card]) -> str:
    if not cards:
        return "A step has one if @card stands above it and it has ended: see 'card list'."
    return "Those there are:\n" + "\n".join(f"    {line}" for line in _table(looking, cards))


def _choice_words(choice: dict[str, Any]) -> str:
    said = [f"{name} '{choice[name]}'" for name in ("type", "id", "hash") if choice[name]]
    return f" with {' and '.join(said)}" if said else ""


def _where(looking: Looking, found: Found) -> str:
    kind = "Run" if found.step is None else "Step" if found.task is None else "Task"
    rest = [part for part in (found.step, found.task) if part is not None]
    return f"{kind} {looking.path(found.run, *rest)}"


def _task_path(looking: Looking, card: _Card) -> str:
    return looking.path(card.run, card.task.created.step, card.task.created.task)


# --- showing -----------------------------------------------------------------------------


def _table(looking: Looking, cards: Sequence[_Card]) -> list[str]:
    paint = looking.paint
    columns = [
        Column("task"),
        Column("type"),
        Column("id", may_be_cut=True),
        Column("hash"),
        Column("size", is_number=True),
    ]
    rows: list[list[str | Cell]] = [
        [
            Cell(_task_path(looking, card), paint.bold),
            card.ref.type,
            card.ref.id or "",
            card.ref.hash[:_SHORT_HASH],
            size_text(card.ref.size),
        ]
        for card in cards
    ]
    return table_lines(columns, rows, looking.width, heading=paint.dim)


def _json(cards: Sequence[_Card], *, of_one_task: bool) -> str:
    import json

    by_task: dict[str, list[dict[str, Any]]] = {}
    for card in cards:
        by_task.setdefault(card.pathspec, []).append(
            {
                "id": card.ref.id,
                "hash": card.ref.hash,
                "type": card.ref.type,
                "filename": card.filename,
            }
        )
    listed = [{"pathspec": path, "cards": found} for path, found in by_task.items()]
    return json.dumps(listed[0] if of_one_task and listed else listed, indent=4)


def _temporary_file(name: str, html: bytes) -> str:
    import os
    import tempfile

    # It stays: the browser reads it at its own time.
    folder = tempfile.mkdtemp(prefix="swell-card-")
    path = os.path.join(folder, name.replace("/", "-"))
    write_file(path, html)
    return path
