"""What another program gives to ``run`` and ``resume``: values with their types, in a file."""

from __future__ import annotations

import sys
from typing import Any

import click

from swell.authoring.flow import Flow
from swell.errors import UsageError

_FOR_SWELL = ("runner_attribute_file",)
"""Options that a Runner itself uses."""


def take_given(ctx: click.Context, command: click.Command, separators: dict[str, str]) -> None:
    """Let ``command`` use what the top option ``--given`` names, if it was used.

    ``separators`` maps options whose text is split to what it is split at. Raises
    UsageError for an unknown name, a wrong shape, and for a script with several flows.
    """
    path = ctx.find_root().params["given_file"]
    if path is None:
        return
    import json

    _refuse_several_flows()
    with open(path, encoding="utf-8") as file:
        given: dict[str, Any] = json.load(file)
    options = {param.name: param for param in command.params if param.name}
    for name, value in given.items():
        if name not in options:
            raise _unknown(str(command.name), name, [n for n in options if n not in _FOR_SWELL])
        is_many = options[name].multiple or options[name].nargs != 1
        if is_many and not isinstance(value, list):
            raise UsageError(
                f"'{name}' takes several values, and {value!r} is one.",
                remedy=f"Give a list: {name}=[…].",
            )
        if name in separators and isinstance(value, list):
            given[name] = separators[name].join(map(str, value))
    command.context_settings["default_map"] = given


def _unknown(command: str, name: str, known: list[str]) -> UsageError:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return UsageError(
        f"'{command}' of this flow takes no '{name}'.",
        remedy=f"{hint}It takes: {', '.join(known)}.",
    )


def _refuse_several_flows() -> None:
    """A program means *the* flow of a file. A flow that others extend is no choice."""
    flows = [
        value
        for value in vars(sys.modules["__main__"]).values()
        if isinstance(value, type) and issubclass(value, Flow) and value.__module__ == "__main__"
    ]
    last = sorted(flow.__name__ for flow in flows if not any(flow in o.__mro__[1:] for o in flows))
    if len(last) > 1:
        raise UsageError(
            f"{sys.argv[0]} holds {len(last)} flows: {', '.join(last)}.",
            remedy="Give each a file of its own: a Runner runs the one flow of a file.",
        )
