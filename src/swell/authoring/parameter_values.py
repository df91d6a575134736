"""From what was given for parameters to the values a run has; reads files, calls defaults."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping
from typing import Any

from swell.authoring.dotted import import_dotted
from swell.authoring.include_file import IncludeFile
from swell.authoring.parameter import JSONTypeClass, Parameter, ParameterContext
from swell.errors import (
    FlowError,
    ParameterFieldFailed,
    ParameterFieldTypeMismatch,
    ParserValueError,
    UsageError,
)

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


def resolve_values(
    parameters: Mapping[str, Parameter],
    given: Mapping[str, object],
    context: ParameterContext,
) -> dict[str, Any]:
    """Attribute name → value for every parameter, in order of declaration.

    ``parameters`` by attribute name, with config values in place. ``given`` by option
    name (``-`` or ``_``), None meaning not given; text is converted. Defaults are
    converted too, functions among them called here, once. IncludeFiles are read.

    Raises UsageError for what was given wrongly, or is unknown or missing;
    ParameterFieldTypeMismatch and ParameterFieldFailed for a default.
    """
    by_key = {parameter.key: parameter.name for parameter in parameters.values()}
    wanted: dict[str, object] = {}
    for name, value in given.items():
        key = name.replace("-", "_")
        if key not in by_key:
            known = ", ".join(by_key.values()) or "none"
            raise UsageError(
                f"There is no parameter '{name}'.", remedy=f"Parameters of this flow: {known}."
            )
        wanted[key] = value
    return {
        attribute: _resolve(parameter, wanted.get(parameter.key), context)
        for attribute, parameter in parameters.items()
    }


def convert(parameter: Parameter, value: object) -> Any:
    """``value``, text or object, as the parameter's type wants it; for one given value.

    Raises ValueError saying what was expected.
    """
    if parameter.takes_many:
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            value = (value,)
        if parameter.options.get("multiple") and parameter.options.get("nargs", 1) != 1:
            return tuple(
                tuple(convert_one(parameter.value_type, one) for one in group) for group in value
            )
        return tuple(convert_one(parameter.value_type, one) for one in value)
    if parameter.separator is not None:
        if isinstance(value, str):
            return value.split(parameter.separator) if value else []
        if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
            return list(value)
        raise ValueError(f"text separated by {parameter.separator!r}")
    return convert_one(parameter.value_type, value)


def convert_one(kind: Any, value: object) -> Any:
    """One value as ``kind``: str, int, float, bool, JSON, a click type or a function.

    Raises ValueError saying what was expected.
    """
    if isinstance(kind, JSONTypeClass):
        return _from_json(value) if isinstance(value, str) else value
    if kind is bool:
        return _as_bool(value)
    if kind is int:
        return _as_int(value)
    if kind is float:
        return _as_float(value)
    if kind is str:
        if isinstance(value, str):
            return value
        raise ValueError("text")
    return _by_click_or_function(kind, value)


def type_words(kind: Any) -> str:
    """The type as people read it: 'an integer', 'JSON'…"""
    words = {str: "text", int: "an integer", float: "a number", bool: "true or false"}
    if isinstance(kind, type) and kind in words:
        return words[kind]
    if isinstance(kind, (list, tuple)):
        return f"one of {', '.join(map(str, kind))}"
    return str(getattr(kind, "name", None) or getattr(kind, "__name__", None) or kind)


def _resolve(parameter: Parameter, value: object, context: ParameterContext) -> Any:
    if value is None or (parameter.takes_many and value == ()):
        return _default(parameter, context)
    try:
        converted = convert(parameter, value)
    except ValueError as error:
        raise UsageError(
            f"Parameter '{parameter.name}': {value!r} is not {error}.",
            remedy=f"Give --{parameter.name} {type_words(parameter.value_type)}.",
        ) from error
    if isinstance(parameter, IncludeFile):
        return read_included(parameter, converted)
    return converted


def _default(parameter: Parameter, context: ParameterContext) -> Any:
    default = parameter.default
    if default is None:
        if parameter.required:
            raise UsageError(
                f"Parameter '{parameter.name}' is required and was not given.",
                remedy=f"Add --{parameter.name} VALUE.",
            )
        if parameter.is_flag:
            return False
        return () if parameter.options.get("multiple") else None
    if callable(default):
        default = _called(parameter, default, context)
        if default is None:
            return None
    try:
        converted = convert(parameter, default)
    except ValueError as error:
        raise ParameterFieldTypeMismatch(
            f"The default of parameter '{parameter.name}', {default!r}, is not {error}.",
            remedy=f"Make it {type_words(parameter.value_type)}, or name its type with type=….",
            source_file=parameter.source_file,
            line_no=parameter.line_no,
        ) from error
    if isinstance(parameter, IncludeFile):
        return read_included(parameter, converted)
    return converted


def _called(parameter: Parameter, default: Callable[..., Any], context: ParameterContext) -> object:
    try:
        return default(context._replace(parameter_name=parameter.name))
    except Exception as error:
        import traceback

        trace = error.__traceback__.tb_next if error.__traceback__ else None
        shown = "".join(traceback.format_exception(type(error), error, trace))
        raise ParameterFieldFailed(
            f"The function given as default of parameter '{parameter.name}' raised "
            f"{type(error).__name__}:\n{shown.rstrip()}\n",
            remedy=f"Mend the function, or give --{parameter.name}.",
            source_file=parameter.source_file,
            line_no=parameter.line_no,
        ) from error


def read_included(parameter: IncludeFile, path: str) -> Any:
    """The content of a local file as the parameter wants it.

    Raises UsageError naming the path if it cannot be read, ParserValueError if its
    parser cannot read the content.
    """
    if "://" in path:
        raise UsageError(
            f"Parameter '{parameter.name}': '{path}' is a URL, not a local file.",
            remedy="Download it first and give its path, or read the URL in a step.",
        )
    local = os.path.expanduser(path)
    try:
        with open(local, "rb") as file:
            content = file.read()
        if not parameter.is_text:
            return _parse(parameter, content, local)
        return _parse(parameter, content.decode(parameter.encoding), local)
    except OSError as error:
        raise UsageError(
            f"Parameter '{parameter.name}': file '{local}' cannot be read: {error.strerror}.",
            remedy="Give the path of a file that can be read.",
        ) from error
    except (UnicodeDecodeError, LookupError) as error:
        raise UsageError(
            f"Parameter '{parameter.name}': file '{local}' is not text in "
            f"{parameter.encoding}: {error}.",
            remedy="Name its encoding with IncludeFile(…, encoding=…), or use is_text=False.",
        ) from error


def _parse(parameter: IncludeFile, content: Any, path: str) -> Any:
    parser: Any = parameter.parser
    if parser is None:
        return content
    if isinstance(parser, str):
        parser = import_dotted(parser, f"The parser of parameter '{parameter.name}',")
    if not callable(parser):
        raise parameter.problem(
            f"The parser of parameter '{parameter.name}' cannot be called.",
            remedy="Name a function that takes the content.",
        )
    try:
        return parser(content)
    except Exception as error:
        raise ParserValueError(
            f"Parameter '{parameter.name}': its parser cannot read file '{path}': "
            f"{type(error).__name__}: {error}.",
            remedy="Mend the file, or the parser.",
            source_file=parameter.source_file,
            line_no=parameter.line_no,
        ) from error


def _from_json(text: str) -> object:
    import json

    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error


def _as_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("true or false (1/0, yes/no, t/f, y/n)")


def _as_int(value: object) -> int:
    if not isinstance(value, bool):
        try:
            return int(value) if isinstance(value, str) else operator.index(value)  # type: ignore[arg-type]  # a TypeError says that it is none
        except (TypeError, ValueError):
            pass
    raise ValueError("an integer")


def _as_float(value: object) -> float:
    if not isinstance(value, bool):
        try:
            return float(value)  # type: ignore[arg-type]  # a TypeError says that it is none
        except (TypeError, ValueError):
            pass
    raise ValueError("a number")


def _by_click_or_function(kind: Any, value: object) -> Any:
    if isinstance(kind, type) and isinstance(value, kind):
        return value
    import click

    try:
        return click.types.convert_type(kind).convert(value, None, None)
    except click.ClickException as error:
        raise ValueError(f"{type_words(kind)}: {error.format_message()}") from error


def not_a_parameter_type(parameter: Parameter) -> FlowError:
    """The error for a type that no value can be converted to."""
    return parameter.problem(
        f"Parameter '{parameter.name}' has type {parameter.value_type!r}, which is none.",
        remedy="Use str, int, float, bool, JSONType or a type of click's.",
    )
