"""Sizes for "auto" from a database of runs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from swell.metastore.sqlite import open_metastore
from swell.model.cause import Cause
from swell.model.facts import ASKED_FACT, AttemptEnded, AttemptStarted, NewRun, TaskCreated
from swell.model.ids import JobId, RunId
from swell.model.job import StepPlan
from swell.model.needs import memory_to_ask
from swell.model.record import Outcome, Usage
from swell.model.resources import Resources
from swell.model.wire import EMPTY_RECORD
from swell.session.history import sized, sized_as_before

AUTO = Resources(auto=("cpu", "memory"))
OK = Outcome(True)
FAILED = Outcome(False, Cause.USER_ERROR, "no")
CAUGHT = Outcome(True, caught=True)
ADA = "user:ada"


@pytest.fixture
def metastore(tmp_path: Path):
    opened = open_metastore(str(tmp_path / "metadata.db"))
    yield opened
    opened.close()


def add_run(metastore, peaks, outcome: Outcome = OK, user: str = "ada", step: str = "work"):
    """A run whose tasks ran 10 s each, 15 s of processors."""
    made = metastore.create_run(NewRun("F", user, 1.0, "f.py", (f"user:{user}",)))
    facts = []
    for number, peak in enumerate(peaks):
        job = JobId(str(number + 1), 0)
        facts += [
            TaskCreated(made.id, step, job.task, 1.0),
            AttemptStarted(made.id, job, 100.0),
            AttemptEnded(made.id, job, 110.0, outcome, EMPTY_RECORD, Usage(peak, 15.0, "wait4")),
        ]
    metastore.commit(facts)
    return made.id


def size(metastore, resources: Resources = AUTO, namespace: str | None = ADA, **plan):
    plans = {"work": StepPlan("work", resources=resources, **plan), "end": StepPlan("end")}
    found = sized(plans, "F", metastore, namespace)
    assert found.plans["end"] == plans["end"]
    return found.plans["work"].resources, found.words


def test_auto_asks_for_what_earlier_runs_needed_and_says_from_where(metastore) -> None:
    add_run(metastore, [7000.0] * 40)
    add_run(metastore, [7112.0] * 10)
    resources, words = size(metastore)
    assert resources == Resources(cpu=2.0, memory_mb=7500, auto=("cpu", "memory"))
    assert words == ("work: cpu=auto → 2, memory=auto → 7,500 MB, from 50 attempts of 2 runs.",)


def test_one_attempt_in_a_hundred_that_needed_much_more_does_not_size_the_others(metastore) -> None:
    add_run(metastore, [1000.0] * 99 + [9000.0])
    assert size(metastore)[0].memory_mb == memory_to_ask(1000.0)


def test_only_the_latest_attempts_count(metastore) -> None:
    add_run(metastore, [9000.0] * 5)
    add_run(metastore, [1000.0] * 5)
    plans = {"work": StepPlan("work", resources=AUTO)}
    found = sized(plans, "F", metastore, ADA, most_attempts=5)
    assert found.plans["work"].resources.memory_mb == memory_to_ask(1000.0)
    assert "from 5 attempts of 1 run." in found.words[0]


def test_without_history_nothing_is_asked_and_that_is_said(metastore) -> None:
    add_run(metastore, [500.0], outcome=FAILED)
    add_run(metastore, [500.0], outcome=CAUGHT)
    add_run(metastore, [500.0], step="other")
    add_run(metastore, [None])
    resources, (words,) = size(metastore)
    assert resources == AUTO
    assert "finds no measured run yet" in words


def test_runs_of_others_count_only_where_all_namespaces_do(metastore) -> None:
    add_run(metastore, [500.0], user="bob")
    assert size(metastore)[0].memory_mb is None
    assert size(metastore, namespace=None)[0].memory_mb == memory_to_ask(500.0)


def test_only_what_says_auto_is_sized_and_never_above_the_bound_of_retry(metastore) -> None:
    add_run(metastore, [500.0])
    asked = Resources(cpu=8.0, auto=("memory",))
    assert size(metastore, asked)[0] == Resources(cpu=8.0, memory_mb=530, auto=("memory",))
    assert size(metastore, asked, max_memory_mb=510)[0].memory_mb == 510
    said = Resources(memory_mb=100)
    assert size(metastore, said) == (said, ())


def test_a_run_that_goes_on_keeps_the_sizes_that_it_began_with(metastore) -> None:
    run = metastore.create_run(NewRun("F", "ada", 1.0, "f.py", (ADA,))).id
    asked = {"work": Resources(cpu=3.0, memory_mb=700, auto=("memory",))}
    noted = {ASKED_FACT: (ASKED_FACT, msgspec.json.encode(asked).decode())}
    job = JobId("0", 0)
    metastore.commit(
        [
            TaskCreated(run, "_parameters", "0", 1.0),
            AttemptStarted(run, job, 1.0),
            AttemptEnded(run, job, 1.0, OK, EMPTY_RECORD, metadata=noted),
        ]
    )
    add_run(metastore, [5000.0])
    plans = {"work": StepPlan("work", resources=Resources(cpu=2.0, auto=("memory",)))}
    found = sized_as_before(plans, metastore, run)["work"].resources
    assert found == Resources(cpu=2.0, memory_mb=700, auto=("memory",))
    assert sized_as_before(plans, metastore, RunId("F", 99)) == plans
