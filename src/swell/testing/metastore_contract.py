"""The promises of a metadata store as tests: inherit ``MetadataContract``, give a ``store``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from swell.errors import DataMissing, MetadataError, TaggingError
from swell.model.cause import Cause
from swell.model.facts import (
    AttemptStarted,
    Fact,
    Left,
    RunEnded,
    RunFact,
    RunStatus,
    RunTaken,
    StepFact,
    TaskCreated,
)
from swell.model.ids import JobId, RunId
from swell.model.record import (
    ErrorInfo,
    Items,
    Outcome,
    Split,
    Transition,
)
from swell.model.wire import encode
from swell.seams.metastore import Metastore
from swell.testing.removal_contract import RemovalContract
from swell.testing.stored_facts import MEASURED, ended, new_run, record_of


class MetadataContract(RemovalContract):
    """Inherit, and define two fixtures.

    ``store`` is an empty store; ``reopen`` a function that opens the same database a
    second time, as another process would.
    """

    @pytest.fixture
    def run(self, store: Metastore) -> RunId:
        return store.create_run(new_run()).id

    # --- runs --------------------------------------------------------------

    def test_runs_are_numbered_from_one_within_their_flow(self, store: Metastore) -> None:
        ids = [store.create_run(new_run(flow)).id for flow in ("A", "A", "B", "A")]
        assert ids == [RunId("A", 1), RunId("A", 2), RunId("B", 1), RunId("A", 3)]

    def test_a_run_is_returned_as_it_was_created(self, store: Metastore) -> None:
        origin = store.create_run(new_run()).id
        new = new_run(
            user_tags=("exp:1", "größe"),
            origin_run=origin.number,
            host="box",
            pid=42,
            graph=b"\x00\x01graph",
        )
        made = store.create_run(new)
        assert made == RunFact(
            id=RunId("SumFlow", 2),
            user="ann",
            created_at=1000.0,
            script="sum.py",
            system_tags=frozenset({"user:ann", "runtime:dev"}),
            user_tags=frozenset({"exp:1", "größe"}),
            status=RunStatus.RUNNING,
            origin_run=1,
            heartbeat_at=1000.0,
            host="box",
            pid=42,
            graph=b"\x00\x01graph",
        )
        assert store.run(made.id) == made

    def test_a_run_that_is_not_there_is_none(self, store: Metastore, run: RunId) -> None:
        assert store.run(RunId(run.flow, run.number + 1)) is None
        assert store.run(RunId("Other", 1)) is None

    def test_runs_come_newest_first_and_can_be_limited(self, store: Metastore) -> None:
        for at in (5.0, 9.0, 7.0, 9.0):
            store.create_run(new_run(at=at))
        assert [fact.id.number for fact in store.runs("SumFlow")] == [4, 2, 3, 1]
        assert [fact.id.number for fact in store.runs(limit=2)] == [4, 2]

    def test_flows_come_in_the_order_of_their_newest_run(self, store: Metastore) -> None:
        for flow, at in (("A", 1.0), ("B", 2.0), ("C", 3.0), ("A", 4.0)):
            store.create_run(new_run(flow, at))
        assert store.flows() == ["A", "C", "B"]

    def test_runs_are_found_by_tags_that_they_all_have(self, store: Metastore) -> None:
        store.create_run(new_run(user_tags=("a", "b")))
        store.create_run(new_run(user_tags=("a",)))
        store.create_run(new_run(user_tags=("a", "b"), system_tags=("user:bob",)))

        def found(*tags: str) -> list[int]:
            return [fact.id.number for fact in store.runs("SumFlow", tags=tags)]

        assert found("a") == [3, 2, 1]
        assert found("a", "b") == [3, 1]
        assert found("b", "user:ann") == [1]
        assert found("nobody has it") == []

    def test_the_heartbeat_only_moves_forward(self, store: Metastore, run: RunId) -> None:
        store.heartbeat(run, 1010.0)
        store.heartbeat(run, 1005.0)
        fact = store.run(run)
        assert fact is not None
        assert fact.heartbeat_at == 1010.0

    def test_the_end_of_a_run_is_kept(self, store: Metastore, run: RunId) -> None:
        store.commit([RunEnded(run, 1020.0, RunStatus.FAILED)])
        fact = store.run(run)
        assert fact is not None
        assert (fact.status, fact.finished_at) == (RunStatus.FAILED, 1020.0)

    def test_a_run_that_its_driver_left_is_not_finished_and_another_takes_it_over(
        self, store: Metastore, run: RunId
    ) -> None:
        store.commit([RunEnded(run, 1020.0, RunStatus.DETACHED)])
        fact = store.run(run)
        assert fact is not None
        assert (fact.status, fact.finished_at) == (RunStatus.DETACHED, None)
        store.commit([RunTaken(run, 1030.0, "other-host", 77)])
        fact = store.run(run)
        assert fact is not None
        assert (fact.status, fact.finished_at) == (RunStatus.RUNNING, None)
        assert (fact.heartbeat_at, fact.host, fact.pid) == (1030.0, "other-host", 77)

    # --- tasks and attempts ------------------------------------------------

    def test_a_task_is_returned_as_it_was_created(self, store: Metastore, run: RunId) -> None:
        full = TaskCreated(
            run,
            "work",
            "7_node_2",
            1001.0,
            parents=("start/1", "start/2"),
            indices=(3, 0),
            rounds=(1,),
            path_text="start:3,mid:0",
            stack_text=("x=3", "y='a'"),
            origin_task="work/5",
            gang_size=4,
            gang_control=True,
        )
        bare = TaskCreated(run, "start", "1", 1000.5)
        store.commit([full, bare])
        assert [fact.created for fact in store.tasks(run)] == [full, bare]

    def test_a_task_without_an_attempt_has_none(self, store: Metastore, run: RunId) -> None:
        store.commit([TaskCreated(run, "start", "1", 1001.0)])
        (fact,) = store.tasks(run)
        assert (fact.attempt, fact.started_at, fact.ok, fact.cause) == (None, None, None, None)

    def test_a_task_shows_its_latest_attempt(self, store: Metastore, run: RunId) -> None:
        failed = Outcome(False, Cause.OUT_OF_MEMORY, "Out of memory.")
        store.commit(
            [
                TaskCreated(run, "start", "1", 1001.0),
                AttemptStarted(run, JobId("1", 0), 1002.0),
                ended(run, "1", 0, outcome=failed),
                AttemptStarted(run, JobId("1", 1), 1004.0),
            ]
        )
        (running,) = store.tasks(run)
        assert (running.attempt, running.started_at) == (1, 1004.0)
        assert (running.ended_at, running.ok, running.cause) == (None, None, None)

        store.commit([ended(run, "1", 1, at=1009.0, outcome=failed)])
        (fact,) = store.tasks(run)
        assert (fact.attempt, fact.ended_at, fact.ok) == (1, 1009.0, False)
        assert fact.cause is Cause.OUT_OF_MEMORY

    def test_a_caught_failure_is_marked(self, store: Metastore, run: RunId) -> None:
        caught = Outcome(True, Cause.USER_ERROR, caught=True)
        store.commit([TaskCreated(run, "start", "1", 1001.0), ended(run, "1", outcome=caught)])
        (fact,) = store.tasks(run)
        assert (fact.ok, fact.caught, fact.cause) == (True, True, Cause.USER_ERROR)

    def test_facts_of_an_attempt_may_come_in_any_batch_and_order(
        self, store: Metastore, run: RunId
    ) -> None:
        store.commit([ended(run, "1")])
        store.commit([AttemptStarted(run, JobId("1", 0), 1002.0, pid=77)])
        store.commit([TaskCreated(run, "start", "1", 1001.0)])
        (attempt,) = store.attempts(run)
        assert (attempt.step, attempt.started_at, attempt.pid) == ("start", 1002.0, 77)
        assert (attempt.ended_at, attempt.outcome) == (1003.0, ended(run, "1").outcome)

    def test_the_same_facts_twice_are_the_same_as_once(self, store: Metastore, run: RunId) -> None:
        facts: list[Fact] = [
            TaskCreated(run, "start", "1", 1001.0),
            AttemptStarted(run, JobId("1", 0), 1002.0, pid=5),
            ended(run, "1"),
            RunEnded(run, 1004.0, RunStatus.DONE),
        ]
        store.commit(facts)
        once = (store.run(run), store.tasks(run), store.attempts(run), store.records(run))
        store.commit(facts)
        store.commit(facts[1:2])
        twice = (store.run(run), store.tasks(run), store.attempts(run), store.records(run))
        assert twice == once

    def test_an_attempt_is_returned_whole_and_attempts_come_oldest_first(
        self, store: Metastore, run: RunId
    ) -> None:
        split = Transition(("work",), Split("xs", 3, Items(range=(0, 1))))
        failed = Outcome(
            False,
            Cause.USER_ERROR,
            "ValueError: no",
            error=ErrorInfo("ValueError", "no", "Traceback …"),
            started_at=1002.0,
            ended_at=1003.0,
        )
        good = Outcome(True, transition=split, started_at=1004.0, ended_at=1005.0)
        store.commit(
            [
                TaskCreated(run, "start", "1", 1001.0),
                AttemptStarted(run, JobId("1", 0), 1002.0, pid=5),
                ended(run, "1", 0, outcome=failed),
                AttemptStarted(run, JobId("1", 1), 1004.0, pid=6),
                ended(run, "1", 1, at=1005.0, outcome=good),
                TaskCreated(run, "work", "2", 1006.0),
                AttemptStarted(run, JobId("2", 0), 1007.0),
            ]
        )
        first, second, third = store.attempts(run)
        assert (first.job, first.pid, first.outcome) == (JobId("1", 0), 5, failed)
        assert (second.job, second.pid, second.outcome) == (JobId("1", 1), 6, good)
        assert second.usage == MEASURED
        assert second.metadata == {"git-info": ("json", "{}")}
        assert (third.step, third.ended_at, third.outcome) == ("work", None, None)
        assert store.attempts(run, "start") == [first, second]
        assert store.attempts(run, "start", "2") == []
        assert store.attempts(run, task="2") == [third]

    def test_tasks_come_newest_first_by_time_then_by_number(
        self, store: Metastore, run: RunId
    ) -> None:
        created = [("1", 1.0), ("9", 2.0), ("10", 2.0), ("10_node_1", 2.0), ("11", 1.5)]
        store.commit([TaskCreated(run, "work", task, at) for task, at in created])
        order = [fact.created.task for fact in store.tasks(run, "work")]
        assert order == ["10_node_1", "10", "9", "11", "1"]

    def test_tasks_are_found_by_step_and_by_id(self, store: Metastore, run: RunId) -> None:
        store.commit([TaskCreated(run, "start", "1", 1001.0), TaskCreated(run, "end", "2", 1002.0)])
        assert [fact.created.task for fact in store.tasks(run, "end")] == ["2"]
        assert [fact.created.step for fact in store.tasks(run, task="1")] == ["start"]
        assert store.tasks(run, "start", "2") == []
        assert store.tasks(run, "nowhere") == []

    def test_steps_come_newest_first_with_their_number_of_tasks(
        self, store: Metastore, run: RunId
    ) -> None:
        store.commit(
            [
                TaskCreated(run, "start", "1", 1001.0),
                TaskCreated(run, "work", "2", 1002.0),
                TaskCreated(run, "work", "3", 1003.0),
                TaskCreated(run, "end", "4", 1004.0),
            ]
        )
        assert store.steps(run) == [
            StepFact(run, "end", 1004.0, 1),
            StepFact(run, "work", 1002.0, 2),
            StepFact(run, "start", 1001.0, 1),
        ]

    def test_runs_do_not_see_each_others_tasks(self, store: Metastore, run: RunId) -> None:
        other = store.create_run(new_run()).id
        store.commit(
            [
                TaskCreated(run, "start", "1", 1001.0),
                ended(run, "1"),
                TaskCreated(other, "start", "1", 1002.0),
            ]
        )
        assert [fact.ok for fact in store.tasks(run)] == [True]
        assert [fact.ok for fact in store.tasks(other)] == [None]
        assert store.records(other) == []

    def test_facts_of_a_run_that_is_not_there_are_refused_and_nothing_is_stored(
        self, store: Metastore, run: RunId
    ) -> None:
        missing = RunId(run.flow, 99)
        facts = [
            TaskCreated(run, "start", "1", 1001.0),
            TaskCreated(missing, "start", "1", 1001.0),
        ]
        with pytest.raises(MetadataError, match="SumFlow/99"):
            store.commit(facts)
        assert store.tasks(run) == []

    # --- records -----------------------------------------------------------

    def test_the_latest_record_of_each_task_is_given_unless_an_attempt_is_named(
        self, store: Metastore, run: RunId
    ) -> None:
        store.commit(
            [
                TaskCreated(run, "work", "1", 1001.0),
                ended(run, "1", 0, record=record_of(x=b"old")),
                ended(run, "1", 1, record=record_of(x=b"new")),
                AttemptStarted(run, JobId("1", 2), 1009.0),
            ]
        )
        (latest,) = store.records(run)
        assert (latest.step, latest.job) == ("work", JobId("1", 1))
        assert latest.record == record_of(x=b"new")
        (first,) = store.records(run, tasks=["1"], attempt=0)
        assert first.record == record_of(x=b"old")
        assert store.records(run, tasks=["1"], attempt=2) == []

    def test_records_are_chosen_by_step_or_by_tasks(self, store: Metastore, run: RunId) -> None:
        for task, step in (("1", "start"), ("2", "work"), ("3", "work"), ("4", "end")):
            store.commit([TaskCreated(run, step, task, 1001.0), ended(run, task)])

        def tasks(**which: object) -> set[str]:
            return {found.job.task for found in store.records(run, **which)}  # type: ignore[arg-type]

        assert tasks() == {"1", "2", "3", "4"}
        assert tasks(step="work") == {"2", "3"}
        assert tasks(tasks=["4", "1", "99"]) == {"4", "1"}
        assert tasks(tasks=[]) == set()

    def test_encoded_records_come_unchanged_in_the_order_asked_for(
        self, store: Metastore, run: RunId
    ) -> None:
        for task in ("1", "2", "3"):
            store.commit([TaskCreated(run, "work", task, 1001.0), ended(run, task)])
        found = store.encoded_records(run, ["3", "1", "3"])
        assert found == [encode(record_of(x=task)) for task in (b"3", b"1", b"3")]

    def test_an_encoded_record_that_is_not_there_is_missing_data(
        self, store: Metastore, run: RunId
    ) -> None:
        store.commit([TaskCreated(run, "work", "1", 1001.0)])
        with pytest.raises(DataMissing, match="Task 1 of run SumFlow/1"):
            store.encoded_records(run, ["1"])

    def test_all_that_ended_attempts_refer_to_is_given_not_only_the_latest(
        self, store: Metastore, run: RunId
    ) -> None:
        split = Split("xs", 3, Items(key="ab" * 32, files=("cd" * 32,)))
        opened = Outcome(True, transition=Transition(("work",), split))
        store.commit(
            [
                TaskCreated(run, "start", "1", 1001.0),
                ended(run, "1", 0, record=record_of(x=b"old")),
                ended(run, "1", 1, outcome=opened, record=record_of(x=b"new")),
                AttemptStarted(run, JobId("1", 2), 1009.0),
            ]
        )
        assert list(store.left_by(run)) == [
            Left("start", JobId("1", 0), record_of(x=b"old")),
            Left("start", JobId("1", 1), record_of(x=b"new"), split),
        ]
        assert list(store.left_by(RunId(run.flow, 99))) == []

    def test_what_thousands_of_attempts_refer_to_is_given_once_each(
        self, store: Metastore, run: RunId
    ) -> None:
        tasks = [str(number) for number in range(2500)]
        store.commit([TaskCreated(run, "work", task, 1001.0) for task in tasks])
        store.commit([ended(run, task) for task in tasks])
        found = [left.job.task for left in store.left_by(run)]
        assert len(found) == 2500
        assert set(found) == set(tasks)

    # --- tags --------------------------------------------------------------

    def test_tags_are_removed_then_added(self, store: Metastore) -> None:
        run = store.create_run(new_run(user_tags=("a", "b"))).id
        after = store.change_tags(run, add=["b", "c"], remove=["a", "b", "absent"])
        assert after == {"b", "c"}
        fact = store.run(run)
        assert fact is not None
        assert fact.user_tags == {"b", "c"}
        assert fact.system_tags == {"user:ann", "runtime:dev"}

    def test_more_than_fifty_tags_are_refused_and_nothing_changes(
        self, store: Metastore, run: RunId
    ) -> None:
        fifty = {f"t{number}" for number in range(50)}
        store.change_tags(run, add=fifty)
        with pytest.raises(TaggingError, match="51"):
            store.change_tags(run, add=["one more"])
        fact = store.run(run)
        assert fact is not None
        assert fact.user_tags == fifty

    def test_a_run_with_too_many_tags_may_lose_some(self, store: Metastore) -> None:
        many = tuple(f"t{number}" for number in range(60))
        run = store.create_run(new_run(user_tags=many)).id
        assert len(store.change_tags(run, remove=["t0"])) == 59

    def test_tags_added_by_several_threads_at_once_are_all_kept(
        self, store: Metastore, run: RunId
    ) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: store.change_tags(run, add=[f"t{n}"]), range(20)))
        fact = store.run(run)
        assert fact is not None
        assert fact.user_tags == {f"t{number}" for number in range(20)}

    # --- the database ------------------------------------------------------

    def test_what_was_committed_is_there_when_opened_again(
        self, store: Metastore, run: RunId, reopen: Callable[[], Metastore]
    ) -> None:
        store.commit([TaskCreated(run, "start", "1", 1001.0), ended(run, "1")])
        other = reopen()
        try:
            assert other.store_id == store.store_id
            assert other.address == store.address
            assert other.run(run) == store.run(run)
            assert other.tasks(run) == store.tasks(run)
            assert other.records(run) == store.records(run)
        finally:
            other.close()

    def test_two_threads_may_write_while_a_third_reads(self, store: Metastore) -> None:
        runs = [store.create_run(new_run()).id for _ in range(2)]

        def write(run: RunId) -> None:
            for number in range(1, 41):
                task = str(number)
                store.commit([TaskCreated(run, "work", task, 1001.0), ended(run, task)])

        def read(_: int) -> bool:
            # A commit is seen whole or not at all.
            return all(fact.ok for run in runs for fact in store.tasks(run))

        with ThreadPoolExecutor(3) as pool:
            writing = [pool.submit(write, run) for run in runs]
            assert all(pool.map(read, range(40)))
            for done in writing:
                done.result()
        assert [len(store.tasks(run)) for run in runs] == [40, 40]

    def test_the_store_id_is_plain_text_that_fits_in_a_key(self, store: Metastore) -> None:
        assert store.store_id.isalnum()
        assert 8 <= len(store.store_id) <= 16
