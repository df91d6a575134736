"""Values that are read from configs once these are known; light, because every script loads it."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from swell.errors import FlowError

# Looked for by whoever scans a class body; as a config key each is reachable by ['key'].
_NEVER_KEYS = frozenset({"is_step", "decorators", "is_flow", "name_of_step"})


class LateValue(ABC):
    """A value that exists once configs are resolved: stands where a value is expected.

    ``.key`` and ``['key']`` give further late values, ``**`` spreads one into keywords or
    into a dict.
    """

    @abstractmethod
    def evaluate(self, configs: Mapping[str, object]) -> Any:
        """The value, given all configs by name. Raises FlowError naming the expression."""

    def __getattr__(self, name: str) -> LateValue:
        if name.startswith("__") or name in _NEVER_KEYS:
            raise AttributeError(name)
        return _Lookup(self, name)

    def __getitem__(self, key: object) -> Any:
        if isinstance(key, SpreadKey):
            return self
        return _Lookup(self, key)

    def keys(self) -> list[SpreadKey]:
        """What ``**`` asks for: one key that stands for all of them until they are known."""
        return [SpreadKey(self)]

    def __iter__(self) -> Iterator[object]:
        raise TypeError(f"{self} has no value before the run starts, so it cannot be iterated.")

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self} has no value before the run starts, so it cannot be tested for truth; "
            "use config_expr('…') for expressions over configs."
        )


class SpreadKey(str):
    """The key under which a late mapping travels through ``**``."""

    expression: LateValue

    def __new__(cls, expression: LateValue) -> SpreadKey:
        key = super().__new__(cls, f"**{expression!r}#{id(expression)}")
        key.expression = expression
        return key


class _Lookup(LateValue):
    """``parent.key`` or ``parent['key']``."""

    def __init__(self, parent: LateValue, key: object) -> None:
        self._parent = parent
        self._key = key

    def __repr__(self) -> str:
        if isinstance(self._key, str) and self._key.isidentifier():
            return f"{self._parent!r}.{self._key}"
        return f"{self._parent!r}[{self._key!r}]"

    def evaluate(self, configs: Mapping[str, object]) -> Any:
        value = self._parent.evaluate(configs)
        try:
            return value[self._key]
        except (KeyError, IndexError, TypeError) as error:
            if isinstance(self._key, str) and not isinstance(value, Mapping):
                found = getattr(value, self._key, _MISSING)
                if found is not _MISSING:
                    return found
            raise FlowError(
                f"{self!r} has no value: {self._parent!r} is {_in_short(value)}.",
                remedy=_known_keys(value),
            ) from error


class _Expression(LateValue):
    """Python text over config names."""

    def __init__(self, text: str, module_globals: dict[str, Any]) -> None:
        self._text = text
        self._globals = module_globals

    def __repr__(self) -> str:
        return f"config_expr({self._text!r})"

    def evaluate(self, configs: Mapping[str, object]) -> Any:
        try:
            return eval(self._text, {**self._globals, **configs})
        except Exception as error:
            raise FlowError(
                f"{self!r} cannot be evaluated: {type(error).__name__}: {error}.",
                remedy=f"Configs of this flow: {', '.join(configs) or 'none'}.",
            ) from error


_MISSING = object()


def config_expr(expression: str) -> LateValue:
    """``config_expr("cfg.size * 2")``: a value computed from configs, by config name.

    The expression also sees the globals of the module that makes it.
    """
    return _Expression(expression, sys._getframe(1).f_globals)


def evaluate(value: Any, configs: Mapping[str, object]) -> Any:
    """``value`` with every late value in it replaced, in dicts, lists and tuples too."""
    if isinstance(value, LateValue):
        return value.evaluate(configs)
    if type(value) is dict:
        return evaluate_keywords(value, configs)
    if type(value) is list:
        return [evaluate(item, configs) for item in value]
    if type(value) is tuple:
        return tuple(evaluate(item, configs) for item in value)
    return value


def evaluate_keywords(given: Mapping[Any, Any], configs: Mapping[str, object]) -> dict[Any, Any]:
    """The same for keywords, with ``**config`` spread. Raises FlowError if it is no mapping."""
    known: dict[Any, Any] = {}
    for key, value in given.items():
        if not isinstance(key, SpreadKey):
            known[key] = evaluate(value, configs)
            continue
        spread = key.expression.evaluate(configs)
        if not isinstance(spread, Mapping):
            raise FlowError(
                f"**{key.expression!r} is {_in_short(spread)}, not a mapping.",
                remedy="Spread a config that holds keys and values.",
            )
        known.update(spread)
    return known


def _in_short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _known_keys(value: object) -> str:
    if isinstance(value, Mapping) and value:
        return f"Keys there: {', '.join(str(key) for key in value)}."
    return "Add the key to the config, or give the config itself with --config."
