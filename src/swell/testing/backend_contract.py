"""What every Backend must do, as tests that authors of one inherit."""

from __future__ import annotations

import os
import queue
from collections.abc import Sequence

import pytest

from swell.model.cause import Cause, find_cause
from swell.model.ids import JobId
from swell.model.job import Inputs, JobState, JobUpdate, Launch
from swell.model.wire import decode_result
from swell.seams.backend import Backend

DEADLINE_S = 60.0


class Reports:
    """Collects updates from whatever thread they come."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[JobUpdate] = queue.SimpleQueue()
        self.seen: list[JobUpdate] = []

    def take(self, updates: Sequence[JobUpdate]) -> None:
        """For ``Backend.start``."""
        for update in updates:
            self._queue.put(update)

    def wait_for(self, job: JobId, *states: JobState) -> JobUpdate:
        """The update that brought ``job`` into one of ``states``."""
        for update in self.seen:
            if update.job == job and update.state in states:
                return update
        while True:
            update = self._queue.get(timeout=DEADLINE_S)
            self.seen.append(update)
            if update.job == job and update.state in states:
                return update

    def ends(self, job: JobId) -> list[JobUpdate]:
        """All ends of ``job`` that were reported so far."""
        while not self._queue.empty():
            self.seen.append(self._queue.get_nowait())
        return [one for one in self.seen if one.job == job and one.state in ENDS]


ENDS = (JobState.EXITED, JobState.LOST)


def launch(number: int, step: str, *, timeout_s: float | None = None) -> Launch:
    """The first attempt of task ``number``, which does what ``step`` says."""
    job = JobId(str(number), 0)
    return Launch(job, step, attempts=1, inputs=Inputs(), timeout_s=timeout_s)


class BackendContract:
    """Inherit, and give a fixture ``backend``: a Backend that is not yet started, whose
    attempts call ``swell.testing.contract_attempt.act`` and leave what it returns."""

    @pytest.fixture
    def reports(self, backend: Backend) -> Reports:
        """What the backend, started now, reports."""
        reports = Reports()
        backend.start(reports.take)
        return reports

    def test_a_job_begins_and_ends_with_what_it_left(
        self, backend: Backend, reports: Reports
    ) -> None:
        one = launch(1, "ok")
        backend.submit([one])
        reports.wait_for(one.job, JobState.RUNNING)
        end = reports.wait_for(one.job, *ENDS)
        backend.close()
        assert end.state is JobState.EXITED
        assert end.result is not None
        assert decode_result(end.result).outcome.ok

    def test_many_jobs_end_each_once(self, backend: Backend, reports: Reports) -> None:
        launches = [launch(n, "ok") for n in range(1, 13)]
        backend.submit(launches)
        for one in launches:
            reports.wait_for(one.job, *ENDS)
        backend.close()
        assert [len(reports.ends(one.job)) for one in launches] == [1] * 12

    def test_a_failure_is_the_attempts_own_word(self, backend: Backend, reports: Reports) -> None:
        one = launch(1, "fail")
        backend.submit([one])
        end = reports.wait_for(one.job, *ENDS)
        backend.close()
        assert end.result is not None
        assert decode_result(end.result).outcome.cause is Cause.USER_ERROR

    @pytest.mark.parametrize(("step", "cause"), [("die", Cause.SIGNAL), ("leave", Cause.EXIT)])
    def test_a_death_leaves_no_result_but_evidence(
        self, backend: Backend, reports: Reports, step: str, cause: Cause
    ) -> None:
        one = launch(1, step)
        backend.submit([one])
        end = reports.wait_for(one.job, *ENDS)
        backend.close()
        assert end.result is None
        assert end.evidence is not None
        assert find_cause(end.evidence).cause is cause

    def test_a_cancelled_job_ends_as_cancelled(self, backend: Backend, reports: Reports) -> None:
        one = launch(1, "hang")
        backend.submit([one])
        reports.wait_for(one.job, JobState.RUNNING)
        backend.cancel([one.job, JobId("77", 0)], "a test")
        end = reports.wait_for(one.job, *ENDS)
        backend.close()
        assert end.evidence is not None
        assert find_cause(end.evidence).cause is Cause.CANCELLED
        assert len(reports.ends(one.job)) == 1

    def test_a_job_that_is_cancelled_before_it_was_seen_to_begin_ends(
        self, backend: Backend, reports: Reports
    ) -> None:
        one = launch(1, "hang")
        backend.submit([one])
        backend.cancel([one.job], "a test")
        reports.wait_for(one.job, *ENDS)
        backend.close()

    def test_a_second_request_ends_a_job_that_does_not_listen(
        self, backend: Backend, reports: Reports
    ) -> None:
        one = launch(1, "deaf")
        backend.submit([one])
        reports.wait_for(one.job, JobState.RUNNING)
        backend.cancel([one.job], "please")
        backend.cancel([one.job], "now")
        end = reports.wait_for(one.job, *ENDS)
        backend.close()
        assert end.evidence is not None
        assert find_cause(end.evidence).cause is Cause.CANCELLED

    def test_closing_ends_what_runs_and_leaves_no_process(
        self, backend: Backend, reports: Reports
    ) -> None:
        launches = [launch(1, "hang"), launch(2, "deaf")]
        backend.submit(launches)
        pids = [reports.wait_for(one.job, JobState.RUNNING).pid for one in launches]
        backend.close()
        for pid in pids:
            if pid is not None:  # a backend elsewhere has none to tell
                with pytest.raises(ProcessLookupError):
                    os.kill(pid, 0)

    def test_closing_with_nothing_to_do_is_fine(self, backend: Backend, reports: Reports) -> None:
        backend.close()
        assert reports.seen == []
