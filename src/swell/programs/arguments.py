"""What a program gives to a run, as the script's command line takes it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from swell.errors import UsageError

_OPTIONS = {"decospecs": "with", "config_value": "config-value"}
"""Keyword → option, where they are not the same but for ``_`` and ``-``."""
_SWITCHED_OFF = {"pylint": "--no-pylint", "quiet": "--not-quiet"}


def top_arguments(top: Mapping[str, Any]) -> list[str]:
    """Options before the command: True is a flag, a list repeats the option, a pair gives
    it two values. Raises UsageError for a value that cannot be passed on."""
    arguments: list[str] = []
    for name, value in top.items():
        option = f"--{_OPTIONS.get(name, name).replace('_', '-')}"
        if value is None:
            continue
        if isinstance(value, bool):
            switched_off = [_SWITCHED_OFF[name]] if name in _SWITCHED_OFF else []
            arguments += [option] if value else switched_off
            continue
        for one in _each(value):
            words = one if isinstance(one, (tuple, list)) else (one,)
            arguments += [option, *(_word(name, word) for word in words)]
    return arguments


def _each(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.items()
    return value if isinstance(value, (list, set, frozenset)) else (value,)


def _word(name: str, value: Any) -> str:
    if isinstance(value, (str, int, float)):
        return str(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else _json(name, value)


def given_text(options: Mapping[str, Any]) -> str:
    """Options of the command with their types, as JSON.

    Raises UsageError naming an option whose value JSON cannot hold.
    """
    return "{" + ", ".join(f"{json.dumps(k)}: {_json(k, v)}" for k, v in options.items()) + "}"


def variables_of(command: str, options: Iterable[str]) -> list[str]:
    """Environment variables that would give these options, too."""
    return [f"SWELL_{command.upper()}_{name.upper()}" for name in options]


def _json(name: str, value: Any) -> str:
    try:
        return json.dumps(value, default=_plain)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{name}={value!r} cannot be given to a run: {error}.",
            remedy="Give numbers, text, True or False, paths, lists and dicts of them.",
        ) from None


def _plain(value: Any) -> Any:
    """What JSON does not know by itself: paths, dates, NumPy's numbers, config values, sets."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    for method in ("isoformat", "tolist"):
        found = getattr(value, method, None)
        if callable(found):
            return found()
    raise TypeError(f"a {type(value).__name__} is none of the types that JSON has")
