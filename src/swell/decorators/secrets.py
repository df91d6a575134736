"""``@secrets``: variables whose values are found inside the attempt, never stored or shown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

from swell.authoring.context import TaskContext
from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import flag, optional_text
from swell.decorators.environment import variables_set
from swell.errors import TaskError

_TYPES = ("inline", "env")
_LATER = ("aws-secrets-manager", "gcp-secret-manager", "az-key-vault")
_OWN_PREFIX = "SWELL_"


class _Source(NamedTuple):
    """One source, checked: ``fixed`` of an inline source, ``names`` of an env source."""

    label: str
    fixed: Mapping[str, str] = {}
    names: tuple[str, ...] = ()


class SecretsDecorator(StepDecorator):
    """Set environment variables from ``sources`` for the code of one step.

    A source is ``'type.id'`` or ``{'type': …, 'id': …, 'options': …}``. Types: ``inline``,
    with ``options={'env_vars': {name: value}}``; ``env``, whose id, or
    ``options={'names': […]}``, names variables that the attempt must find in its own
    environment. A variable that is set already is an error unless ``allow_override``.
    Inline values travel in the script: whoever reads it knows them.
    """

    name = "secrets"
    defaults: ClassVar = {"sources": [], "role": None, "allow_override": False}
    secret_arguments = frozenset({"sources"})

    def check_arguments(self) -> None:
        flag(self, "allow_override")
        optional_text(self, "role")
        seen: dict[str, str] = {}
        for source in self._sources():
            for name in (*source.fixed, *source.names):
                if name in seen:
                    raise self.problem(
                        f"@secrets: variable '{name}' comes from two sources, "
                        f"{seen[name]} and {source.label}.",
                        remedy="Take it from one of them.",
                    )
                seen[name] = source.label

    @contextmanager
    def around(self, task: TaskContext) -> Iterator[None]:
        found = self._found(task.step)
        task.hide(found.values())
        with variables_set(found):
            yield

    def _found(self, step: str) -> dict[str, str]:
        """The variables to set. Raises TaskError, which names them but never a value."""
        found: dict[str, str] = {}
        override = flag(self, "allow_override")
        for source in self._sources():
            for name in source.names:
                if name not in os.environ:
                    raise TaskError(
                        f"@secrets of step '{step}': {source.label} wants variable '{name}', "
                        "which is not set where the step runs.",
                        remedy=f"Set {name} before the run starts.",
                    )
                found[name] = os.environ[name]
            for name, value in source.fixed.items():
                if name in os.environ and not override:
                    raise TaskError(
                        f"@secrets of step '{step}': variable '{name}' is set already.",
                        remedy="Use another name, or allow_override=True.",
                    )
                found[name] = value
        return found

    def _sources(self) -> list[_Source]:
        given = self.attributes["sources"]
        if not isinstance(given, (list, tuple)):
            raise self.problem(
                f"@secrets: sources is a {type(given).__name__}, not a list.",
                remedy="Write sources=['env.NAME'].",
            )
        return [self._source(number, source) for number, source in enumerate(given, 1)]

    def _source(self, number: int, given: Any) -> _Source:
        kind, id_, options = self._parts(number, given)
        label = f"source {number} ({kind})"
        if kind in _LATER:
            raise self.problem(
                f"@secrets: {label} is of a type that is not available yet.",
                remedy=f"Use one of: {', '.join(_TYPES)}.",
            )
        if kind not in _TYPES:
            raise self.problem(
                f"@secrets: {label} is of an unknown type.",
                remedy=f"Known types: {', '.join(_TYPES)}.",
            )
        if kind == "inline":
            return _Source(label, self._inline(label, options))
        names = options.get("names", [] if id_ is None else [id_])
        if isinstance(names, str) or not isinstance(names, (list, tuple)) or not names:
            raise self.problem(
                f"@secrets: {label} names no variables.",
                remedy="Write 'env.NAME', or options={'names': ['NAME', …]}.",
            )
        for name in names:
            self._check_name(label, name)
        return _Source(label, names=tuple(names))

    def _parts(self, number: int, given: Any) -> tuple[str, str | None, Mapping[str, Any]]:
        if isinstance(given, str):
            kind, dot, id_ = given.partition(".")
            if not dot or not id_:
                raise self.problem(
                    f"@secrets: source {number} says no type.",
                    remedy=f"Write it as type.id; types: {', '.join(_TYPES)}.",
                )
            return kind, id_, {}
        if not isinstance(given, Mapping) or not isinstance(given.get("type"), str):
            raise self.problem(
                f"@secrets: source {number} is neither text nor a dict with a type.",
                remedy="Write 'env.NAME' or {'type': 'env', 'id': 'NAME'}.",
            )
        unknown = sorted(map(str, given.keys() - {"type", "id", "options", "role"}))
        options = given.get("options") or {}
        if unknown or not isinstance(options, Mapping):
            what = f"has unknown keys {', '.join(unknown)}" if unknown else "has odd options"
            raise self.problem(
                f"@secrets: source {number} {what}.",
                remedy="Its keys are type, id, options (a dict) and role.",
            )
        return given["type"], given.get("id"), options

    def _inline(self, label: str, options: Mapping[str, Any]) -> Mapping[str, str]:
        variables = options.get("env_vars")
        if not isinstance(variables, Mapping):
            raise self.problem(
                f"@secrets: {label} gives no variables.",
                remedy="Write options={'env_vars': {'NAME': 'value'}}.",
            )
        for name, value in variables.items():
            self._check_name(label, name)
            if not isinstance(value, str):
                raise self.problem(
                    f"@secrets: {label}: the value of '{name}' is a {type(value).__name__}, "
                    "not text.",
                    remedy="Write it as text.",
                )
        return variables

    def _check_name(self, label: str, name: object) -> None:
        if not isinstance(name, str) or not (name.isascii() and name.isidentifier()):
            raise self.problem(
                f"@secrets: {label}: {name!r} cannot name a variable.",
                remedy="Use letters, digits and '_', not beginning with a digit.",
            )
        if name.startswith(_OWN_PREFIX):
            raise self.problem(
                f"@secrets: {label}: variable '{name}' begins with {_OWN_PREFIX}, which is "
                "kept for settings.",
                remedy="Use another name.",
            )


secrets = StepDecoratorFactory(SecretsDecorator)
