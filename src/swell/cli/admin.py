"""The `swell` command: looks at runs of all flows, starts new scripts, examines the machine."""

from __future__ import annotations

import click

from swell.cli.app import LazyCommand, LazyGroup, profile_option, settings_of_profile

COMMANDS = {
    "runs": LazyCommand("swell.cli.runs:runs_command", "List the latest runs."),
    "show": LazyCommand(
        "swell.cli.runs:show_command", "Show one run: steps, failures, parameters."
    ),
    "logs": LazyCommand("swell.cli.logs:logs_command", "Show what tasks printed."),
    "artifacts": LazyCommand("swell.cli.runs:artifacts_command", "List artifacts, loading none."),
    "debug": LazyCommand(
        "swell.cli.debug:debug_command", "Run a task again here, under pdb where it fails."
    ),
    "diff": LazyCommand("swell.cli.diff:diff_command", "Say what differs between two runs."),
    "profile": LazyCommand("swell.cli.profile:profile_command", "Say where a run's time went."),
    "usage": LazyCommand("swell.cli.usage:usage_command", "Say what steps asked for and used."),
    "card": LazyCommand("swell.cli.card:card_command", "Look at cards."),
    "du": LazyCommand("swell.cli.du:du_command", "Show what takes the space."),
    "rm": LazyCommand("swell.cli.clean:rm_command", "Remove runs."),
    "gc": LazyCommand("swell.cli.clean:gc_command", "Remove what nothing refers to any more."),
    "verify": LazyCommand("swell.cli.verify:verify_command", "Check stored artifacts."),
    "new": LazyCommand("swell.cli.new:new_command", "Write a starter script."),
    "sandbox": LazyCommand(
        "swell.cli.sandbox:sandbox_command", "An AWS Batch on this machine, to rehearse with."
    ),
    "configure": LazyCommand(
        "swell.cli.configure:configure_command", "Write settings for AWS, tried before."
    ),
    "doctor": LazyCommand(
        "swell.cli.doctor:doctor_command", "What this machine has, and what is missing."
    ),
    "version": LazyCommand("swell.cli.admin:version_command", "The version of swell."),
}


def swell_app() -> click.Group:
    """The commands of `swell`; the object of their context is the Settings."""
    return LazyGroup(
        lazy=COMMANDS,
        name="swell",
        help="Look at runs of flows, and start new ones. A flow itself is run by its script: "
        "python flow.py run.",
        params=[
            profile_option(_choose_profile),
            click.Option(["--quiet/--not-quiet"], default=False, help="No headings or hints."),
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Print the version.",
            ),
        ],
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def version_command(ctx: click.Context) -> click.Command:
    """``swell version``."""
    del ctx
    return click.Command("version", callback=_version, help="Print the version of swell.")


def _version() -> None:
    from swell.version import VERSION

    click.echo(f"swell {VERSION}")


def _choose_profile(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    del option
    if value is not None and not ctx.resilient_parsing:
        ctx.obj = settings_of_profile(value)
    return value


def _print_version(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    del option
    if value and not ctx.resilient_parsing:
        _version()
        ctx.exit()
