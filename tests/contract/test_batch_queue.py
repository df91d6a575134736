"""The AWS Batch queue against a Batch that it was not written with: the sandbox's service."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from swell.compute.batch.access import BatchAccess
from swell.compute.batch.api import BatchApi, Persistence
from swell.compute.batch.defaults import BatchDefaults
from swell.compute.batch.listing import FlowOfJobs, kill_jobs, unfinished_jobs
from swell.compute.batch.queue import BatchQueue
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.cause import Cause, find_cause
from swell.model.ids import JobId
from swell.model.job import JobState, StepPlan
from swell.model.resources import Resources
from swell.model.submission_name import submission_name
from swell.sandbox.batch.chaos import ChaosRequest
from swell.sandbox.batch.tuning import BatchSettings
from swell.sandbox.batch_service import BatchService
from swell.sandbox.jobs import OUT_OF_MEMORY, JobEnd, JobSpec
from swell.seams.queue import MemberUpdate, Submission, Watched
from tests.unit.sandbox.rehearsal import ScriptedRunner

DEADLINE_S = 20.0
QUICK = BatchSettings(
    submitted_s=0.01,
    starting_s=0.01,
    scale_up_s=0.01,
    describe_lag_s=0.1,
    summary_lag_s=0.05,
    blocked_after_s=0.05,
    calls_per_s=10_000,
)
ROLE = "arn:aws:iam::123456789012:role/run"
PLAN = StepPlan("work", backend="batch", resources=Resources(memory_mb=100))
STORE = "3f2a9c0d"


def play(spec: JobSpec) -> JobEnd | None:
    """What the variable PLAY says for the member: an exit code, 'hold', 'oom' or 'pull'."""
    plays = json.loads(spec.environment["PLAY"])
    index = spec.environment.get("AWS_BATCH_JOB_ARRAY_INDEX", "0")
    what = plays.get(index, plays["*"])
    if what == "hold":
        return None
    if what == "oom":
        return JobEnd(exit_code=137, reason=OUT_OF_MEMORY, stopped_at=time.time())
    if what == "pull":
        reason = "CannotPullContainerError: Error response from daemon: pull access denied for x"
        return JobEnd(exit_code=None, reason=reason, stopped_at=time.time())
    return JobEnd(exit_code=what, stopped_at=time.time())


class Place:
    """A served Batch and a queue on it."""

    def __init__(self, settings: BatchSettings = QUICK, **defaults: Any) -> None:
        self.service = BatchService(settings, ScriptedRunner(play))
        self.url = self.service.serve()
        self.defaults = BatchDefaults(queue="swell", execution_role=ROLE, **defaults)
        self.api, self.queue = self.another()
        self._made = 0

    def another(self) -> tuple[BatchApi, BatchQueue]:
        """A queue of another driver, which remembers nothing."""
        access = BatchAccess("us-east-1", endpoint_url=self.url)
        api = BatchApi(access, persistence=Persistence(0.01, 0.1, 5.0))
        return api, BatchQueue(api, self.defaults, "pass", grace_s=3.0)

    def submission(
        self, count: int = 1, *, plan: StepPlan = PLAN, is_gang: bool = False, **plays: Any
    ) -> Submission:
        self._made += 1
        jobs = [JobId(str(self._made), 0)]
        name = submission_name(STORE, "Flow", "1", plan.step, jobs)
        plays.setdefault("*", plays.pop("all", 0))
        return Submission(
            name,
            plan,
            count,
            is_gang,
            {"PLAY": json.dumps({key.lstrip("_"): value for key, value in plays.items()})},
            {"swell:run": "1", "swell:user": "ada"},
        )

    def until(self, look: Callable[[], Any]) -> Any:
        """What ``look`` gives once it gives something; fails after a deadline."""
        until = time.monotonic() + DEADLINE_S
        while not (found := look()):
            assert time.monotonic() < until, "never came"
        return found

    def ends(
        self, engine_id: str, submission: Submission, known: frozenset[int] = frozenset()
    ) -> dict[int, MemberUpdate]:
        """Looks until every member but the ``known`` has ended."""
        ended: dict[int, MemberUpdate] = {}
        expected = [index for index in range(submission.count) if index not in known]

        def look() -> bool:
            left = [index for index in expected if index not in ended]
            for update in self.queue.look([Watched(engine_id, submission, left)]):
                if update.state in (JobState.EXITED, JobState.LOST):
                    assert update.index not in ended
                    ended[update.index] = update
            return len(ended) == len(expected)

        self.until(look)
        return ended

    def end(self, **fields: Any) -> MemberUpdate:
        submission = self.submission(**fields)
        return self.ends(self.queue.submit(submission), submission)[0]

    def close(self) -> None:
        self.queue.close()
        self.service.close()


@pytest.fixture(scope="module")
def keys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield


@pytest.fixture(scope="module")
def place(keys: None) -> Iterator[Place]:
    found = Place()
    yield found
    found.close()


def cause_of(update: MemberUpdate) -> Cause:
    assert update.evidence is not None
    return find_cause(update.evidence).cause


def test_a_lone_job_runs_and_ends(place):
    update = place.end()
    assert update.state is JobState.EXITED
    assert update.evidence.exit_code == 0
    assert abs(update.at - time.time()) < 60


@pytest.mark.parametrize(
    ("what", "cause"),
    [(3, Cause.EXIT), (139, Cause.SIGNAL), ("oom", Cause.OUT_OF_MEMORY), ("pull", Cause.IMAGE)],
)
def test_an_end_has_its_cause(place, what, cause):
    assert cause_of(place.end(all=what)) is cause


def test_members_of_an_array_end_each_in_their_own_way(place):
    submission = place.submission(5, _2=3, _4="oom")
    ended = place.ends(place.queue.submit(submission), submission)
    codes = {index: update.evidence.exit_code for index, update in ended.items()}
    assert codes == {0: 0, 1: 0, 2: 3, 3: 0, 4: 137}
    assert cause_of(ended[4]) is Cause.OUT_OF_MEMORY


def test_the_end_of_one_member_is_told_while_others_run_and_a_kill_ends_those(place):
    submission = place.submission(3, all="hold", _1=3)
    engine_id = place.queue.submit(submission)
    watched = Watched(engine_id, submission, range(3))
    (update,) = place.until(lambda: place.queue.look([watched]))
    assert (update.index, update.evidence.exit_code) == (1, 3)
    place.queue.cancel([engine_id], "the run was killed")
    ended = place.ends(engine_id, submission, known=frozenset({1}))
    assert {cause_of(update) for update in ended.values()} == {Cause.CANCELLED}
    assert "the run was killed" in find_cause(ended[0].evidence).sentence


def test_a_single_member_can_be_ended(place):
    submission = place.submission(3, all="hold")
    engine_id = place.queue.submit(submission)
    _, other = place.another()
    other.cancel_members([(engine_id, 2)], "its task is done")
    watched = Watched(engine_id, submission, range(3))
    (update,) = place.until(lambda: place.queue.look([watched]))
    assert (update.index, cause_of(update)) == (2, Cause.CANCELLED)
    place.queue.cancel([engine_id], "enough")


def test_what_another_driver_submitted_is_found_by_its_name(place):
    submission = place.submission(2, all="hold")
    engine_id = place.queue.submit(submission)
    _, other = place.another()
    assert place.until(lambda: other.find(submission.name, PLAN)) == engine_id
    assert other.find(submission.name[:-1], PLAN) is None
    other.cancel([engine_id], "enough")


def test_a_job_that_batch_does_not_know_is_lost_after_the_grace_time(place):
    submission = place.submission()
    ended = place.ends("00000000-0000-0000-0000-000000000000", submission)
    assert ended[0].state is JobState.LOST


def test_the_same_definition_serves_all_drivers(place):
    plan = StepPlan("work", backend="batch", resources=Resources(memory_mb=123))
    for queue in (place.queue, place.another()[1]):
        queue.submit(place.submission(plan=plan))
    _, last = place.another()
    last.submit(place.submission(plan=plan))
    assert last.calls["RegisterJobDefinition"] == 0


def test_nodes_of_a_gang_run_together_and_end_with_it(place):
    submission = place.submission(3, is_gang=True)
    ended = place.ends(place.queue.submit(submission), submission)
    assert set(ended) == {0, 1, 2}


def test_the_unfinished_jobs_of_the_flow_are_listed_and_killed(place):
    submission = place.submission(4, all="hold")
    engine_id = place.queue.submit(submission)
    wanted = FlowOfJobs(STORE, "Flow", run="1")

    def listed() -> list[Any]:
        return [
            job
            for job in unfinished_jobs(place.api, ["swell", "spot"], wanted)
            if job.engine_id == engine_id
        ]

    (job,) = place.until(listed)
    assert (job.run, job.step, job.count) == ("1", "work", 4)
    assert unfinished_jobs(place.api, ["swell"], FlowOfJobs(STORE, "Flo")) == []
    assert kill_jobs(place.api, [job], wanted, "ada") == []
    ended = place.ends(engine_id, submission)
    assert {cause_of(update) for update in ended.values()} == {Cause.CANCELLED}
    place.until(lambda: not listed())


@pytest.mark.parametrize("queue", ["swell", "spot", "fargate"])
def test_every_sort_of_queue_takes_what_passes_the_check(place, queue):
    plan = StepPlan("work", resources=PLAN.resources, batch=BatchOptions(queue=queue))
    place.queue.check([plan])
    assert place.end(plan=plan).evidence.exit_code == 0


def test_a_fair_share_queue_takes_a_job_with_a_share_and_the_check_refuses_one_without(place):
    plan = StepPlan("work", batch=BatchOptions(queue="fair"), resources=PLAN.resources)
    with pytest.raises(ComputeError, match="names no share"):
        place.queue.check([plan])
    options = BatchOptions(queue="fair", share="research", priority=3)
    plan = StepPlan("work", batch=options, resources=PLAN.resources)
    assert place.end(plan=plan).evidence.exit_code == 0


@pytest.mark.parametrize(
    ("resources", "part"),
    [
        (Resources(cpu=500), "vCPU at most"),
        (Resources(gpu=1), "GPU"),
        (Resources(cpu=1, memory_mb=2_000_000), "instance types"),
    ],
)
def test_what_no_machine_of_the_queue_can_hold_is_refused(place, resources, part):
    with pytest.raises(ComputeError, match=part):
        place.queue.check([StepPlan("work", resources=resources)])


def test_a_reclaimed_spot_machine_is_tried_again_by_batch_and_told_where_it_may_not_be(place):
    place.service.decider.chaos(ChaosRequest(spot=1.0, within_s=0.0, seed=1))
    try:
        options = BatchOptions(queue="spot")
        plan = StepPlan("work", resources=PLAN.resources, batch=options, uncounted_attempts=1)
        submission = place.submission(plan=plan, all="hold")
        engine_id = place.queue.submit(submission)
        assert cause_of(place.ends(engine_id, submission)[0]) is Cause.SPOT
        (job,) = place.api.describe_jobs([engine_id])
        assert len(job.attempts) == 2
        once = StepPlan("work", resources=PLAN.resources, batch=options, uncounted_attempts=0)
        submission = place.submission(plan=once, all="hold")
        engine_id = place.queue.submit(submission)
        place.ends(engine_id, submission)
        (job,) = place.api.describe_jobs([engine_id])
        assert len(job.attempts) == 1
    finally:
        place.service.decider.chaos(ChaosRequest(clear=True))


@pytest.mark.parametrize(
    ("chaos", "part"),
    [
        (ChaosRequest(capacity=0), "no machines of the kind"),
        (ChaosRequest(environments={"swell-ec2": "invalid"}), "INVALID"),
        (ChaosRequest(environments={"swell-ec2": "service-role"}), "service role"),
    ],
)
def test_why_a_job_waits_is_told(keys, chaos, part):
    place = Place()
    place.service.decider.chaos(chaos)
    submission = place.submission(2, all="hold")
    watched = Watched(place.queue.submit(submission), submission, range(2))

    def told() -> bool:
        waiting = place.queue.waiting([watched])
        return bool(waiting) and part in waiting[0].sentence

    try:
        place.until(told)
    finally:
        place.close()


def test_a_throttled_service_slows_the_client_and_loses_nothing(keys):
    place = Place(BatchSettings(calls_per_s=20.0, submitted_s=0.01, starting_s=0.01))
    try:
        place.service.decider.chaos(ChaosRequest(throttle=3.0))
        submissions = [place.submission(all="hold") for _ in range(8)]
        ids = {place.queue.submit(submission) for submission in submissions}
        assert len(ids) == 8
        assert place.queue.calls["SubmitJob"] > 8
    finally:
        place.close()
