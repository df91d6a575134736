"""The error for decorators that scripts carry but that cannot be ignored safely."""

from __future__ import annotations

from swell.authoring.decorator import Decorator
from swell.errors import FlowError


def refused(decorator: Decorator, where: str, instead: str) -> FlowError:
    """Names the decorator, where it stands, and what to use instead of it."""
    return decorator.problem(
        f"@{decorator.name} on {where} is not supported.", remedy=f"Use {instead} instead."
    )
