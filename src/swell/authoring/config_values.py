"""From ``--config``, ``--config-value``, the environment and defaults to config values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from swell.authoring.config import Config, ConfigSpec, ConfigValue, spec_of
from swell.authoring.dotted import import_dotted
from swell.authoring.parameter import ParameterContext
from swell.errors import FlowError, UsageError


class GivenConfigs(NamedTuple):
    """What was given for configs: pairs from the command line, JSON texts of the environment.

    ``files`` are (name, path), ``values`` (name, text). ``environment_files`` is the
    text of ``SWELL_FLOW_CONFIG``, ``environment_values`` of ``SWELL_FLOW_CONFIG_VALUE``.
    """

    files: tuple[tuple[str, str], ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    environment_files: str | None = None
    environment_values: str | None = None


def resolve_configs(
    configs: Mapping[str, Config], given: GivenConfigs, context: ParameterContext
) -> dict[str, Any]:
    """Config name → value: the command line beats the environment beats the default.

    ``configs`` by attribute name. Raises UsageError for what cannot be read or is not
    known, FlowError where two configs have one name or a default's function fails.
    """
    specs = _by_name(configs)
    on_line = _level(specs, given.files, given.values, "the command line")
    around = _level(
        specs,
        _pairs(given.environment_files, "SWELL_FLOW_CONFIG"),
        _pairs(given.environment_values, "SWELL_FLOW_CONFIG_VALUE"),
        "the environment",
    )
    resolved = {}
    for name, spec in specs.items():
        source = on_line.get(name) or around.get(name) or _default(spec, context)
        resolved[spec.name] = None if source is None else _read(spec, source)
    return resolved


class _Source(NamedTuple):
    """Either a path or a value, and who gave it."""

    path: str | None
    value: Any
    origin: str


def _by_name(configs: Mapping[str, Config]) -> dict[str, ConfigSpec]:
    found: dict[str, ConfigSpec] = {}
    for config in configs.values():
        spec = spec_of(config)
        if _plain_name(spec.name) in found:
            raise FlowError(
                f"Config name '{spec.name}' is used twice.",
                remedy="Names compare without case; give one of them another name.",
                source_file=spec.source_file,
                line_no=spec.line_no,
            )
        found[_plain_name(spec.name)] = spec
    return found


def _level(
    specs: Mapping[str, ConfigSpec],
    files: tuple[tuple[str, Any], ...],
    values: tuple[tuple[str, Any], ...],
    origin: str,
) -> dict[str, _Source]:
    found: dict[str, _Source] = {}
    for name, path in files:
        if not isinstance(path, str):
            raise UsageError(
                f"Config '{name}' from {origin}: {path!r} is not a path.",
                remedy="Give the path of a file as text.",
            )
        found[_known(specs, name, origin)] = _Source(path, None, origin)
    for name, value in values:
        key = _known(specs, name, origin)
        if key in found and found[key].path is not None:
            raise UsageError(
                f"Config '{name}' was given both a file and a value by {origin}.",
                remedy="Keep one of the two.",
            )
        found[key] = _Source(None, value, origin)
    return found


def _known(specs: Mapping[str, ConfigSpec], name: str, origin: str) -> str:
    if _plain_name(name) in specs:
        return _plain_name(name)
    known = ", ".join(spec.name for spec in specs.values()) or "none"
    raise UsageError(
        f"{origin[0].upper()}{origin[1:]} names config '{name}', which this flow does not have.",
        remedy=f"Configs of this flow: {known}.",
    )


def _pairs(text: str | None, variable: str) -> tuple[tuple[str, Any], ...]:
    if not text:
        return ()
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"{variable} is not JSON: {error}.", remedy='Write {"name": …}.'
        ) from error
    if not isinstance(found, dict):
        raise UsageError(f"{variable} is no JSON object.", remedy='Write {"name": …}.')
    return tuple(found.items())


def _default(spec: ConfigSpec, context: ParameterContext) -> _Source | None:
    given = spec.default if spec.default is not None else spec.default_value
    if callable(given) and not isinstance(given, Mapping):
        try:
            given = given(context._replace(parameter_name=spec.name))
        except Exception as error:
            raise FlowError(
                f"The function given as default of config '{spec.name}' raised "
                f"{type(error).__name__}: {error}.",
                remedy="Mend the function, or give the config with --config.",
                source_file=spec.source_file,
                line_no=spec.line_no,
            ) from error
    if given is not None:
        if spec.default is not None:
            return _Source(str(given), None, "its default")
        return _Source(None, given, "its default")
    if spec.required:
        raise UsageError(
            f"Config '{spec.name}' is required and was not given.",
            remedy=f"Add --config {spec.name} FILE or --config-value {spec.name} TEXT.",
        )
    return None


def _read(spec: ConfigSpec, source: _Source) -> Any:
    value = source.value if source.path is None else _content(spec, source)
    if isinstance(value, str):
        value = _parsed(spec, value, source)
    if spec.plain:
        return value
    if isinstance(value, Mapping):
        return ConfigValue(value)
    raise UsageError(
        f"Config '{spec.name}' from {_origin(source)} is a {type(value).__name__}, "
        "not a mapping of keys to values.",
        remedy="Give an object with keys, or declare the config with plain=True.",
    )


def _content(spec: ConfigSpec, source: _Source) -> str:
    path = os.path.expanduser(source.path or "")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            f"Config '{spec.name}': file '{path}', named by {source.origin}, "
            f"cannot be read: {reason}.",
            remedy=f"Give a file that can be read: --config {spec.name} FILE.",
        ) from error


def _parsed(spec: ConfigSpec, text: str, source: _Source) -> Any:
    parser = spec.parser
    if isinstance(parser, str):
        parser_name = parser
        found = import_dotted(parser, f"The parser of config '{spec.name}',")
        if not callable(found):
            raise FlowError(
                f"The parser of config '{spec.name}', '{parser}', cannot be called.",
                remedy="Name a function that takes text.",
            )
        parser = found
    else:
        parser_name = getattr(parser, "__name__", "its parser") if parser else "JSON"
    try:
        return json.loads(text) if parser is None else parser(text)
    except Exception as error:
        raise UsageError(
            f"Config '{spec.name}' from {_origin(source)} cannot be read as {parser_name}: "
            f"{error}.",
            remedy="Mend the text, or name its format with Config(…, parser=…).",
        ) from error


def _origin(source: _Source) -> str:
    return source.origin if source.path is None else f"file '{source.path}'"


def _plain_name(name: str) -> str:
    return name.lower().replace("-", "_")
