"""The reference of commands and settings is complete and says what the code says."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from scripts import reference


@pytest.mark.parametrize("name", ["commands.md", "settings.md", "run-json.md"])
def test_the_reference_is_up_to_date(name: str, root: Path) -> None:
    written = (root / "docs/reference" / name).read_text()
    assert written == reference.pages()[name], "make docs"


def test_every_command_and_every_option_says_what_it_is() -> None:
    silent = []
    for program, app, context in reference.apps():
        shown = [(program, app), *reference.commands(app, context)]
        for name, command in shown:
            if not command.help:
                silent.append(f"{program} {name}")
            silent += [
                f"{program} {name} {param.opts[0]}"
                for param in command.params
                if isinstance(param, click.Option) and not param.hidden and not param.help
            ]
    assert silent == []


def test_every_setting_has_a_variable_of_its_own_and_a_sentence() -> None:
    variables = [setting.variable for setting in reference.SETTINGS]
    assert len(set(variables)) == len(variables)
    assert all(setting.sentence.endswith(".") for setting in reference.SETTINGS)
