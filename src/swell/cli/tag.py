"""`tag`: add, remove, replace and list the tags of runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import click

from swell.cli.looking import Looking, looking_of
from swell.cli.paths import find_path, latest_run
from swell.cli.render import Paint, count_text
from swell.client.query import find_run
from swell.client.tags import tags_to_add, tags_to_remove
from swell.errors import CommandException, NamespaceMismatch, UsageError
from swell.model.facts import RunFact
from swell.session.reading import LocalStores
from swell.session.user import default_namespace, user_name
from swell.version import VERSION


def tag_command(ctx: click.Context) -> click.Command:
    """``tag`` with its four commands."""
    del ctx
    tags = click.Argument(["tags"], nargs=-1, required=True)
    commands = {
        "add": click.Command(
            "add", params=[tags, *_run_options()], callback=_add, help="Add tags to a run."
        ),
        "remove": click.Command(
            "remove",
            params=[tags, *_run_options()],
            callback=_remove,
            help="Remove tags from a run; one that it does not have is no error.",
        ),
        "replace": click.Command(
            "replace",
            params=[
                click.Option(
                    ["--add"], multiple=True, metavar="TAG", help="Add it; may be repeated."
                ),
                click.Option(
                    ["--remove"], multiple=True, metavar="TAG", help="Remove it; may be repeated."
                ),
                *_run_options(),
            ],
            callback=_replace,
            help="Remove tags and add others, in one change.",
        ),
        "list": _list_command(),
    }
    return click.Group("tag", commands=commands, help="Look at and change tags of runs.")


def _run_options() -> list[click.Parameter]:
    return [
        click.Option(["--run-id"], metavar="RUN", help="The run (needed)."),
        click.Option(
            ["--namespace", "user_namespace"],
            metavar="NAME",
            help="The run must have this tag; your own unless said, empty: any.",
        ),
    ]


def _list_command() -> click.Command:
    flags = [
        (["--all", "all_runs"], "Of all runs of this flow."),
        (["--my-runs"], "Of my runs of this flow."),
        (["--hide-system-tags"], "Only tags that people gave."),
        (["--group-by-tag"], "Each tag with its runs."),
        (["--group-by-run"], "Each run with its tags."),
    ]
    return click.Command(
        "list",
        params=[
            click.Argument(["run"], required=False),
            click.Option(["--run-id"], metavar="RUN", help="Of this run."),
            *[click.Option(names, is_flag=True, help=sentence) for names, sentence in flags],
            click.Option(["--flat"], is_flag=True, hidden=True),
        ],
        callback=_list,
        help="List the tags of one run, of mine, or of all runs.",
    )


# --- changing ----------------------------------------------------------------------------


@click.pass_context
def _add(ctx: click.Context, /, tags: tuple[str, ...], **options: Any) -> None:
    _change(ctx, options, add=tags, remove=())


@click.pass_context
def _remove(ctx: click.Context, /, tags: tuple[str, ...], **options: Any) -> None:
    _change(ctx, options, add=(), remove=tags)


@click.pass_context
def _replace(
    ctx: click.Context, /, add: tuple[str, ...], remove: tuple[str, ...], **options: Any
) -> None:
    if not add or not remove:
        raise UsageError(
            "'tag replace' wants both what to remove and what to add.",
            remedy="Give --remove TAG and --add TAG, or use 'tag add' or 'tag remove'.",
        )
    _change(ctx, options, add=add, remove=remove)


def _change(
    ctx: click.Context, options: dict[str, Any], *, add: Sequence[str], remove: Sequence[str]
) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    run = _wanted_run(looking, stores, options)
    after = stores.metastore.change_tags(
        run.id,
        add=tags_to_add(add, run.system_tags),
        remove=tags_to_remove(remove, run.system_tags),
    )
    path = looking.path(run)
    if not after:
        looking.say(f"Run {path} has no user tags now.")
        return
    looking.say(f"Run {path} has {count_text(len(after), 'user tag')} now:")
    looking.print(f"  {tag}" for tag in sorted(after))


def _wanted_run(looking: Looking, stores: LocalStores, options: dict[str, Any]) -> RunFact:
    if options["run_id"] is None:
        latest = looking.path(latest_run(stores, looking.flow))
        raise CommandException(
            "Which run is meant is not said.",
            remedy=f"Add --run-id; the latest run is {latest}: --run-id {latest}.",
        )
    run = _run_at(looking, stores, options["run_id"])
    given = options["user_namespace"]
    namespace = default_namespace(looking.settings) if given is None else given
    if namespace and namespace not in run.system_tags | run.user_tags:
        raise NamespaceMismatch(
            f"Run {looking.path(run)} is not in the namespace '{namespace}'.",
            namespace,
            remedy=f"It is of user '{run.user}'; to change it all the same add --namespace ''.",
        )
    return run


def _run_at(looking: Looking, stores: LocalStores, text: str) -> RunFact:
    if looking.flow is not None and "/" not in text:
        return find_run(stores, looking.flow, text)
    return find_path(stores, text, looking.flow).run


# --- listing -----------------------------------------------------------------------------


@click.pass_context
def _list(ctx: click.Context, /, **options: Any) -> None:
    looking = looking_of(ctx)
    _refuse_contradictions(options)
    stores = looking.open_or_none()
    runs = [] if stores is None else _runs_to_list(looking, stores, options)
    hide = options["hide_system_tags"]
    shown = {run: (frozenset() if hide else run.system_tags) | run.user_tags for run in runs}
    user_tags = frozenset().union(*(run.user_tags for run in runs))
    if options["flat"]:
        _put_flat(looking, sorted(frozenset().union(*shown.values())))
        return
    if not runs:
        looking.say("There is no run to list tags of.")
        return
    lines = _listed(looking, options, shown, user_tags)
    if looking.is_quiet:
        click.echo("\n".join(lines), err=True)
    else:
        looking.print(lines)


def _refuse_contradictions(options: dict[str, Any]) -> None:
    chosen = [
        name
        for name, given in (
            ("a run", options["run"] or options["run_id"]),
            ("--all", options["all_runs"]),
            ("--my-runs", options["my_runs"]),
        )
        if given
    ]
    if len(chosen) > 1 or (options["run"] and options["run_id"]):
        raise UsageError(
            f"{' and '.join(chosen) or 'A run'} cannot be given together.",
            remedy="Name one run, or --my-runs, or --all.",
        )
    if options["group_by_tag"] and options["group_by_run"]:
        raise UsageError(
            "--group-by-tag and --group-by-run cannot be given together.", remedy="Choose one."
        )


def _runs_to_list(looking: Looking, stores: LocalStores, options: dict[str, Any]) -> list[RunFact]:
    text = options["run"] or options["run_id"]
    if text is not None:
        return [_run_at(looking, stores, text)]
    tags = [f"user:{user_name(looking.settings)}"] if options["my_runs"] else []
    return stores.metastore.runs(looking.flow, tags=tags)


def _put_flat(looking: Looking, tags: Sequence[str]) -> None:
    # On stderr behind one line of banner: what existing tools parse.
    if not looking.is_quiet:
        click.echo(f"swell {VERSION}, tags of {looking.flow or 'all flows'}", err=True)
    for tag in tags:
        click.echo(tag, err=True)


def _listed(
    looking: Looking,
    options: dict[str, Any],
    shown: Mapping[RunFact, Collection[str]],
    user_tags: Collection[str],
) -> list[str]:
    paint = looking.paint
    if options["group_by_tag"]:
        return list(_by_tag(looking, shown, user_tags))
    if options["group_by_run"]:
        lines: list[str] = []
        for run, tags in shown.items():
            lines.append(paint.bold(looking.path(run)))
            lines += _tag_lines(paint, tags, run.user_tags)
        return lines
    if len(shown) == 1:
        (run,) = shown
        looking.heading(f"Tags of run {looking.path(run)}")
    else:
        looking.heading(f"Tags of {count_text(len(shown), 'run')}")
    all_tags: frozenset[str] = frozenset().union(*shown.values())
    return list(_tag_lines(paint, all_tags, user_tags))


def _by_tag(
    looking: Looking, shown: Mapping[RunFact, Collection[str]], user_tags: Collection[str]
) -> Iterator[str]:
    runs_of: dict[str, list[str]] = {}
    for run, tags in shown.items():
        for tag in tags:
            runs_of.setdefault(tag, []).append(looking.path(run))
    for tag in _user_first(runs_of, user_tags):
        yield f"{_shown_tag(looking.paint, tag, user_tags)}: {', '.join(runs_of[tag])}"


def _tag_lines(paint: Paint, tags: Collection[str], user_tags: Collection[str]) -> Iterator[str]:
    for tag in _user_first(tags, user_tags):
        yield f"  {_shown_tag(paint, tag, user_tags)}"
    if not tags:
        yield paint.dim("  (none)")


def _user_first(tags: Collection[str], user_tags: Collection[str]) -> list[str]:
    return sorted(tags, key=lambda tag: (tag not in user_tags, tag))


def _shown_tag(paint: Paint, tag: str, user_tags: Collection[str]) -> str:
    return paint.bold(f"* {tag}") if tag in user_tags else f"  {tag}"
