"""Arguments of decorators as numbers and text: numbers may be strings, errors name the place."""

from __future__ import annotations

import math

from swell.authoring.decorator import Decorator


def number(
    decorator: Decorator,
    argument: str,
    *,
    minimum: float = 0.0,
    maximum: float = math.inf,
    above: bool = False,
) -> float:
    """A finite number between ``minimum`` (itself left out if ``above``) and ``maximum``."""
    given = decorator.attributes[argument]
    value = _as_float(given)
    low = value is not None and (value <= minimum if above else value < minimum)
    if value is None or low or value > maximum:
        raise decorator.problem(
            f"@{decorator.name}: {argument} is {given!r}.",
            remedy=f"Give a number {_range(minimum, maximum, above)}.",
        )
    return value


def optional_number(
    decorator: Decorator,
    argument: str,
    *,
    minimum: float = 0.0,
    maximum: float = math.inf,
    above: bool = False,
) -> float | None:
    """The same, or None where the argument is None."""
    if decorator.attributes[argument] is None:
        return None
    return number(decorator, argument, minimum=minimum, maximum=maximum, above=above)


def whole_number(
    decorator: Decorator, argument: str, *, minimum: int = 0, maximum: float = math.inf
) -> int:
    """A whole number between ``minimum`` and ``maximum``."""
    given = decorator.attributes[argument]
    value = _as_float(given)
    if value is None or value != int(value) or not minimum <= value <= maximum:
        raise decorator.problem(
            f"@{decorator.name}: {argument} is {given!r}.",
            remedy=f"Give a whole number {_range(minimum, maximum, False)}.",
        )
    return int(value)


def optional_whole_number(
    decorator: Decorator, argument: str, *, minimum: int = 0, maximum: float = math.inf
) -> int | None:
    """The same, or None where the argument is None."""
    if decorator.attributes[argument] is None:
        return None
    return whole_number(decorator, argument, minimum=minimum, maximum=maximum)


def flag(decorator: Decorator, argument: str) -> bool:
    """True or False; None counts as False, the words 'true' and 'false' are understood."""
    given = decorator.attributes[argument]
    if given is None or isinstance(given, bool):
        return bool(given)
    if isinstance(given, str) and given.lower() in ("true", "false"):
        return given.lower() == "true"
    raise decorator.problem(f"@{decorator.name}: {argument} is {given!r}.", "Give True or False.")


def optional_text(decorator: Decorator, argument: str) -> str | None:
    """Text that is not empty, or None."""
    given = decorator.attributes[argument]
    if given is None or (isinstance(given, str) and given):
        return given
    raise decorator.problem(f"@{decorator.name}: {argument} is {given!r}.", "Give text.")


def _as_float(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return None
    try:
        value = float(given)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _range(minimum: float, maximum: float, above: bool) -> str:
    if maximum < math.inf:
        return f"from {minimum:g} to {maximum:g}"
    return f"above {minimum:g}" if above else f"of at least {minimum:g}"
