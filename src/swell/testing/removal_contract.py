"""The promises of a metadata store about runs that are removed, as tests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from swell.errors import MetadataError, NotFound, RunInUse
from swell.model.facts import RunEnded, RunStatus, TaskCreated
from swell.model.ids import RunId
from swell.seams.metastore import Metastore
from swell.testing.stored_facts import ended, new_run


class RemovalContract:
    """A part of ``MetadataContract``, which see for the fixtures."""

    def test_a_removed_run_leaves_nothing_and_its_number_is_not_given_again(
        self, store: Metastore, run: RunId
    ) -> None:
        other = store.create_run(new_run(user_tags=("kept",))).id
        for one in (run, other):
            store.commit(
                [
                    TaskCreated(one, "start", "1", 1001.0),
                    ended(one, "1"),
                    RunEnded(one, 1004.0, RunStatus.DONE),
                ]
            )
        before = (store.run(other), store.tasks(other), store.records(other))
        assert store.delete_run(run) is True
        assert store.run(run) is None
        assert [fact.id for fact in store.runs()] == [other]
        assert list(store.left_by(run)) == []
        with pytest.raises(MetadataError, match="SumFlow/1"):
            store.tasks(run)
        assert (store.run(other), store.tasks(other), store.records(other)) == before
        assert store.delete_run(other) is True
        assert store.create_run(new_run()).id.number == 3

    def test_removing_a_run_that_is_not_there_is_no_error(
        self, store: Metastore, run: RunId
    ) -> None:
        assert store.delete_run(RunId(run.flow, 99)) is False
        assert store.delete_run(RunId("Other", 1)) is False

    def test_a_run_that_goes_on_is_not_removed(self, store: Metastore, run: RunId) -> None:
        with pytest.raises(RunInUse, match="SumFlow/1 goes on"):
            store.delete_run(run)
        assert store.run(run) is not None

    def test_a_run_found_dead_is_removed_unless_it_gave_a_sign_of_life_since(
        self, store: Metastore, run: RunId
    ) -> None:
        seen = store.run(run)
        assert seen is not None
        store.heartbeat(run, 1010.0)
        with pytest.raises(RunInUse):
            store.delete_run(run, dead=[seen])
        seen = store.run(run)
        assert seen is not None
        assert store.delete_run(run, dead=[seen]) is True

    def test_the_origin_of_a_run_that_goes_on_is_not_removed(
        self, store: Metastore, run: RunId
    ) -> None:
        store.commit([RunEnded(run, 1004.0, RunStatus.FAILED)])
        resumed = store.create_run(new_run(origin_run=run.number)).id
        with pytest.raises(RunInUse, match="resumed by SumFlow/2"):
            store.delete_run(run)
        store.commit([RunEnded(resumed, 1005.0, RunStatus.DONE)])
        assert store.delete_run(run) is True
        assert store.run(resumed) is not None

    def test_a_removed_run_cannot_be_resumed(self, store: Metastore, run: RunId) -> None:
        store.commit([RunEnded(run, 1004.0, RunStatus.FAILED)])
        store.delete_run(run)
        with pytest.raises(NotFound, match="SumFlow/1"):
            store.create_run(new_run(origin_run=run.number))
        assert store.runs() == []

    def test_a_run_is_resumed_or_removed_never_both(self, store: Metastore) -> None:
        origins = [store.create_run(new_run("A")).id for _ in range(12)]
        store.commit([RunEnded(origin, 1004.0, RunStatus.FAILED) for origin in origins])

        def resume(origin: RunId) -> bool:
            try:
                store.create_run(new_run("A", origin_run=origin.number))
            except NotFound:
                return False
            return True

        def remove(origin: RunId) -> bool:
            try:
                return store.delete_run(origin)
            except RunInUse:
                return False

        with ThreadPoolExecutor(4) as pool:
            resumed = [pool.submit(resume, origin) for origin in origins]
            removed = [pool.submit(remove, origin) for origin in origins]
            both = [(one.result(), two.result()) for one, two in zip(resumed, removed, strict=True)]
        assert all(was_resumed is not was_removed for was_resumed, was_removed in both)
