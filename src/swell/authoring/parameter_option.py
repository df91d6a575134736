"""A parameter as an option of click's; loaded by the command line alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from swell.authoring.include_file import IncludeFile
from swell.authoring.parameter import Parameter
from swell.authoring.parameter_values import convert_one, not_a_parameter_type, type_words

_WORDS: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "boolean"}


class _OneValue(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    """Converts one value as ``resolve_values`` does, so that a bad one is a usage error."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.name = _WORDS.get(kind) or type_words(kind)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return convert_one(self.kind, value)
        except ValueError as error:
            return self.fail(f"{value!r} is not {error}.", param, ctx)


def click_option(parameter: Parameter) -> click.Option:
    """The option ``--name`` of a parameter that has config values in place.

    It is also read from ``SWELL_RUN_<NAME>``. Its value is None where nothing was given:
    defaults are the business of ``resolve_values``.
    """
    kind: Any = parameter.value_type
    if not isinstance(parameter.type, click.ParamType) and not isinstance(kind, (list, tuple)):
        if not (callable(kind) or hasattr(kind, "name")):
            raise not_a_parameter_type(parameter)
        kind = _OneValue(kind)
    if parameter.separator is not None:
        kind = click.STRING
    options = dict(parameter.options)
    if not parameter.is_flag:
        options["type"] = kind
    if isinstance(parameter, IncludeFile):
        options.setdefault("metavar", "FILE")
    return click.Option(
        [f"--{parameter.name}", parameter.key],
        default=None,
        required=bool(parameter.required) and parameter.default is None,
        envvar=f"SWELL_RUN_{parameter.key.upper()}",
        help=_help(parameter),
        show_default=False,
        **options,
    )


def given_values(
    parameters: Mapping[str, Parameter], values: Mapping[str, Any]
) -> dict[str, object]:
    """Of all that click parsed, what belongs to parameters: for ``resolve_values``."""
    return {
        parameter.name: values[parameter.key]
        for parameter in parameters.values()
        if values.get(parameter.key) is not None
    }


def _help(parameter: Parameter) -> str | None:
    # Not click's own show_default: to know what was given, click sees no default at all.
    default = parameter.default
    if parameter.show_default is False or default is None:
        return parameter.help
    shown = "computed when the run starts" if callable(default) else str(default)
    return f"{parameter.help or ''}  [default: {shown}]".strip()
