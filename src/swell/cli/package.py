"""`package`: what travels to tasks on other machines."""

from __future__ import annotations

import shutil
from typing import Any

import click

from swell.cli.at_hand import settled, top_params
from swell.cli.looking import Looking, looking_of
from swell.cli.render import count_text, size_text
from swell.cli.tables import Column, table_lines
from swell.errors import CommandException
from swell.package.archive import read_listing
from swell.package.code import CodePackage
from swell.session.flow import SettledFlow
from swell.session.packages import code_package, wanted_packages


def package_command(ctx: click.Context) -> click.Command:
    """``package`` with its three commands."""
    del ctx
    timeout = click.Option(["--timeout"], type=float, default=60, hidden=True)
    commands = {
        "info": click.Command(
            "info", params=[timeout], callback=_info, help="How much it is, and where from."
        ),
        "list": click.Command(
            "list",
            params=[
                click.Option(["--archive/--no-archive"], default=False, hidden=True),
                timeout,
            ],
            callback=_list,
            help="The files, with their sizes.",
        ),
        "save": click.Command(
            "save",
            params=[click.Argument(["file"], type=click.Path(dir_okay=False)), timeout],
            callback=_save,
            help="Write the package to FILE, a zip.",
        ),
    }
    return click.Group(
        "package",
        commands=commands,
        help="Show what travels to tasks on other machines: files beside the script, and what "
        "it imports of your own from elsewhere.",
    )


@click.pass_context
def _info(ctx: click.Context, /, **_: Any) -> None:
    looking = looking_of(ctx)
    flow = settled(ctx)
    package = _package(ctx, flow)
    rows = [
        ("files", f"{count_text(package.files, 'file')}, {size_text(package.unpacked)}"),
        ("chosen by", _chosen_by(package)),
        ("zip", f"{size_text(package.size)}, {package.path}"),
        ("sha256", package.sha256),
        *(("own package", f"{name} from {place}") for name, place in package.own),
        *_requirements(ctx, flow),
    ]
    looking.print(f"{title:<12} {text}" for title, text in rows)
    if not looking.is_quiet:
        looking.say(_hint(looking))


@click.pass_context
def _list(ctx: click.Context, /, **_: Any) -> None:
    looking = looking_of(ctx)
    package = _package(ctx, settled(ctx))
    rows = [(size_text(packed.size), packed.name) for packed in read_listing(package.path)]
    columns = [Column("size", is_number=True), Column("file", may_be_cut=True)]
    looking.print(table_lines(columns, rows, looking.width, heading=looking.paint.bold))


@click.pass_context
def _save(ctx: click.Context, /, file: str, **_: Any) -> None:
    looking = looking_of(ctx)
    package = _package(ctx, settled(ctx))
    try:
        shutil.copyfile(package.path, file)
    except OSError as error:
        raise CommandException(
            f"{file} cannot be written: {error.strerror}.",
            remedy="Name a file in a folder where you may write.",
        ) from error
    looking.say(f"{count_text(package.files, 'file')} in {file}, {size_text(package.size)}.")


def _package(ctx: click.Context, flow: SettledFlow) -> CodePackage:
    return code_package(flow.at_hand, top_params(ctx)["package_suffixes"])


def _chosen_by(package: CodePackage) -> str:
    if package.by_git:
        return "git: what it tracks or does not ignore"
    return "all beside the script, less .gitignore"


def _requirements(ctx: click.Context, flow: SettledFlow) -> list[tuple[str, str]]:
    """One row for the packages that all steps want, or one for each step."""
    environment = top_params(ctx)["environment"]
    found = {
        step: wanted_packages(flow.at_hand, environment, plan) for step, plan in flow.plans.items()
    }
    texts = {
        step: "none asked for"
        if wanted.is_empty
        else f"{', '.join(wanted.lines) or 'those locked'} ({wanted.source})"
        for step, wanted in found.items()
    }
    if len(set(texts.values())) == 1:
        return [("packages", next(iter(texts.values())))]
    return [("packages", f"{step}: {text}") for step, text in texts.items()]


def _hint(looking: Looking) -> str:
    command = looking.heading_paint.bold(f"{looking.program} package list")
    return f"\nIts files:      {command}\nLeave some out: name them in .swellignore"
