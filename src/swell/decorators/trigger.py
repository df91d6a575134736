"""``@trigger``: events that start a deployed flow; without effect on runs from the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from swell.authoring.decorator import FlowDecorator, FlowDecoratorFactory


class TriggerDecorator(FlowDecorator):
    """Checked and kept for deployments: one ``event`` or several ``events``.

    Each is a name, a dict with a name, or a function that gives one.
    """

    name = "trigger"
    defaults: ClassVar = {"event": None, "events": [], "options": {}}

    def check_arguments(self) -> None:
        check_one_or_many(self, "event", "events")


def check_one_or_many(decorator: FlowDecorator, one: str, many: str) -> None:
    """Raise FlowError unless one of two arguments names something, and both well."""
    single, several = decorator.attributes[one], decorator.attributes[many]
    if callable(several):
        several = [several]
    if not isinstance(several, (list, tuple)) or not isinstance(
        decorator.attributes["options"], Mapping
    ):
        raise decorator.problem(
            f"@{decorator.name}: {many} is no list, or options no dict.",
            remedy=f"Write {many}=['…'].",
        )
    if bool(single) == bool(several):
        how = "both" if single else "neither of"
        raise decorator.problem(
            f"@{decorator.name} was given {how} {one} and {many}.", remedy="Give one of them."
        )
    for value in several or [single]:
        named = isinstance(value, Mapping) and isinstance(value.get("name"), str)
        if not (named or callable(value) or (isinstance(value, str) and value)):
            raise decorator.problem(
                f"@{decorator.name}: {value!r} names nothing.",
                remedy="Give a name as text, or a dict with a 'name'.",
            )


trigger = FlowDecoratorFactory(TriggerDecorator)
