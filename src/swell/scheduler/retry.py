"""Whether a failed task gets another attempt, when, and of which kind; pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from swell.model.cause import Cause
from swell.model.job import Fallback, StepPlan
from swell.model.record import Outcome
from swell.model.retrying import MOST_GROWTHS, USUAL_GROWTH, grown_memory, is_meant

UNCOUNTED = frozenset({Cause.HOST_LOST, Cause.SPOT, Cause.IMAGE, Cause.DRIVER_LOST})
"""Ends that are nobody's fault: they do not use up the user's retries."""


class Tries(msgspec.Struct, frozen=True):
    """The failed attempts of a task so far, by kind.

    ``counted`` used up one of the plan's attempts each; ``uncounted`` (host lost, spot…)
    have their own bound, and so have those ``grown`` that were followed by one with more
    memory; ``fallbacks`` are attempts that were to record a failure.
    """

    counted: int = 0
    uncounted: int = 0
    fallbacks: int = 0
    grown: int = 0

    @property
    def not_counted(self) -> int:
        """How many attempts used up none of the plan's."""
        return self.uncounted + self.grown


class Growth(msgspec.Struct, frozen=True):
    """The memory of an attempt that ran out of it, and that of the next, in MB."""

    from_mb: int
    to_mb: int


class NextAttempt(msgspec.Struct, frozen=True):
    """Another attempt, ``wait_s`` from now; ``tries`` is what it starts with. ``is_alone`` where
    the one before shared its process."""

    tries: Tries
    wait_s: float
    fallback: Fallback | None = None
    growth: Growth | None = None
    is_alone: bool = False


def next_attempt(
    plan: StepPlan,
    tries: Tries,
    outcome: Outcome,
    *,
    uncounted: bool,
    fallback: Fallback | None = None,
    memory_mb: int | None = None,
    is_behind: bool = False,
) -> NextAttempt | None:
    """What follows a failed attempt; None when the task failed for good.

    ``tries`` are the failures before it; ``fallback`` is set if it was a fallback attempt,
    ``memory_mb`` if it had more memory than the plan says, ``is_behind`` if others ran before
    it in the same process: what they left may be why its memory ran out, so it comes again
    alone. An uncounted end past ``plan.uncounted_attempts`` counts like any other, and so does
    one that ran out of memory where there is no more.
    """
    if outcome.cause is Cause.CANCELLED:
        return None
    if is_behind and _ran_out_of_memory(outcome) and tries.uncounted < plan.uncounted_attempts:
        return NextAttempt(replace(tries, uncounted=tries.uncounted + 1), 0.0, is_alone=True)
    uncounted = uncounted and tries.uncounted < plan.uncounted_attempts
    growth = None if fallback is not None else _growth(plan, tries, outcome, memory_mb)
    if uncounted:
        after = replace(tries, uncounted=tries.uncounted + 1)
    elif fallback is not None:
        after = replace(tries, fallbacks=tries.fallbacks + 1)
    elif growth is not None:
        return NextAttempt(replace(tries, grown=tries.grown + 1), 0.0, growth=growth)
    else:
        after = replace(tries, counted=tries.counted + 1)
    if fallback is not None:
        left = uncounted or after.fallbacks < plan.fallback_attempts
        return NextAttempt(after, 0.0, fallback) if left else None
    if outcome.retryable and (
        uncounted or (after.counted < plan.attempts and retry_is_meant(plan, outcome))
    ):
        return NextAttempt(after, _wait_s(plan, after))
    if plan.fallback_attempts and _left_nothing(outcome):
        made = after.counted + after.not_counted
        return NextAttempt(after, 0.0, Fallback(made, outcome.cause.value, outcome.message))
    return None


def with_growth(plan: StepPlan, *, is_enforced: bool, most_mb: int | None) -> StepPlan:
    """``plan`` with its growth of memory decided, for a place that gives ``most_mb`` to a task.

    Growth is usual only where a task that exceeds its memory is ended for it (``is_enforced``):
    elsewhere the number was not the reason. Nor is it where nobody knows how much there is: a
    job that never fits would wait for ever. What ``@retry`` says holds everywhere.
    """
    bounds = [mb for mb in (plan.max_memory_mb, most_mb) if mb is not None]
    growth = plan.memory_growth
    if growth is None and is_enforced and bounds:
        growth = USUAL_GROWTH
    return replace(plan, memory_growth=growth, max_memory_mb=min(bounds, default=None))


def may_grow(plan: StepPlan, memory_mb: int | None) -> bool:
    """Whether one with more may follow an attempt with ``memory_mb`` that runs out of it."""
    if not plan.uncounted_attempts:
        return False
    return grown_memory(memory_mb, plan.memory_growth, plan.max_memory_mb) is not None


def _growth(plan: StepPlan, tries: Tries, outcome: Outcome, memory_mb: int | None) -> Growth | None:
    """More memory, after an end for want of it."""
    if not _ran_out_of_memory(outcome):
        return None
    if not plan.uncounted_attempts or tries.grown >= MOST_GROWTHS:
        return None
    before = memory_mb if memory_mb is not None else plan.resources.memory_mb
    after = grown_memory(before, plan.memory_growth, plan.max_memory_mb)
    return None if before is None or after is None else Growth(before, after)


def _ran_out_of_memory(outcome: Outcome) -> bool:
    return outcome.cause is Cause.OUT_OF_MEMORY and outcome.retryable


def retry_is_meant(plan: StepPlan, outcome: Outcome) -> bool:
    """Whether the plan's further attempts are for such a failure."""
    kinds = outcome.error.kinds if outcome.error is not None else ()
    return is_meant(plan.retry_on, outcome.cause, kinds)


def _wait_s(plan: StepPlan, tries: Tries) -> float:
    """The wait grows with each counted failure; uncounted ends do not make it longer."""
    return (plan.retry_wait_s or 0.0) * plan.retry_backoff ** max(tries.counted - 1, 0)


def _left_nothing(outcome: Outcome) -> bool:
    """The process died, or ended without recording what ``@catch`` would have."""
    return outcome.cause is not Cause.USER_ERROR or outcome.transition is None
