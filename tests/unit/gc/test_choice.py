"""Which runs go, and from which age on Blobs may go."""

from __future__ import annotations

from swell.gc.choice import Selection, chosen, oldest_to_keep
from swell.model.facts import RunFact, RunStatus
from swell.model.ids import RunId

NOW = 1_000_000.0
DAY_S = 86_400.0


def fact(number: int, *, flow: str = "A", days_ago: float = 1, origin: int | None = None,
         tags: tuple[str, ...] = (), status: RunStatus = RunStatus.DONE) -> RunFact:  # fmt: skip
    at = NOW - days_ago * DAY_S
    is_over = status is not RunStatus.RUNNING
    return RunFact(
        RunId(flow, number), "ann", at, "a.py", frozenset({"user:ann"}), frozenset(tags), status,
        origin_run=origin, finished_at=at if is_over else None, heartbeat_at=at,
    )  # fmt: skip


def numbers(runs: list[RunFact]) -> list[str]:
    return [str(run.id) for run in runs]


def test_without_a_selection_no_run_goes():
    assert chosen([fact(1)], Selection(), NOW, ()) == []


def test_the_newest_runs_of_each_flow_are_kept():
    runs = [fact(3), fact(2), fact(1), fact(7, flow="B"), fact(2, flow="B")]
    assert numbers(chosen(runs, Selection(keep_runs=1), NOW, ())) == ["A/2", "A/1", "B/2"]
    assert numbers(chosen(runs, Selection(keep_runs=0), NOW, ())) == numbers(runs)


def test_runs_older_than_an_age_go_counted_from_their_end():
    runs = [fact(2, days_ago=29), fact(1, days_ago=31)]
    assert numbers(chosen(runs, Selection(older_than_s=30 * DAY_S), NOW, ())) == ["A/1"]


def test_runs_go_for_which_all_that_is_said_holds():
    runs = [fact(3, tags=("t",)), fact(2, tags=("t", "u")), fact(1)]
    assert numbers(chosen(runs, Selection(tags=("t",)), NOW, ())) == ["A/3", "A/2"]
    assert numbers(chosen(runs, Selection(tags=("t", "u")), NOW, ())) == ["A/2"]
    assert numbers(chosen(runs, Selection(tags=("t",), keep_runs=1), NOW, ())) == ["A/2"]
    assert (
        numbers(chosen(runs, Selection(tags=("user:ann",), older_than_s=2 * DAY_S), NOW, ())) == []
    )


def test_a_run_that_goes_on_and_the_run_that_it_resumes_are_kept():
    running = fact(3, status=RunStatus.RUNNING, origin=1)
    runs = [running, fact(2), fact(1)]
    assert numbers(chosen(runs, Selection(keep_runs=0), NOW, {running.id})) == ["A/2"]
    assert numbers(chosen(runs, Selection(keep_runs=0), NOW, ())) == ["A/3", "A/2", "A/1"]


def test_what_was_written_within_the_grace_or_since_a_run_began_is_kept():
    assert oldest_to_keep(NOW, DAY_S, [], 600.0) == NOW - DAY_S
    young = fact(2, days_ago=0.5, status=RunStatus.RUNNING)
    assert oldest_to_keep(NOW, DAY_S, [young], 600.0) == NOW - DAY_S
    assert oldest_to_keep(NOW, 0.0, [young], 600.0) == NOW - 0.5 * DAY_S - 600.0
    old = fact(1, days_ago=5, status=RunStatus.RUNNING)
    assert oldest_to_keep(NOW, DAY_S, [young, old], 600.0) == NOW - 5 * DAY_S - 600.0
