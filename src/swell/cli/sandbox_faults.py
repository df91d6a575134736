"""The words of `swell sandbox chaos`: spot=0.1 api-down=20s host-loss … as a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from swell.errors import UsageError

_USUAL_THROTTLE = 2.0
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class _Fault(NamedTuple):
    """A field of the request, how its value is read, and what it is without one, if it may be."""

    field: str
    read: Callable[[str], Any]
    alone: Any = None


def parse_faults(words: Sequence[str]) -> dict[str, Any]:
    """The request that ``words`` mean. Raises UsageError, naming the word."""
    request: dict[str, Any] = {}
    for word in words:
        if word == "off":
            request["clear"] = True
            continue
        name, equals, text = word.partition("=")
        fault = _FAULTS.get(name)
        if fault is None or (not equals and fault.alone is None):
            raise _bad(word)
        try:
            value = fault.read(text) if equals else fault.alone
        except ValueError:
            raise _bad(word) from None
        if isinstance(value, dict):
            value = {**request.get(fault.field, {}), **value}
        request[fault.field] = value
    return request


def _environment(text: str) -> dict[str, str]:
    name, colon, fault = text.partition(":")
    if not (name and colon and fault):
        raise ValueError
    return {name: fault}


def _seconds(text: str) -> float:
    """'20s', '1.5m', '20' → seconds."""
    number = text.rstrip("hms")
    unit = text[len(number) :] or "s"
    if unit not in _UNITS_S:
        raise ValueError
    return float(number) * _UNITS_S[unit]


_FAULTS = {
    "spot": _Fault("spot", float),
    "oom": _Fault("oom", float),
    "within": _Fault("within_s", _seconds),
    "seed": _Fault("seed", int),
    "throttle": _Fault("throttle", float, _USUAL_THROTTLE),
    "capacity": _Fault("capacity", int),
    "environment": _Fault("environments", _environment),
    "host-loss": _Fault("host_loss", int, 1),
    "api-down": _Fault("api_down_s", _seconds),
}


def _bad(word: str) -> UsageError:
    return UsageError(
        f"'{word}' is not a fault the sandbox knows.",
        remedy=f"There are {', '.join(_FAULTS)}, and off. For example: "
        "swell sandbox chaos spot=0.1 oom=0.05 seed=7.",
    )
