"""What is known of a submission's members."""

from __future__ import annotations

from swell.compute.remote.flights import Flight, Flights, Member
from swell.model.ids import JobId
from swell.model.job import Inputs, Launch, StepPlan
from swell.seams.queue import Submission


def test_a_submission_has_begun_when_one_of_its_members_runs_or_did():
    """Attempts that end soon never say that they began; why they wait is not asked."""
    launches = tuple(Launch(JobId(str(n), 0), "work", 1, Inputs()) for n in range(3))
    submission = Submission("name", StepPlan("work"), 3, False, {}, {})
    running, ended = (Flight(submission, launches, "job", 0.0) for _ in range(2))
    flights = Flights()
    flights.add(ended)
    assert not running.has_begun
    assert not ended.has_begun

    running.begun.add(1)
    flights.end(Member(ended, 2))

    assert running.has_begun
    assert ended.has_begun
