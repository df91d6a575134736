"""What a step asked for and used, from the facts on its attempts, and what to write instead."""

from __future__ import annotations

import pytest

from swell.cli.usage import advice_words
from swell.client.step_needs import Advice, Spread, StepNeeds, advice_on, step_needs
from swell.model.cause import Cause
from swell.model.facts import MEMORY_FACT, AttemptFact
from swell.model.ids import JobId, RunId
from swell.model.record import Outcome, Usage
from swell.model.resources import Resources

OK = Outcome(True)
OUT_OF_MEMORY = Outcome(False, Cause.OUT_OF_MEMORY, "too much")


def attempt(
    peak_mb: float | None = 100.0,
    cpu_s: float | None = 5.0,
    seconds: float = 10.0,
    outcome: Outcome | None = OK,
    memory_mb: int | None = None,
) -> AttemptFact:
    metadata = {} if memory_mb is None else {MEMORY_FACT: (MEMORY_FACT, str(memory_mb))}
    return AttemptFact(
        RunId("F", 1),
        "work",
        JobId("2", 0),
        100.0,
        None,
        100.0 + seconds,
        outcome,
        Usage(peak_mb, cpu_s, "wait4"),
        metadata,
    )


def needs(*attempts: AttemptFact, **asked: float) -> StepNeeds:
    found = step_needs("work", attempts, Resources(**asked) if asked else None)
    assert found is not None
    return found


def test_peaks_and_cores_are_told_by_median_95_percent_and_maximum() -> None:
    found = needs(*[attempt(float(peak), cpu_s=peak / 10) for peak in range(1, 101)])
    assert found.memory_mb == Spread(50.5, 95.0, 100.0)
    assert found.cores == Spread(0.505, 0.95, 1.0)


def test_what_was_not_used_is_told_as_a_share_over_time() -> None:
    long, short = attempt(1000.0, 40.0, seconds=40.0), attempt(4000.0, 20.0, seconds=10.0)
    found = needs(long, short, memory_mb=4000, cpu=2)
    assert found.wasted_memory == pytest.approx(1 - (1000 * 40 + 4000 * 10) / (4000 * 50))
    assert found.wasted_cpu == pytest.approx(1 - 60 / 100)


def test_an_attempt_that_grew_is_held_against_the_memory_that_it_had() -> None:
    first = attempt(4000.0, outcome=OUT_OF_MEMORY)
    found = needs(first, attempt(6000.0, memory_mb=8000), memory_mb=4000)
    assert found.wasted_memory == pytest.approx(1 - 10 / 12)
    assert (found.out_of_memory, found.enough_mb) == (1, 6000.0)


def test_attempts_that_run_or_were_not_measured_are_left_out() -> None:
    running, unmeasured = attempt(outcome=None), attempt(None, None)
    assert step_needs("work", [running, unmeasured], None) is None
    assert needs(running, attempt(), unmeasured).attempts == 1


ADVISED = [
    ({"memory_mb": 60_000}, 7112.0, "asked 60,000 MB, peak 7,112 MB; `@resources(memory=7500)`"),
    ({"memory_mb": 8000}, 7112.0, ""),
    ({"memory_mb": 7000}, 7112.0, "asked 7,000 MB, peak 7,112 MB; `@resources(memory=7500)`"),
    ({}, 7112.0, "asked no memory, peak 7,112 MB; `@resources(memory=7500)`"),
    ({}, 200.0, ""),
    ({"memory_mb": 7900, "auto": ("memory",)}, 100.0, ""),
    ({"cpu": 8}, 100.0, "asked 8 cpu, 0.50 busy at most; `@resources(cpu=1)`"),
    ({"cpu": 1}, 100.0, ""),
    ({"cpu": 8, "auto": ("cpu",)}, 100.0, ""),
]


@pytest.mark.parametrize(("asked", "peak_mb", "words"), ADVISED)
def test_the_line_to_write_is_told_where_it_is_worth_a_change(asked, peak_mb, words) -> None:
    told = advice_words(needs(attempt(peak_mb), **asked))
    assert told == (f"work: {words} would do." if words else "")


def test_where_every_attempt_ran_out_of_memory_nothing_is_advised() -> None:
    found = needs(attempt(4000.0, outcome=OUT_OF_MEMORY), memory_mb=4000)
    assert advice_on(found) == Advice()
    assert advice_words(found) == (
        "work: 1 attempt of 1 ended for want of memory, the last at 4,000 MB; none is known that "
        "had enough."
    )
