"""Write docs/reference from the commands, settings and events themselves.

`python scripts/reference.py` writes; the tests compare what it would write with what is
there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from swell import FlowSpec, Parameter, step
from swell.cli.admin import swell_app
from swell.cli.main import script_app
from swell.cli.progress_json import ALWAYS, EVENTS
from swell.session.flow import FlowAtHand
from swell.settings import load_settings
from swell.settings_table import SETTINGS

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
MADE = "<!-- Written by `make docs`; change the command or the setting instead. -->"


class ExampleFlow(FlowSpec):
    """A flow of one step, whose command line is described."""

    alpha = Parameter("alpha", default=0.5, help="A parameter of the flow: one option each.")

    @step
    def start(self) -> None:
        pass


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Every command that is shown, groups before what is in them, by its full name."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        yield name, command
        if isinstance(command, click.Group):
            inner = click.Context(command, parent=context, info_name=name)
            for inner_name, inner_command in commands(command, inner):
                yield f"{name} {inner_name}", inner_command


def apps() -> Iterator[tuple[str, click.Group, click.Context]]:
    """The two programs: a flow script, and `swell`."""
    settings = load_settings({})
    script = script_app(ExampleFlow)
    at_hand = FlowAtHand(ExampleFlow, settings)
    yield "python flow.py", script, context_of(script, "python flow.py", at_hand)
    admin = swell_app()
    assert isinstance(admin, click.Group)
    yield "swell", admin, context_of(admin, "swell", settings)


def context_of(app: click.Group, name: str, obj: object) -> click.Context:
    return app.make_context(name, [], obj=obj, resilient_parsing=True)


def options_table(command: click.Command, context: click.Context) -> list[str]:
    """One line for each argument and option that is shown."""
    rows = []
    for param in command.get_params(context):
        if isinstance(param, click.Argument):
            rows.append(f"| `{param.make_metavar(context)}` | | {help_of(param)} |")
        elif isinstance(param, click.Option) and not param.hidden:
            rows.append(
                f"| `{names_of(param, context)}` | {default_of(param)} | {help_of(param)} |"
            )
    return ["| | default | |", "|---|---|---|", *rows] if rows else []


def names_of(option: click.Option, context: click.Context) -> str:
    names = ", ".join(option.opts) + "".join(f"/{name}" for name in option.secondary_opts)
    takes_value = not (option.is_flag or option.count)
    metavar = option.make_metavar(context).removesuffix(" RANGE").replace("|", "\\|")
    return f"{names} {metavar}" if takes_value else names


def default_of(option: click.Option) -> str:
    default = option.to_info_dict()["default"]
    if option.secondary_opts and isinstance(default, bool):
        return f"`{(option.opts if default else option.secondary_opts)[0]}`"
    is_said = isinstance(default, (str, int, float)) and not isinstance(default, bool)
    return f"`{default}`" if is_said else ""


def help_of(param: click.Parameter) -> str:
    return (getattr(param, "help", None) or "").replace("|", "\\|").replace("\n", " ")


def commands_page() -> str:
    lines = ["# Commands", "", MADE, ""]
    lines += ["`python flow.py` stands for any flow script; its parameters are options of `run`."]
    for program, app, context in apps():
        lines += ["", f"## `{program}`", "", text_of(app)]
        lines += ["", *options_table(app, context)]
        for name, command in commands(app, context):
            inner = click.Context(command, parent=context, info_name=name)
            usage = " ".join(command.collect_usage_pieces(inner))
            lines += ["", f"### `{program} {name}`", "", f"`{program} {name} {usage}`".rstrip()]
            lines += ["", text_of(command)]
            table = options_table(command, inner)
            lines += ["", *table] if table else []
    return "\n".join(lines) + "\n"


def text_of(command: click.Command) -> str:
    return " ".join((command.help or "").split())


def settings_page() -> str:
    lines = ["# Settings", "", MADE, ""]
    lines += ["Each is an environment variable.", "", "| variable | default | |", "|---|---|---|"]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default is not None else ""
        lines.append(f"| `{setting.variable}` | {default} | {setting.sentence} |")
    return "\n".join(lines) + "\n"


def events_page() -> str:
    lines = ["# What `run --json` writes", "", MADE, ""]
    lines += ["One JSON object a line, and nothing else on stdout. Every object has:", ""]
    lines += fields_table(ALWAYS)
    lines += ["", "Names and meanings stay; more fields and events may come."]
    lines += ["The last object is `run_finished`."]
    for event, fields in EVENTS.items():
        lines += ["", f"## `{event}`", "", *fields_table(fields)]
    return "\n".join(lines) + "\n"


def fields_table(fields: Mapping[str, str]) -> list[str]:
    rows = [f"| `{name}` | {sentence} |" for name, sentence in fields.items()]
    return ["| field | |", "|---|---|", *rows]


def pages() -> dict[str, str]:
    """Text by file name."""
    return {
        "commands.md": commands_page(),
        "settings.md": settings_page(),
        "run-json.md": events_page(),
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
        print(f"written: docs/reference/{name}")
