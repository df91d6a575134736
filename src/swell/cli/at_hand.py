"""The flow of the script, as its commands get at it: configs read, decorators added, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from swell.authoring.config_values import GivenConfigs
from swell.session.flow import FlowAtHand, KeptConfigs, SettledFlow


def top_params(ctx: click.Context) -> dict[str, Any]:
    """What was given before the command."""
    return ctx.find_root().params


def flow_of(ctx: click.Context, kept: KeptConfigs | None = None) -> FlowAtHand:
    """The flow, its configs read or as they were ``kept``. Raises UsageError and FlowError."""
    at_hand = ctx.obj
    assert isinstance(at_hand, FlowAtHand)
    if not at_hand.is_read:
        top = top_params(ctx)
        settings = at_hand.settings
        at_hand.read_configs(
            GivenConfigs(
                files=tuple(top["config_files"]),
                values=tuple(top["config_values"]),
                environment_files=settings.config,
                environment_values=settings.config_values,
            )
            if kept is None
            else GivenConfigs(),
            kept,
        )
    return at_hand


def settled(ctx: click.Context, withs: Sequence[str] = ()) -> SettledFlow:
    """The flow, checked, with ``withs``, those of the settings and those before the command."""
    at_hand = flow_of(ctx)
    defaults = (at_hand.settings.default_with or "").split()
    return at_hand.settle((*withs, *defaults, *top_params(ctx)["decospecs"]))


def kept_withs(ctx: click.Context, kept: Sequence[str]) -> tuple[str, ...]:
    """What a run was begun with, to go on with it; what is not stored of it must be given
    again. Raises UsageError."""
    from swell.authoring.with_spec import completed

    defaults = (flow_of(ctx).settings.default_with or "").split()
    return completed(kept, (*defaults, *top_params(ctx)["decospecs"]))


def lint(ctx: click.Context, flow: SettledFlow) -> str | None:
    """Let pylint check the script, unless it is not there or not wanted (then None).

    Returns '', or a notice that pylint could not do its work. Raises LintWarn.
    """
    script = flow.at_hand.script
    if script is None or not top_params(ctx)["pylint"]:
        return None
    import importlib.util

    # Asked here, so that a run without pylint does not load what would start it.
    if importlib.util.find_spec("pylint") is None:
        return None
    from swell.authoring.pylint_check import check_with_pylint

    return check_with_pylint(script)
