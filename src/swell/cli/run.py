"""`run` and `resume`."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import Any

import click

from swell.cli.again import Again, command_again
from swell.cli.at_hand import flow_of, kept_withs, lint, settled, top_params
from swell.cli.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from swell.cli.given import take_given
from swell.cli.limits import parse_limits
from swell.cli.render import paint_for, say_error
from swell.errors import UsageError
from swell.scheduler.observe import Observer
from swell.session.flow import FlowAtHand, SettledFlow
from swell.session.run import run_flow
from swell.session.run_order import RunOrder, RunResult
from swell.settings import Settings


def run_command(ctx: click.Context) -> click.Command:
    """The command ``run``, with one option per parameter of the flow."""
    from swell.authoring.parameter_option import click_option

    at_hand = flow_of(ctx)
    parameters = at_hand.parameters()
    taken = {parameter.name for parameter in parameters.values()}
    options = [
        *[click_option(parameter) for parameter in parameters.values()],
        *_run_options(taken),
        click.Option(
            ["--namespace", "user_namespace"],
            metavar="NAME",
            help="Namespace for client calls in tasks; empty: all.",
        ),
    ]
    command = click.Command("run", params=options, callback=_run, help="Run the flow.")
    separators = {p.key: p.separator for p in parameters.values() if p.separator is not None}
    take_given(ctx, command, separators)
    return command


def resume_command(ctx: click.Context) -> click.Command:
    """The command ``resume``."""
    _refuse_configs(ctx, "resume")
    options: list[click.Parameter] = [
        click.Argument(["step"], required=False),
        click.Option(
            ["--origin-run-id"], metavar="RUN", help="The run to resume; else the latest."
        ),
        *_run_options(set()),
    ]
    command = click.Command(
        "resume",
        params=options,
        callback=_resume,
        help="Run again what failed in an earlier run, and all behind it.",
    )
    take_given(ctx, command, {})
    return command


def attach_command(ctx: click.Context) -> click.Command:
    """The command ``attach``."""
    _refuse_configs(ctx, "attach")
    return click.Command(
        "attach",
        params=[click.Argument(["run"]), *_run_options(set())],
        callback=_attach,
        help="Go on with a run that its driver left, or that lost its driver.",
    )


def _refuse_configs(ctx: click.Context, command: str) -> None:
    top = top_params(ctx)
    if top["config_files"] or top["config_values"]:
        raise UsageError(
            f"Configs cannot be given to '{command}': it uses those of the run it goes on with.",
            remedy="Leave --config and --config-value away, or start anew with 'run'.",
        )


def _run_options(taken: set[str]) -> list[click.Parameter]:
    options: list[click.Parameter] = [
        click.Option(
            ["--tag", "tags"], multiple=True, metavar="TAG", help="Tag the run; may be repeated."
        ),
        click.Option(
            ["--max-workers"],
            type=click.IntRange(min=1),
            default=16,
            show_default=True,
            help="Most tasks at once; fewer where no more fit on this machine.",
        ),
        click.Option(
            ["--max-num-splits"],
            type=click.IntRange(min=1),
            default=100,
            show_default=True,
            help="Largest number of tasks one foreach may open.",
        ),
        click.Option(
            ["--max-log-size"],
            type=click.FloatRange(min=0, min_open=True),
            default=10,
            show_default=True,
            help="MB kept of each stream of an attempt; the middle is cut.",
        ),
        click.Option(
            ["--with", "decospecs"],
            multiple=True,
            metavar="SPEC",
            help="Add a decorator to all steps that lack it, such as retry:times=2.",
        ),
        click.Option(["--run-id-file"], metavar="FILE", help="Write the run's number there."),
        click.Option(
            ["--runner-attribute-file"], metavar="FILE", help="Write run and store there, as JSON."
        ),
    ]
    own = [
        click.Option(
            ["--keep-going"], is_flag=True, help="After a failure finish what does not need it."
        ),
        click.Option(
            ["--enforce-memory"],
            is_flag=True,
            help="End a task here that takes more memory than it declared, and no other.",
        ),
        click.Option(
            ["--isolation"],
            type=click.Choice(["auto", "fork", "fresh"]),
            help="How tasks get their process: fork (fast), fresh (a new interpreter), auto.",
        ),
        click.Option(
            ["--pack"],
            is_flag=True,
            help="Let tasks of a foreach that last milliseconds share processes.",
        ),
        click.Option(
            ["--detach"],
            is_flag=True,
            help="Leave as soon as all that runs is on AWS Batch; 'attach' goes on with it.",
        ),
        click.Option(
            ["--canary"],
            type=click.IntRange(min=1),
            metavar="N",
            help="Of each foreach run N items first (smallest, largest, random), the others only "
            "if these pass.",
        ),
        click.Option(
            ["--limit"],
            multiple=True,
            metavar="NAME=N",
            help="Most that all tasks together hold of what steps ask for by NAME in @resources, "
            "or of this machine: memory (MB), cpu, gpu; may be repeated.",
        ),
        click.Option(
            ["--strict-resources"],
            is_flag=True,
            help="Refuse a step that asks for more than this machine has; else it runs alone.",
        ),
        click.Option(["--json"], is_flag=True, help="Tell the run as JSON, one object a line."),
    ]
    return options + [option for option in own if option.name.replace("_", "-") not in taken]


@click.pass_context
def _run(ctx: click.Context, /, **options: Any) -> int:
    from swell.authoring.parameter_option import given_values
    from swell.authoring.parameter_values import resolve_values

    at_hand = flow_of(ctx)
    parameters = at_hand.parameters()
    given = given_values(parameters, options)
    flow = settled(ctx, _withs(ctx, options))
    values = resolve_values(parameters, given, at_hand.context())
    # A parameter may bear the name of an option of swell's own.
    keys = {parameter.key for parameter in parameters.values()}
    options = {name: value for name, value in options.items() if name not in keys}
    order = _order(ctx, at_hand, options)
    return _perform(ctx, flow, _replace(order, parameters=values), options)


@click.pass_context
def _resume(ctx: click.Context, /, **options: Any) -> int:
    origin = options["origin_run_id"]

    def of_origin(names: Collection[str]) -> dict[str, Any]:
        from swell.session.origin import configs_of_origin

        at_hand = ctx.obj
        return configs_of_origin(at_hand.settings, at_hand.script, at_hand.name, origin, names)

    at_hand = flow_of(ctx, kept=of_origin)
    flow = settled(ctx, _withs(ctx, options))
    order = _replace(
        _order(ctx, at_hand, options),
        resumes=True,
        origin_run=origin,
        from_step=options["step"],
    )
    return _perform(ctx, flow, order, options)


@click.pass_context
def _attach(ctx: click.Context, /, run: str, **options: Any) -> int:
    from swell.session.origin import configs_of_origin, withs_of_run

    def of_run(names: Collection[str]) -> dict[str, Any]:
        at_hand = ctx.obj
        return configs_of_origin(at_hand.settings, at_hand.script, at_hand.name, run, names)

    at_hand = flow_of(ctx, kept=of_run)
    withs = withs_of_run(at_hand.settings, at_hand.script, at_hand.name, run)
    given = _withs(ctx, options)
    flow = settled(ctx, given or kept_withs(ctx, withs))
    order = _replace(_order(ctx, at_hand, options), attaches_to=run)
    return _perform(ctx, flow, order, options)


def _withs(ctx: click.Context, options: dict[str, Any]) -> tuple[str, ...]:
    """What is added to all steps that lack it; ``--pack`` is short for ``--with pack``."""
    packs = ("pack",) if _own(options, top_params(ctx), "pack") else ()
    return (*options["decospecs"], *packs)


def _replace(order: RunOrder, **changes: Any) -> RunOrder:
    import msgspec

    return msgspec.structs.replace(order, **changes)


def _order(ctx: click.Context, at_hand: FlowAtHand, options: dict[str, Any]) -> RunOrder:
    top = top_params(ctx)
    given_isolation = _own(options, top, "isolation")
    return RunOrder(
        tags=tuple(options["tags"]),
        max_workers=options["max_workers"],
        max_num_splits=options["max_num_splits"],
        max_log_mb=options["max_log_size"],
        keep_going=bool(_own(options, top, "keep_going")),
        isolation=given_isolation or at_hand.settings.isolation,
        namespace=options.get("user_namespace"),
        run_id_file=options["run_id_file"],
        attributes_file=options["runner_attribute_file"],
        branch=top["branch"],
        production=top["production"],
        package_suffixes=top["package_suffixes"],
        environment=top["environment"],
        leaves=bool(_own(options, top, "detach")),
        enforces_memory=bool(_own(options, top, "enforce_memory"))
        or at_hand.settings.enforce_memory not in ("", "0"),
        canary=_own(options, top, "canary") or 0,
        limits=parse_limits((*top["top_limit"], *options.get("limit", ()))),
        strict_resources=bool(_own(options, top, "strict_resources")),
    )


def _own(options: dict[str, Any], top: dict[str, Any], name: str) -> Any:
    """An option of swell's own, given with the command or, if a parameter took its name,
    before it."""
    return options.get(name) or top[f"top_{name}"]


def _perform(
    ctx: click.Context, flow: SettledFlow, order: RunOrder, options: dict[str, Any]
) -> int:
    notice = lint(ctx, flow)
    if notice:
        say_error(notice)
    settings = flow.at_hand.settings
    taken = {parameter.name for parameter in flow.at_hand.parameters().values()}
    again = command_again(ctx, [option.name or "" for option in _run_options(taken)])
    as_json = bool(_own(options, top_params(ctx), "json"))
    observer = _observer(ctx, settings, again, as_json=as_json)
    result = run_flow(flow, order, observer, settings)
    if result.end.left:
        say_error(f"Go on:   {again.attach(result.run.id.number)}")
    if result.end.store_error is not None:
        raise result.end.store_error
    return _exit_code(flow.at_hand, result, again)


def _exit_code(at_hand: FlowAtHand, result: RunResult, again: Again) -> int:
    import signal

    if result.end.ok and not result.end.tally.total:
        return EXIT_OK
    from swell.cli.failure import report_failure

    paint = paint_for(sys.stderr, no_color=at_hand.settings.no_color)
    report_failure(at_hand, result, again, paint)
    if result.end.ok:
        return EXIT_OK
    if result.signal == signal.SIGINT:
        return EXIT_INTERRUPTED
    if result.signal is not None:
        sys.stdout.flush()
        signal.signal(result.signal, signal.SIG_DFL)
        os.kill(os.getpid(), result.signal)
    return EXIT_INTERRUPTED if result.end.interrupted else EXIT_FAILED


def _observer(ctx: click.Context, settings: Settings, again: Again, *, as_json: bool) -> Observer:
    """JSON if asked for, a live view on a terminal that can draw one, else plain lines."""
    if as_json:
        from swell.cli.progress_json import JsonObserver

        return JsonObserver()
    paint = paint_for(sys.stdout, no_color=settings.no_color)
    is_quiet = bool(top_params(ctx)["quiet"])
    if sys.stdout.isatty() and settings.term not in ("", "dumb"):
        from swell.cli.live import LiveObserver

        return LiveObserver(paint, sys.stdout, logs_command=again.logs(), is_quiet=is_quiet)
    from swell.cli.progress import PlainObserver

    return PlainObserver(paint, is_quiet=is_quiet)
