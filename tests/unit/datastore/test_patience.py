"""Trying again: which errors, how often, how long, and what is said."""

from __future__ import annotations

import pytest

from swell.datastore.patience import Patience, Persistence, wait_before
from swell.errors import StoreError


class Trial:
    """A call that fails so often, in a time that passes only while one sleeps."""

    def __init__(self, failures: int, patience: Patience | None = None) -> None:
        self.failures = failures
        self.now = 0.0
        self.said: list[str] = []
        self.tries: list[int] = []
        self.waits: list[float] = []
        self.persistence = Persistence(
            patience or Patience(),
            self.said.append,
            sleep=self.sleep,
            clock=lambda: self.now,
            chance=lambda: 0.0,
        )

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def attempt(self, tries: int) -> str:
        self.tries.append(tries)
        if len(self.tries) <= self.failures:
            raise OSError("down")
        return "done"

    def run(self, retryable: bool = True) -> str:
        return self.persistence.call(self.attempt, lambda error: mapped(error, retryable))


def mapped(error: BaseException, retryable: bool) -> StoreError:
    told = StoreError(f"It is {error}.", remedy="Look.")
    told.retryable = retryable
    return told


def test_what_fails_for_a_passing_reason_is_tried_again_and_told():
    trial = Trial(failures=2)
    assert trial.run() == "done"
    assert trial.tries == [0, 1, 2]
    assert trial.waits == [0.5, 1.0]
    assert trial.said == ["It is down. Trying again in 0.5 s (1 of 6)."]


def test_the_tries_are_bounded_and_their_number_is_told():
    trial = Trial(failures=100)
    with pytest.raises(StoreError, match=r"It is down. Tried 7 times in 26 s."):
        trial.run()
    assert trial.waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]


def test_no_try_begins_after_the_time_is_over():
    trial = Trial(failures=100, patience=Patience(retries=1000, within_s=30))
    with pytest.raises(StoreError):
        trial.run()
    assert trial.now <= 30


def test_what_trying_again_cannot_help_is_raised_at_once():
    trial = Trial(failures=1)
    with pytest.raises(StoreError, match=r"^It is down. Look.$"):
        trial.run(retryable=False)
    assert trial.waits == []


def test_waits_double_up_to_a_limit_and_chance_shortens_them_by_half_at_most():
    patience = Patience(first_wait_s=1, max_wait_s=5)
    assert [wait_before(patience, n, 0.0) for n in (1, 2, 3, 4, 9)] == [1, 2, 4, 5, 5]
    assert wait_before(patience, 3, 1.0) == 2
