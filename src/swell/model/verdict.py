"""How an attempt ended: what it says of itself, judged by what others saw of it. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from swell.model.cause import (
    Cause,
    Evidence,
    find_cause,
    memory_remedy,
    memory_words,
    tells_of_killed_child,
)
from swell.model.record import Outcome

_TOO_MUCH_AT_ONCE = (
    "It asked for more than this machine can give: handle less at once, or use a larger one, "
    "such as by --with batch."
)


def judge(
    outcome: Outcome | None, evidence: Evidence, *, began_at: float, ended_at: float
) -> Outcome:
    """The Outcome that is stored: the attempt's own, or where it left none, what the evidence
    says.

    An attempt knows that it failed, not that the kernel had killed a process it had started:
    where that was so, it ran out of memory. Its own error stays beside it.
    """
    if outcome is None:
        finding = find_cause(evidence)
        return Outcome(
            ok=False,
            cause=finding.cause,
            message=finding.sentence,
            started_at=began_at,
            ended_at=ended_at,
            remedy=finding.remedy,
        )
    if outcome.ok:
        return outcome
    if outcome.cause is Cause.OUT_OF_MEMORY:
        return _with_limit(outcome, evidence)
    if outcome.cause in (Cause.USER_ERROR, Cause.EXIT) and _a_part_was_killed(outcome, evidence):
        return replace(
            outcome,
            cause=Cause.OUT_OF_MEMORY,
            message="The kernel ended a process that the step had started"
            f"{memory_words(evidence)}; the step then failed: {outcome.message}",
            remedy=memory_remedy(evidence),
        )
    return outcome


def _with_limit(outcome: Outcome, evidence: Evidence) -> Outcome:
    """An attempt that raised MemoryError does not know the limit it was held to."""
    if evidence.memory_limit_mb is None:
        return replace(outcome, remedy=_TOO_MUCH_AT_ONCE)
    first, _, rest = outcome.message.partition("\n")
    message = f"{first.rstrip('.')}{memory_words(evidence)}"
    if rest:
        message = f"{message}\n{rest}"
    return replace(outcome, message=message, remedy=memory_remedy(evidence))


def _a_part_was_killed(outcome: Outcome, evidence: Evidence) -> bool:
    if evidence.oom_kills:
        return True
    error = outcome.error
    if not evidence.oom_kills_around or error is None:
        return False
    return tells_of_killed_child(error.type, error.text)
