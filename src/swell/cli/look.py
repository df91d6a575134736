"""Commands that look at the flow itself: check, show, output-dot, output-raw, version, help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from swell.authoring.decorator import StepDecorator
from swell.authoring.parse import parse_flow
from swell.cli.at_hand import flow_of, lint, settled
from swell.cli.looking import Looking, looking_of
from swell.cli.render import Paint, count_text
from swell.model.graph import Graph, Node, NodeType
from swell.session.flow import SettledFlow


def check_command(ctx: click.Context) -> click.Command:
    """``check``: all that is checked before a run."""
    del ctx
    return click.Command(
        "check",
        params=[
            click.Option(
                ["--warnings/--no-warnings"], default=False, help="Tell what decorators warn of."
            )
        ],
        callback=_check,
        help="Check the flow without running it.",
    )


def show_command(ctx: click.Context) -> click.Command:
    """``show``: the steps in words."""
    del ctx
    return click.Command("show", callback=_show, help="Show the steps of the flow.")


def dot_command(ctx: click.Context) -> click.Command:
    """``output-dot``: for Graphviz."""
    del ctx
    return click.Command(
        "output-dot", callback=_dot, help="Print the graph in the language of Graphviz."
    )


def raw_command(ctx: click.Context) -> click.Command:
    """``output-raw``: all that is known of the graph."""
    del ctx
    return click.Command(
        "output-raw",
        params=[click.Option(["--json", "as_json"], is_flag=True, help="As JSON.")],
        callback=_raw,
        help="Print all that is known of the graph.",
    )


def version_command(ctx: click.Context) -> click.Command:
    """``version``."""
    del ctx
    return click.Command("version", callback=_version, help="Print the version of swell.")


def help_command(ctx: click.Context) -> click.Command:
    """``help``: what ``--help`` says."""
    del ctx
    return click.Command("help", callback=_help, help="Show all commands and options.")


# --- check ---------------------------------------------------------------------------


@click.pass_context
def _check(ctx: click.Context, /, warnings: bool = False) -> None:
    looking = looking_of(ctx)
    flow = settled(ctx)
    graph = flow.graph
    looking.say(f"{flow.name}: {count_text(len(graph.nodes), 'step')}, and they fit together.")
    notice = lint(ctx, flow)
    if notice:
        looking.say(looking.heading_paint.yellow(notice))
    elif notice is not None:
        looking.say("pylint finds no errors in the script.")
    if warnings:
        for plan in flow.plans.values():
            for warning in plan.warnings:
                looking.say(looking.heading_paint.yellow(warning))
    looking.say(_what_next(looking, flow))


def _what_next(looking: Looking, flow: SettledFlow) -> str:
    options = "".join(
        f" --{parameter.name} …"
        for parameter in flow.declaration.parameters.values()
        if parameter.required
    )
    lines = [
        ("Run it", f"{looking.program} run{options}"),
        ("Its steps", f"{looking.program} show"),
        ("All commands", f"{looking.program} --help"),
    ]
    width = max(len(label) for label, _ in lines) + 1
    return "\n" + "\n".join(
        f"{label + ':':<{width}}  {looking.heading_paint.bold(command)}" for label, command in lines
    )


# --- show ----------------------------------------------------------------------------


@click.pass_context
def _show(ctx: click.Context, /) -> None:
    from swell.authoring.describe import shown_steps

    looking = looking_of(ctx)
    at_hand = flow_of(ctx)
    graph = parse_flow(at_hand.flow_class)
    decorators = at_hand.declaration.steps
    looking.print(_flow_lines(graph, looking.paint))
    for node in shown_steps(graph):
        looking.print(
            ["", *_step_lines(node, [_shown(one) for one in decorators[node.name]], looking)]
        )


def _flow_lines(graph: Graph, paint: Paint) -> Iterator[str]:
    yield paint.bold(graph.flow)
    yield from _indented(graph.doc)


def _step_lines(node: Node, decorators: list[str], looking: Looking) -> Iterator[str]:
    paint = looking.paint
    for decorator in decorators:
        yield paint.dim(decorator)
    yield paint.bold(node.name)
    yield from _indented(node.doc)
    yield f"    {_target_words(node, paint)}"


def _target_words(node: Node, paint: Paint) -> str:
    arrow = paint.dim("→")
    targets = ", ".join(node.targets)
    if not node.targets:
        return paint.dim("(the end)")
    if node.type is NodeType.FOREACH:
        how = "one task per node" if node.num_parallel else f"for each of self.{node.foreach_var}"
        if node.max_failures is not None:
            how += f", of which {node.max_failures} may fail"
        if node.canary:
            how += f", {count_text(node.canary, 'canary', 'canaries')} first"
        return f"{arrow} {targets} {paint.dim(f'({how}, joined by {node.matching_join})')}"
    if node.type is NodeType.SPLIT:
        return f"{arrow} {targets} {paint.dim(f'(all of them, joined by {node.matching_join})')}"
    if node.type is NodeType.SWITCH:
        cases = ", ".join(f"{case}: {target}" for case, target in node.cases.items())
        return f"{arrow} by self.{node.condition}: {cases}"
    return f"{arrow} {targets}"


def _shown(decorator: StepDecorator) -> str:
    return repr(decorator).removesuffix("()")


def _indented(text: str) -> Iterator[str]:
    for line in text.strip().splitlines():
        yield f"    {line}".rstrip()


# --- the graph for tools ----------------------------------------------------------------


@click.pass_context
def _dot(ctx: click.Context, /) -> None:
    from swell.authoring.describe import dot

    looking_of(ctx).print([dot(parse_flow(flow_of(ctx).flow_class))])


@click.pass_context
def _raw(ctx: click.Context, /, as_json: bool) -> None:
    from swell.authoring.describe import graph_info, raw

    looking = looking_of(ctx)
    flow_class = flow_of(ctx).flow_class
    graph = parse_flow(flow_class)
    if not as_json:
        looking.print([raw(graph)])
        return
    import json

    info: dict[str, Any] = graph_info(graph, flow_class)
    shown = {"graph": info["steps"], "graph_structure": info["graph_structure"]}
    looking.print([json.dumps(shown, indent=2, ensure_ascii=False)])


# --- version, help -----------------------------------------------------------------------


def _version() -> None:
    from swell.version import VERSION

    # On stderr, where tools look for it.
    click.echo(f"swell {VERSION}", err=True)


@click.pass_context
def _help(ctx: click.Context, /) -> None:
    click.echo(ctx.find_root().get_help())
