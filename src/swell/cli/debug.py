"""`debug`: runs one task of an earlier run in this process, under pdb where it fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from swell.cli.at_hand import flow_of, kept_withs, settled, top_params
from swell.cli.exits import EXIT_FAILED, EXIT_OK
from swell.cli.looking import Looking, looking_of
from swell.cli.paths import find_path, latest_run, typed_path
from swell.cli.tables import cut, one_line
from swell.cli.wording import failure_words, sentence
from swell.errors import CommandException, UsageError
from swell.model.facts import TaskFact
from swell.session.flow import FlowAtHand
from swell.settings import choose_root

if TYPE_CHECKING:
    from types import TracebackType

    from swell.session.debugging import Chosen, Debugging
    from swell.session.reading import LocalStores
    from swell.task.runner import Replayed

_VALUE_WIDTH = 100
_ITEM_WIDTH = 60


def debug_command(ctx: click.Context) -> click.Command:
    """``debug RUN/STEP/TASK``, beside a script and under `swell`."""
    beside_script = isinstance(ctx.obj, FlowAtHand)
    return click.Command(
        "debug",
        params=[
            click.Argument(["path"]),
            click.Option(
                ["--attempt"],
                type=click.IntRange(min=0),
                help="The attempt to be, 0 being the first; else the last.",
            ),
            click.Option(
                ["--pdb/--no-pdb"],
                default=True,
                help="Stop in the debugger where it fails; without a terminal never.",
            ),
        ],
        callback=_debug if beside_script else _hand_over,
        help="Run a task of an earlier run again, in this process (PATH: run/step/task). "
        "Nothing is stored.",
    )


@click.pass_context
def _hand_over(ctx: click.Context, /, path: str, attempt: int | None, pdb: bool) -> None:
    """Under `swell` there is no script: the one that the run remembers takes over."""
    looking = looking_of(ctx)
    stores = looking.open()
    found = find_path(stores, path, None)
    fact = _one_task(looking, stores, path)
    script, place = found.run.script, stores.place
    stores.close()
    if not script or not os.path.isfile(script):
        where = f"its script {script} is not there any more" if script else "it has no script"
        raise CommandException(
            f"Run {found.run.id} cannot be debugged from here: {where}.",
            remedy="Put the script back, or call the one you have: python flow.py debug …",
        )
    created = fact.created
    words = [
        sys.executable,
        script,
        "debug",
        f"{found.run.id.number}/{created.step}/{created.task}",
    ]
    words += [] if attempt is None else ["--attempt", str(attempt)]
    words += [] if pdb else ["--no-pdb"]
    choose_root(place.root)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, words)


@click.pass_context
def _debug(ctx: click.Context, /, path: str, attempt: int | None, pdb: bool) -> int:
    from swell.session.debugging import Debugging, choose_attempt
    from swell.session.origin import configs_of_origin, withs_of_run

    looking = looking_of(ctx)
    at_hand = ctx.obj
    stores = looking.open()
    fact = _one_task(looking, stores, path)
    run = find_path(stores, path, looking.flow).run
    number = str(run.id.number)

    def of_run(names: Any) -> dict[str, Any]:
        return configs_of_origin(at_hand.settings, at_hand.script, at_hand.name, number, names)

    flow_of(ctx, kept=of_run)
    withs = withs_of_run(at_hand.settings, at_hand.script, at_hand.name, number)
    flow = settled(ctx, kept_withs(ctx, withs))
    top = top_params(ctx)
    project = flow.project(top["branch"], top["production"])
    debugging = Debugging(
        flow,
        at_hand.settings,
        stores,
        run,
        choose_attempt(stores, fact, attempt),
        project.facts if project is not None else {},
    )
    _tell_beginning(looking, stores, debugging, choose_attempt(stores, fact, attempt))
    wants_pdb = pdb and sys.stdin.isatty() and sys.stdout.isatty()
    codes: list[int] = []
    debugging.replay(lambda done: codes.append(_look(looking, done, wants_pdb=wants_pdb)))
    return codes[0]


def _one_task(looking: Looking, stores: LocalStores, path: str) -> TaskFact:
    """The task that ``path`` names. Raises UsageError where it names several."""
    typed = typed_path(path, looking.flow)
    if typed.run is None and typed.step is None:
        found = find_path(stores, str(latest_run(stores, looking.flow).id), looking.flow)
    else:
        found = find_path(stores, path, looking.flow)
    if len(found.tasks) == 1 and found.step is not None:
        return found.tasks[0]
    failed = [fact for fact in found.tasks if fact.ok is False or fact.caught]
    shown = (failed or found.tasks)[:1]
    remedy = "Name one task, as run/step/task."
    if shown:
        created = shown[0].created
        example = looking.path(found.run, created.step, created.task)
        which = "The first that failed" if failed else "The first"
        remedy = f"{which} is: {looking.program} debug {example}"
    raise UsageError(f"'{path}' is {len(found.tasks):,} tasks, and one is debugged.", remedy=remedy)


# --- what is told --------------------------------------------------------------------------


def _tell_beginning(
    looking: Looking, stores: LocalStores, debugging: Debugging, chosen: Chosen
) -> None:
    from swell.session.failed import foreach_places

    created = chosen.fact.created
    facts = [f"attempt {chosen.attempt + 1}"] if chosen.attempt else []
    for place in foreach_places(stores, created.run, created.step, created.task):
        item = f" = {cut(place.item, _ITEM_WIDTH)}" if place.item else ""
        facts.append(f"{place.var}[{place.index}]{item}")
    inputs = len(debugging.launch.inputs.tasks)
    if inputs > 1:
        facts.append(f"{inputs:,} inputs")
    path = "/".join((str(created.run), created.step, created.task))
    looking.heading(" · ".join((f"{path} again", *facts)))
    outcome = chosen.outcome
    if outcome is None:
        looking.say("Then: it did not end.")
    elif outcome.ok and not outcome.caught:
        looking.say("Then: it ended well.")
    else:
        error = outcome.error
        known = f"{error.type}: {error.text}" if error is not None else failure_words(outcome)
        looking.say(f"Then: {sentence(one_line(known))}")
    for difference in debugging.differences():
        looking.say(looking.heading_paint.yellow(difference))
    looking.say("")


def _look(looking: Looking, done: Replayed, *, wants_pdb: bool) -> int:
    """Tell how it went; the exit code."""
    error = done.error
    looking.flush()
    if error is not None:
        trace = _tell_failure(looking, error)
        if wants_pdb and trace is not None:
            _post_mortem(looking, trace)
    else:
        looking.say(f"\n{looking.heading_paint.green('It ended well.')}{_next_words(done)}")
    _tell_artifacts(looking, done.artifacts)
    looking.say("Nothing of this was stored.")
    return EXIT_OK if error is None else EXIT_FAILED


def _tell_failure(looking: Looking, error: BaseException) -> TracebackType | None:
    """Print the user's traceback; where the debugger may stop, None where it cannot."""
    from bdb import BdbQuit

    from swell.task.trace import describe_error, from_own_frames

    if isinstance(error, BdbQuit):
        looking.say("\nThe debugger was left.")
        return None
    info = describe_error(error, with_own_frames=looking.settings.is_debug)
    looking.say(f"\n{info.traceback.rstrip()}")
    return from_own_frames(error)


def _post_mortem(looking: Looking, trace: TracebackType) -> None:
    import pdb

    from swell.task.trace import frames_below_users

    looking.say("\nThe debugger stands where it failed: 'p self.x' prints an artifact, 'q' ends.")
    debugger = pdb.Pdb()
    debugger.reset()
    below = frames_below_users(trace)
    if below:
        debugger.cmdqueue.append(f"up {below}")
    debugger.interaction(None, trace)


def _next_words(done: Replayed) -> str:
    chosen = done.chosen
    if chosen is None or not chosen.targets:
        return ""
    return f" It goes on to {', '.join(chosen.targets)}."


def _tell_artifacts(looking: Looking, artifacts: Mapping[str, object]) -> None:
    from swell.datastore.previews import preview

    shown = {name: value for name, value in artifacts.items() if not name.startswith("_")}
    if not shown:
        return
    looking.say("\nWhat it had set:")
    width = max(map(len, shown))
    for name, value in shown.items():
        line = one_line(preview(value).partition("\n")[0])
        looking.print([f"  {name:<{width}}  {cut(line, _VALUE_WIDTH)}"])
    looking.flush()
