"""Whether a failed task gets another attempt, when, and of which kind; pure."""

from __future__ import annotations

import msgspec

from swell.model.cause import Cause
from swell.model.job import Fallback, StepPlan
from swell.model.record import Outcome

UNCOUNTED = frozenset({Cause.HOST_LOST, Cause.SPOT, Cause.IMAGE, Cause.DRIVER_LOST})
"""Ends that are nobody's fault: they do not use up the user's retries."""


class Tries(msgspec.Struct, frozen=True):
    """The failed attempts of a task so far, by kind.

    ``counted`` used up one of the plan's attempts each; ``uncounted`` (host lost, spot…)
    have their own bound; ``fallbacks`` are attempts that were to record a failure.
    """

    counted: int = 0
    uncounted: int = 0
    fallbacks: int = 0


class NextAttempt(msgspec.Struct, frozen=True):
    """Another attempt, ``wait_s`` from now; ``tries`` is what it starts with."""

    tries: Tries
    wait_s: float
    fallback: Fallback | None = None


def next_attempt(
    plan: StepPlan,
    tries: Tries,
    outcome: Outcome,
    *,
    uncounted: bool,
    fallback: Fallback | None = None,
) -> NextAttempt | None:
    """What follows a failed attempt; None when the task failed for good.

    ``tries`` are the failures before it; ``fallback`` is set if it was a fallback attempt.
    An uncounted end past ``plan.uncounted_attempts`` counts like any other.
    """
    if outcome.cause is Cause.CANCELLED:
        return None
    uncounted = uncounted and tries.uncounted < plan.uncounted_attempts
    if uncounted:
        after = Tries(tries.counted, tries.uncounted + 1, tries.fallbacks)
    elif fallback is not None:
        after = Tries(tries.counted, tries.uncounted, tries.fallbacks + 1)
    else:
        after = Tries(tries.counted + 1, tries.uncounted, tries.fallbacks)
    if fallback is not None:
        left = uncounted or after.fallbacks < plan.fallback_attempts
        return NextAttempt(after, 0.0, fallback) if left else None
    if outcome.retryable and (uncounted or after.counted < plan.attempts):
        return NextAttempt(after, _wait_s(plan, after))
    if plan.fallback_attempts and _left_nothing(outcome):
        made = after.counted + after.uncounted
        return NextAttempt(after, 0.0, Fallback(made, outcome.cause.value, outcome.message))
    return None


def _wait_s(plan: StepPlan, tries: Tries) -> float:
    """The wait grows with each counted failure; uncounted ends do not make it longer."""
    return (plan.retry_wait_s or 0.0) * plan.retry_backoff ** max(tries.counted - 1, 0)


def _left_nothing(outcome: Outcome) -> bool:
    """The process died, or ended without recording what ``@catch`` would have."""
    return outcome.cause is not Cause.USER_ERROR or outcome.transition is None
