"""How much each step of a run asks for where it runs, and how far its memory may grow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from swell.errors import FlowError
from swell.model.job import StepPlan
from swell.scheduler.retry import with_growth

if TYPE_CHECKING:
    from swell.session.remote import Remote


def refuse_contradictions(plans: Mapping[str, StepPlan]) -> None:
    """Raise FlowError for a bound of memory below what a step begins with."""
    for plan in plans.values():
        asked, most = plan.resources.memory_mb, plan.max_memory_mb
        if asked is not None and most is not None and most < asked:
            raise FlowError(
                f"Step '{plan.step}' asks for {asked:,} MB of memory, and its @retry allows "
                f"{most:,} MB at most.",
                remedy=f"Raise max_memory above {asked:,}, or ask for less.",
            )


def with_reach(
    plans: Mapping[str, StepPlan],
    remote: Remote | None,
    here_mb: int | None,
    *,
    is_enforced_here: bool,
) -> dict[str, StepPlan]:
    """``plans`` with what is asked where nothing is said, and how far memory may grow, here to
    ``here_mb``.

    Raises ComputeError where a queue does not answer.
    """
    settled = {}
    for step, plan in plans.items():
        if remote is not None and plan.backend == remote.name:
            asked = remote.asked_there(plan)
            most = remote.most_memory_mb(plan)
            plan = with_growth(replace(plan, resources=asked), is_enforced=True, most_mb=most)
        else:
            plan = with_growth(plan, is_enforced=is_enforced_here, most_mb=here_mb)
        settled[step] = plan
    return settled
