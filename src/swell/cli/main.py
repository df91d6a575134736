"""The command line of a script (`python flow.py …`) and of `swell`."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click
from click.core import ParameterSource
from msgspec import structs

from swell.authoring.flow import Flow
from swell.cli.app import (
    LazyCommand,
    LazyGroup,
    profile_option,
    run_app,
    settings_of_profile,
)
from swell.cli.exits import settings_or_exit
from swell.settings import Settings, choose_metadata

SCRIPT_COMMANDS = {
    "run": LazyCommand("swell.cli.run:run_command", "Run the flow."),
    "resume": LazyCommand("swell.cli.run:resume_command", "Go on after a failed run."),
    "attach": LazyCommand(
        "swell.cli.run:attach_command", "Go on with a run that has no driver any more."
    ),
    "check": LazyCommand("swell.cli.look:check_command", "Check the flow without running it."),
    "show": LazyCommand("swell.cli.look:show_command", "Show the steps of the flow."),
    "logs": LazyCommand("swell.cli.logs:logs_command", "Show what tasks printed."),
    "dump": LazyCommand("swell.cli.dump:dump_command", "Show the artifacts of tasks."),
    "diff": LazyCommand("swell.cli.diff:diff_command", "Say what differs between two runs."),
    "profile": LazyCommand("swell.cli.profile:profile_command", "Say where a run's time went."),
    "usage": LazyCommand("swell.cli.usage:usage_command", "Say what steps asked for and used."),
    "debug": LazyCommand(
        "swell.cli.debug:debug_command", "Run a task again here, under pdb where it fails."
    ),
    "tag": LazyCommand("swell.cli.tag:tag_command", "Look at and change tags of runs."),
    "card": LazyCommand("swell.cli.card:card_command", "Look at cards."),
    "batch": LazyCommand("swell.cli.batch:batch_command", "Jobs on AWS Batch."),
    "package": LazyCommand("swell.cli.package:package_command", "What travels to remote tasks."),
    "output-dot": LazyCommand("swell.cli.look:dot_command", "The graph in Graphviz's language."),
    "output-raw": LazyCommand("swell.cli.look:raw_command", "The graph as text or JSON."),
    "version": LazyCommand("swell.cli.look:version_command", "The version of swell."),
    "help": LazyCommand("swell.cli.look:help_command", "Show this help."),
}


def main(flow_class: type[Flow], settings: Settings) -> NoReturn:
    """Run the command line of ``flow_class`` and exit."""
    from swell.session.flow import FlowAtHand

    at_hand = FlowAtHand(flow_class, settings)
    app = script_app(flow_class)
    run_app(app, None, name=f"python {sys.argv[0]}", obj=at_hand, settings=settings)


def script_app(flow_class: type[Flow]) -> LazyGroup:
    """The commands beside a script; without one, ``check``."""
    return LazyGroup(
        lazy=SCRIPT_COMMANDS,
        help=(flow_class.__doc__ or "").strip() or None,
        params=top_options(),
        invoke_without_command=True,
        callback=_without_command,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def top_options() -> list[click.Parameter]:
    """Options that stand before the command."""
    return [
        profile_option(_choose_profile),
        click.Option(["--quiet/--not-quiet"], default=False, help="No headings or hints."),
        click.Option(
            ["--with", "decospecs"],
            multiple=True,
            metavar="SPEC",
            help="Add a decorator to all steps that lack it, such as retry:times=2.",
        ),
        click.Option(
            ["--pylint/--no-pylint"], default=True, help="Let pylint check the script, if there."
        ),
        click.Option(
            ["--config", "config_files"],
            multiple=True,
            nargs=2,
            metavar="NAME PATH",
            help="Read config NAME from a file.",
        ),
        click.Option(
            ["--config-value", "config_values"],
            multiple=True,
            nargs=2,
            metavar="NAME VALUE",
            help="Give config NAME its value.",
        ),
        click.Option(
            ["--branch"],
            metavar="NAME",
            envvar="SWELL_FLOW_BRANCH",
            help="The branch of a @project.",
        ),
        click.Option(
            ["--production"],
            is_flag=True,
            default=None,
            envvar="SWELL_FLOW_PRODUCTION",
            help="Run in production; for a @project.",
        ),
        click.Option(
            ["--isolation", "top_isolation"],
            type=click.Choice(["auto", "fork", "fresh"]),
            help="As the option of 'run'.",
        ),
        click.Option(["--keep-going", "top_keep_going"], is_flag=True, help="As for 'run'."),
        click.Option(
            ["--enforce-memory", "top_enforce_memory"], is_flag=True, help="As for 'run'."
        ),
        click.Option(["--pack", "top_pack"], is_flag=True, help="As for 'run'."),
        click.Option(["--detach", "top_detach"], is_flag=True, help="As for 'run'."),
        click.Option(
            ["--canary", "top_canary"],
            type=click.IntRange(min=1),
            metavar="N",
            help="As for 'run'.",
        ),
        click.Option(
            ["--limit", "top_limit"],
            multiple=True,
            metavar="NAME=N",
            envvar="SWELL_LIMIT",
            help="As for 'run'.",
        ),
        click.Option(
            ["--strict-resources", "top_strict_resources"],
            is_flag=True,
            envvar="SWELL_STRICT_RESOURCES",
            help="As for 'run'.",
        ),
        click.Option(["--json", "top_json"], is_flag=True, help="As the option of 'run'."),
        *_accepted_options(),
    ]


def _accepted_options() -> list[click.Parameter]:
    """Options that scripts and tools pass and that have one meaning here."""
    return [
        click.Option(
            ["--datastore"],
            metavar="URL",
            help="Where artifacts go: 'local', or s3://bucket/prefix, gs://…, az://….",
        ),
        click.Option(
            ["--metadata"],
            metavar="local|URL",
            default="local",
            callback=_choose_metadata,
            help="Where facts go: 'local' or postgresql://user@host/database.",
        ),
        click.Option(
            ["--environment"],
            type=click.Choice(["local", "pypi", "uv"]),
            default="local",
            help="What prepares packages for steps.",
        ),
        click.Option(["--datastore-root"], metavar="FOLDER", help="The store folder."),
        click.Option(
            ["--package-suffixes"],
            default=".py",
            metavar="LIST",
            help="Endings of files beside the script that travel to remote tasks, like .csv,.toml.",
        ),
        click.Option(["--event-logger"], hidden=True),
        click.Option(["--monitor"], hidden=True),
        click.Option(["--given", "given_file"], hidden=True),
    ]


def _choose_metadata(ctx: click.Context, option: click.Parameter, value: str) -> str:
    """What is typed here wins over the setting, in this process and in those of tasks."""
    if ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE:
        choose_metadata(value)
        ctx.obj.settings = structs.replace(ctx.obj.settings, metadata=value)
    return value


def _choose_profile(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Before any other option looks at the settings."""
    del option
    if value is not None:
        ctx.obj.settings = settings_of_profile(value)
    return value


def _is_scheme_of(url: str | None, given: str) -> bool:
    """Whether 's3' was given where the setting says which bucket."""
    return url is not None and url.startswith(f"{given}://")


@click.pass_context
def _without_command(ctx: click.Context, /, **options: Any) -> None:
    at_hand = ctx.obj
    if options["datastore"] and not _is_scheme_of(at_hand.settings.datastore, options["datastore"]):
        import msgspec

        datastore = options["datastore"]
        at_hand.settings = msgspec.structs.replace(at_hand.settings, datastore=datastore)
    if options["datastore_root"]:
        import msgspec

        root = options["datastore_root"]
        at_hand.settings = msgspec.structs.replace(at_hand.settings, root=root)
    if ctx.invoked_subcommand is None:
        command = ctx.command
        assert isinstance(command, LazyGroup)
        check = command.get_command(ctx, "check")
        assert check is not None
        ctx.invoke(check)


def swell_command() -> NoReturn:
    """The `swell` command."""
    from swell.cli.admin import swell_app

    settings = settings_or_exit()
    run_app(swell_app(), None, name="swell", obj=settings, settings=settings)
