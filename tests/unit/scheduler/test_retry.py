"""Which attempt follows a failed one: cause by policy, row by row, without any process."""

from __future__ import annotations

import pytest

from swell.model.cause import Cause
from swell.model.job import Fallback, StepPlan
from swell.model.record import ErrorInfo, Outcome, Transition
from swell.model.resources import Resources
from swell.model.retrying import MOST_GROWTHS
from swell.scheduler.retry import (
    UNCOUNTED,
    Growth,
    NextAttempt,
    Tries,
    may_grow,
    next_attempt,
    with_growth,
)


def plan(memory_mb: int | None = 4000, **more: object) -> StepPlan:
    return StepPlan("work", resources=Resources(memory_mb=memory_mb), **more)


def enforced(memory_mb: int | None = 4000, most_mb: int | None = 16_000, **more) -> StepPlan:
    return with_growth(plan(memory_mb, **more), is_enforced=True, most_mb=most_mb)


def raised(*kinds: str) -> Outcome:
    return Outcome(
        False, Cause.USER_ERROR, f"{kinds[0]}: no", ErrorInfo(kinds[0], "no", "…", kinds)
    )


def ended(cause: Cause) -> Outcome:
    return Outcome(False, cause, "it ended")


NONE = Tries()


def after(policy: StepPlan, outcome: Outcome, tries: Tries = NONE, **more) -> str:
    """What follows, in a word or two."""
    uncounted = outcome.cause in UNCOUNTED
    following = next_attempt(policy, tries, outcome, uncounted=uncounted, **more)
    if following is None:
        return "over"
    if following.growth is not None:
        return f"{following.growth.from_mb} → {following.growth.to_mb}"
    if following.fallback is not None:
        return "records"
    return "again, free" if following.tries.counted == tries.counted else "again"


ONCE = enforced(attempts=1)
THRICE = enforced(attempts=3)
NEVER = enforced(attempts=1, uncounted_attempts=0)
ON_TIMEOUT = enforced(attempts=3, retry_on=("timeout",))
ON_NETWORK = enforced(attempts=3, retry_on=("ConnectionError", "requests.exceptions.Timeout"))
NOT_ENFORCED = with_growth(plan(attempts=3), is_enforced=False, most_mb=16_000)
CAUGHT = enforced(attempts=1, fallback_attempts=3)

ERROR = raised("ValueError", "Exception")
REFUSED = raised("ConnectionRefusedError", "ConnectionError", "OSError", "Exception")
SLOW = raised("requests.exceptions.ReadTimeout", "requests.exceptions.Timeout", "OSError")
OTHER_TIMEOUT = raised("ftplib.Timeout", "Exception")

# policy, how the first attempt ended, what follows
ROWS = [
    (ONCE, ERROR, "over"),
    (ONCE, ended(Cause.TIMEOUT), "over"),
    (ONCE, ended(Cause.SIGNAL), "over"),
    (ONCE, ended(Cause.EXIT), "over"),
    (ONCE, ended(Cause.DISK_FULL), "over"),
    (ONCE, ended(Cause.PLACEMENT), "over"),
    (ONCE, ended(Cause.UNKNOWN), "over"),
    (ONCE, ended(Cause.OUT_OF_MEMORY), "4000 → 8000"),
    (ONCE, ended(Cause.HOST_LOST), "again, free"),
    (ONCE, ended(Cause.SPOT), "again, free"),
    (ONCE, ended(Cause.IMAGE), "again, free"),
    (ONCE, ended(Cause.CANCELLED), "over"),
    (ONCE, ended(Cause.DRIVER_LOST), "again, free"),
    (THRICE, ERROR, "again"),
    (THRICE, ended(Cause.TIMEOUT), "again"),
    (THRICE, ended(Cause.SIGNAL), "again"),
    (THRICE, ended(Cause.OUT_OF_MEMORY), "4000 → 8000"),
    (THRICE, ended(Cause.SPOT), "again, free"),
    (THRICE, ended(Cause.CANCELLED), "over"),
    (NEVER, ERROR, "over"),
    (NEVER, ended(Cause.OUT_OF_MEMORY), "over"),
    (NEVER, ended(Cause.HOST_LOST), "over"),
    (ON_TIMEOUT, ERROR, "over"),
    (ON_TIMEOUT, ended(Cause.TIMEOUT), "again"),
    (ON_TIMEOUT, ended(Cause.OUT_OF_MEMORY), "4000 → 8000"),
    (ON_TIMEOUT, ended(Cause.HOST_LOST), "again, free"),
    (ON_NETWORK, ERROR, "over"),
    (ON_NETWORK, REFUSED, "again"),
    (ON_NETWORK, SLOW, "again"),
    (ON_NETWORK, OTHER_TIMEOUT, "over"),
    (ON_NETWORK, ended(Cause.SIGNAL), "over"),
    (NOT_ENFORCED, ended(Cause.OUT_OF_MEMORY), "again"),
    (CAUGHT, ended(Cause.OUT_OF_MEMORY), "4000 → 8000"),
    (CAUGHT, ended(Cause.SIGNAL), "records"),
]


@pytest.mark.parametrize(("policy", "outcome", "follows"), ROWS)
def test_what_follows_the_first_attempt(policy: StepPlan, outcome: Outcome, follows: str) -> None:
    assert after(policy, outcome) == follows


@pytest.mark.parametrize("policy", [THRICE, ON_NETWORK, ON_TIMEOUT, NOT_ENFORCED])
@pytest.mark.parametrize("cause", [Cause.USER_ERROR, Cause.OUT_OF_MEMORY])
def test_what_says_of_itself_that_trying_again_cannot_help_is_never_retried(
    policy: StepPlan, cause: Cause
) -> None:
    assert after(policy, Outcome(False, cause, "bad input", retryable=False)) == "over"


def test_memory_grows_up_to_the_bound_and_then_ends_count() -> None:
    out = ended(Cause.OUT_OF_MEMORY)
    assert after(ONCE, out, Tries(grown=1), memory_mb=8000) == "8000 → 16000"
    assert after(ONCE, out, Tries(grown=1), memory_mb=12_000) == "12000 → 16000"
    assert after(ONCE, out, Tries(grown=2), memory_mb=16_000) == "over"
    assert after(THRICE, out, Tries(grown=2), memory_mb=16_000) == "again"
    assert after(THRICE, out, Tries(counted=2, grown=2), memory_mb=16_000) == "over"


def test_a_growth_uses_up_no_retry_and_does_not_wait() -> None:
    policy = enforced(attempts=2, retry_wait_s=60.0)
    following = next_attempt(policy, Tries(), ended(Cause.OUT_OF_MEMORY), uncounted=False)
    assert following == NextAttempt(Tries(grown=1), 0.0, growth=Growth(4000, 8000))
    assert after(policy, ERROR, Tries(grown=1), memory_mb=8000) == "again"
    assert after(policy, ERROR, Tries(counted=1, grown=1), memory_mb=8000) == "over"


def test_what_ran_out_of_memory_behind_others_in_a_process_comes_again_alone_at_no_cost() -> None:
    out = ended(Cause.OUT_OF_MEMORY)
    following = next_attempt(CAUGHT, NONE, out, uncounted=False, is_behind=True)
    assert following == NextAttempt(Tries(uncounted=1), 0.0, is_alone=True)
    assert after(CAUGHT, out, Tries(uncounted=1)) == "4000 → 8000"
    assert after(CAUGHT, out, Tries(uncounted=10), is_behind=True) == "4000 → 8000"
    assert after(NEVER, out, is_behind=True) == "over"
    assert after(CAUGHT, ended(Cause.SIGNAL), is_behind=True) == "records"
    stays = Outcome(False, Cause.OUT_OF_MEMORY, "too large", retryable=False)
    assert after(ONCE, stays, is_behind=True) == "over"


def test_growths_have_a_bound_of_their_own() -> None:
    slow = enforced(memory_growth=1.001, most_mb=1_000_000)
    out = ended(Cause.OUT_OF_MEMORY)
    assert after(slow, out, Tries(grown=MOST_GROWTHS - 1), memory_mb=5000) == "5000 → 5005"
    assert after(slow, out, Tries(grown=MOST_GROWTHS), memory_mb=5005) == "over"
    assert after(slow, out, Tries(uncounted=10), memory_mb=5000) == "5000 → 5005"


# what @retry says, where it runs → growth and its bound
SETTLED = [
    ({}, True, 16_000, (2.0, 16_000)),
    ({}, True, None, (None, None)),
    ({}, False, 16_000, (None, 16_000)),
    ({"memory_growth": 3.0}, False, 16_000, (3.0, 16_000)),
    ({"memory_growth": 3.0}, True, None, (3.0, None)),
    ({"memory_growth": 1.0}, True, 16_000, (1.0, 16_000)),
    ({"max_memory_mb": 9000}, True, 16_000, (2.0, 9000)),
    ({"max_memory_mb": 99_000}, True, 16_000, (2.0, 16_000)),
    ({"max_memory_mb": 9000}, True, None, (2.0, 9000)),
]


@pytest.mark.parametrize(("said", "is_enforced", "most_mb", "settled"), SETTLED)
def test_memory_grows_where_it_is_enforced_or_asked_for(said, is_enforced, most_mb, settled):
    found = with_growth(plan(**said), is_enforced=is_enforced, most_mb=most_mb)
    assert (found.memory_growth, found.max_memory_mb) == settled


def test_nothing_grows_where_nobody_said_how_much_memory_it_had() -> None:
    assert after(enforced(None), ended(Cause.OUT_OF_MEMORY)) == "over"
    assert not may_grow(enforced(None), None)
    assert may_grow(ONCE, 4000)
    assert not may_grow(ONCE, 16_000)
    assert not may_grow(NEVER, 4000)


def test_an_attempt_that_records_a_failure_never_grows() -> None:
    fallback = Fallback(1, "out_of_memory", "…")
    out = ended(Cause.OUT_OF_MEMORY)
    assert after(CAUGHT, out, Tries(counted=1), fallback=fallback) == "records"


def test_the_record_of_a_failure_counts_grown_attempts_too() -> None:
    tries = Tries(grown=2)
    following = next_attempt(
        CAUGHT, tries, ended(Cause.OUT_OF_MEMORY), uncounted=False, memory_mb=16_000
    )
    assert following is not None
    assert following.fallback is not None
    assert following.fallback.attempts_made == 3


def test_a_failure_that_was_recorded_along_its_transition_is_over() -> None:
    left = Outcome(False, Cause.USER_ERROR, "no", transition=Transition(("end",)))
    assert after(CAUGHT, left) == "over"
