"""What looking commands share, beside a script and under `swell`: store, streams, words."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable

import click

from swell.cli.paths import path_text
from swell.cli.render import Paint, paint_for
from swell.cli.tables import WIDE
from swell.model.cause import Cause
from swell.model.facts import RunFact, RunStatus, TaskFact
from swell.session.flow import FlowAtHand
from swell.session.liveness import is_lost
from swell.session.place import Place, find_place
from swell.session.reading import LocalStores, open_place
from swell.settings import Settings

LOST = "lost"
"""The word for a run whose driver was killed without a word."""

_LINES_AT_ONCE = 2_000


class Looking:
    """One looking command: where it looks, and how it speaks.

    ``flow`` and ``script`` are those of the script the command stands beside; None under
    `swell`. Bodies go to stdout, headings and hints to stderr, unless ``is_quiet``.
    """

    def __init__(
        self, settings: Settings, flow: str | None, script: str | None, *, is_quiet: bool
    ) -> None:
        self.settings = settings
        self.flow = flow
        self.is_quiet = is_quiet
        self._script = script
        self.paint = paint_for(sys.stdout, no_color=settings.no_color)
        self.heading_paint = paint_for(sys.stderr, no_color=settings.no_color)

    @property
    def program(self) -> str:
        """What a person types before a command."""
        return "swell" if self.flow is None else f"python {shlex.quote(sys.argv[0])}"

    @property
    def place(self) -> Place:
        """The store folder in force."""
        return find_place(self.settings, self._script, os.getcwd())

    def open(self) -> LocalStores:
        """The store. Raises MetadataError where there is none."""
        return open_place(self.place, self._script or "")

    def open_or_none(self) -> LocalStores | None:
        """The store; None where no run was made yet."""
        place = self.place
        return open_place(place, self._script or "") if place.may_have_runs else None

    def path(self, run: RunFact, *rest: str) -> str:
        """A path as a person would type it here."""
        return path_text(run.id, *rest, flow=self.flow)

    def say(self, text: str) -> None:
        """A hint or heading, on stderr; what was printed before stands before it."""
        if not self.is_quiet:
            sys.stdout.flush()
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def heading(self, text: str) -> None:
        """A heading over what comes next."""
        self.say(self.heading_paint.bold(text))

    def print(self, lines: Iterable[str]) -> None:
        """The body."""
        some: list[str] = []
        for line in lines:
            some.append(line)
            if len(some) >= _LINES_AT_ONCE:
                sys.stdout.write("\n".join(some) + "\n")
                some.clear()
        if some:
            sys.stdout.write("\n".join(some) + "\n")

    def flush(self) -> None:
        """Let the reader see what was printed."""
        sys.stdout.flush()

    @property
    def width(self) -> int:
        """Columns of the terminal that the body goes to; without end for a file or pipe."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


def looking_of(ctx: click.Context) -> Looking:
    """From the context of any command, of a script or of `swell`."""
    is_quiet = bool(ctx.find_root().params.get("quiet"))
    if isinstance(ctx.obj, FlowAtHand):
        at_hand = ctx.obj
        return Looking(at_hand.settings, at_hand.name, at_hand.script, is_quiet=is_quiet)
    assert isinstance(ctx.obj, Settings)
    return Looking(ctx.obj, None, None, is_quiet=is_quiet)


def status_word(run: RunFact) -> str:
    """'running', 'done', 'failed', 'interrupted' or 'lost'."""
    return LOST if is_lost(run) else run.status.value


def is_over(run: RunFact) -> bool:
    """Whether no task of it can still do anything; those of a detached run go on."""
    return status_word(run) not in (RunStatus.RUNNING.value, RunStatus.DETACHED.value)


def status_colour(word: str, paint: Paint) -> Callable[[str], str]:
    """What colours a status of that word."""
    colours = {
        RunStatus.DONE.value: paint.green,
        RunStatus.FAILED.value: paint.red,
        LOST: paint.red,
        RunStatus.INTERRUPTED.value: paint.yellow,
    }
    return colours.get(word, paint.bold)


def task_state(fact: TaskFact, *, run_is_over: bool) -> str:
    """'done', 'caught', 'failed', 'running', 'waiting', 'cut short' in one word or two."""
    if fact.caught:
        return "caught"
    if fact.ok:
        return "done"
    if fact.ended_at is not None:
        return "cancelled" if fact.cause is Cause.CANCELLED else "failed"
    if run_is_over:
        return "cut short" if fact.attempt is not None else "not begun"
    return "running" if fact.attempt is not None else "waiting"


def ago_text(seconds: float) -> str:
    """'just now', '5 min ago', '3 h ago', '2 days ago'."""
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 48 * 3600:
        return f"{seconds // 3600:.0f} h ago"
    return f"{seconds // 86400:.0f} days ago"
