"""Where the time of a run went: phases of attempts, the critical path, sums per step."""

from __future__ import annotations

import pytest

from swell.client.time_spent import PHASES, TimeSpent, time_spent
from swell.model.facts import AttemptFact, TaskCreated, TaskFact
from swell.model.ids import JobId, RunId
from swell.model.record import Outcome

RUN = RunId("F", 1)


def task(step: str, name: str, at: float, *parents: str, origin: str | None = None) -> TaskFact:
    return TaskFact(TaskCreated(RUN, step, name, at, parents=parents, origin_task=origin))


def attempt(
    step: str, name: str, began: float, inside: tuple[float, float], ended: float, number: int = 0
) -> AttemptFact:
    outcome = Outcome(True, started_at=inside[0], ended_at=inside[1], load_s=0.25, save_s=0.5)
    return AttemptFact(RUN, step, JobId(name, number), began, 1, ended, outcome)


def chain() -> TimeSpent:
    """start, then two of fit of which the second is late, then join."""
    tasks = [
        task("start", "1", 0.5),
        task("fit", "2", 5.0, "start/1"),
        task("fit", "3", 6.0, "start/1"),
        task("join", "4", 10.0, "fit/2", "fit/3"),
    ]
    attempts = [
        attempt("start", "1", 1.0, (2.0, 4.0), 5.0),
        attempt("fit", "2", 5.0, (5.0, 6.0), 6.0),
        attempt("fit", "3", 7.0, (7.0, 9.0), 10.0),
        attempt("join", "4", 10.0, (10.0, 12.0), 12.0),
    ]
    return time_spent(0.0, tasks, attempts, ("start", "fit", "join"))


def test_an_attempt_is_split_into_what_it_waited_for_and_did() -> None:
    first = chain().path[0]

    assert dict(zip(PHASES, first.seconds, strict=True)) == {
        "wait": 0.5, "queue": 0.5, "start": 1.0, "load": 0.25, "code": 1.25, "save": 0.5,
        "report": 1.0,
    }  # fmt: skip
    assert (first.begin, first.end) == (0.0, 5.0)


def test_the_critical_path_goes_over_the_parent_that_ended_last() -> None:
    spent = chain()

    assert [(span.step, span.task) for span in spent.path] == [
        ("start", "1"), ("fit", "3"), ("join", "4"),
    ]  # fmt: skip
    assert sum(spent.on_path().values()) == pytest.approx(spent.end - spent.begin)
    assert spent.on_path()["rest"] == 0.0


def test_a_step_is_told_by_its_sums_and_its_typical_attempt() -> None:
    start, fit, _ = chain().steps

    assert (start.name, fit.name, fit.tasks, fit.attempts) == ("start", "fit", 2, 2)
    assert (fit.begin, fit.end) == (5.0, 10.0)
    wait = PHASES.index("wait")
    assert (fit.totals[wait], fit.typical[wait]) == (1.0, 0.5)


def test_each_retry_waits_for_the_attempt_before_it() -> None:
    attempts = [
        attempt("start", "1", 1.0, (1.0, 2.0), 2.0),
        attempt("start", "1", 5.0, (5.0, 6.0), 6.0, number=1),
    ]
    spent = time_spent(0.0, [task("start", "1", 0.0)], attempts, ("start",))

    assert [span.attempt for span in spent.path] == [0, 1]
    assert spent.path[1].of("wait") == 3.0
    assert (spent.steps[0].tasks, spent.steps[0].attempts) == (1, 2)


def test_what_resume_took_over_took_no_time() -> None:
    tasks = [task("start", "1", 0.0, origin="start/1"), task("end", "2", 1.0, "start/1")]
    attempts = [
        attempt("start", "1", -90.0, (-90.0, -50.0), -50.0),
        attempt("end", "2", 1.0, (1.0, 2.0), 2.0),
    ]
    spent = time_spent(0.0, tasks, attempts, ("start", "end"))

    assert [span.step for span in spent.spans] == ["end"]
    assert spent.path[0].of("wait") == 1.0


def test_clocks_that_differ_make_no_time_negative() -> None:
    one = attempt("start", "1", 1.0, (-50.0, 99.0), 3.0)
    spent = time_spent(0.0, [task("start", "1", 2.0)], [one], ("start",))

    assert min(spent.path[0].seconds) >= 0.0
    assert spent.path[0].end == 3.0


def test_a_death_that_told_nothing_counts_as_code_and_a_running_attempt_as_unfinished() -> None:
    died = AttemptFact(RUN, "start", JobId("1", 0), 1.0, 1, 4.0, Outcome(False))
    runs = AttemptFact(RUN, "start", JobId("1", 1), 5.0, 1)
    spent = time_spent(0.0, [task("start", "1", 1.0)], [died, runs], ("start",))

    assert spent.path[0].of("code") == 3.0
    assert spent.unfinished == 1


def test_a_run_of_which_nothing_ended_has_no_path() -> None:
    spent = time_spent(0.0, [task("start", "1", 1.0)], [], ("start",))

    assert (spent.path, spent.steps, spent.spans, spent.end) == ((), (), (), 0.0)
