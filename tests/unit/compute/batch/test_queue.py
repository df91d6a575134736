"""The JobQueue on AWS Batch, on botocore's own client with scripted answers."""

from typing import Any

import pytest

from swell.compute.batch.defaults import BatchDefaults
from swell.compute.batch.queue import BatchQueue
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.cause import Cause, find_cause
from swell.model.job import JobState, StepPlan
from swell.seams.queue import Submission, Watched
from swell.testing.fake_clock import FakeClock
from tests.unit.compute.batch.scripted_batch import (
    ACCOUNT,
    ScriptedBatch,
    api_of,
    environment_detail,
    queue_detail,
)

PLAN = StepPlan("work", backend="batch", batch=BatchOptions(queue="big"))
DEFINITION = f"{ACCOUNT}:job-definition/swell-1:1"


class Stage:
    """A queue with one compute environment and the jobs that a test puts there."""

    def __init__(self, *, kind: str = "EC2") -> None:
        self.clock = FakeClock()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.batch = ScriptedBatch(
            DescribeJobQueues=lambda r: {
                "jobQueues": [queue_detail()] if r["jobQueues"] == ["big"] else []
            },
            DescribeComputeEnvironments=lambda _: {
                "computeEnvironments": [environment_detail(kind=kind)]
            },
            DescribeJobDefinitions=lambda _: {"jobDefinitions": []},
            RegisterJobDefinition=lambda r: {
                "jobDefinitionName": r["jobDefinitionName"],
                "jobDefinitionArn": DEFINITION,
                "revision": 1,
            },
            SubmitJob=lambda r: {"jobId": "j1", "jobName": r["jobName"]},
            DescribeJobs=lambda r: {
                "jobs": [self.jobs[job] for job in r["jobs"] if job in self.jobs]
            },
            ListJobs=self._list,
            TerminateJobs=lambda r: {"successful": r["jobs"], "errors": []},
        )
        self.api = api_of(self.batch, self.clock)
        self.queue = BatchQueue(self.api, BatchDefaults(), "pass", clock=self.clock)

    def put(self, job_id: str, status: str, *, name: str = "a", **fields: Any) -> None:
        self.jobs[job_id] = {
            "jobId": job_id,
            "jobName": name,
            "status": status,
            "createdAt": int(self.clock.now * 1000),
            **fields,
        }

    def put_array(self, job_id: str, status: str, size: int, **counts: int) -> None:
        array = {"size": size, "statusSummary": counts}
        self.put(job_id, status, arrayProperties=array)

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        found = list(self.jobs.values())
        if "arrayJobId" in request:
            start = request["arrayJobId"] + ":"
            found = [
                job
                for job in found
                if job["jobId"].startswith(start) and job["status"] == request["jobStatus"]
            ]
        elif "filters" in request:
            (wanted,) = request["filters"][0]["values"]
            start = wanted.lower().rstrip("*")
            found = [job for job in found if job["jobName"].lower().startswith(start)]
        return {"jobSummaryList": found}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def watched(engine_id="j1", count=1, unfinished=None, **fields):
    submission = Submission("a", PLAN, count, **fields)
    return Watched(engine_id, submission, range(count) if unfinished is None else unfinished)


def ends(updates):
    return {update.index: update.state for update in updates if update.evidence is not None}


def test_a_definition_is_registered_once_and_the_queue_is_read_once(stage):
    for name in ("a", "b", "c"):
        assert stage.queue.submit(Submission(name, PLAN, 5)) == "j1"
    assert stage.queue.calls == {
        "DescribeJobQueues": 1,
        "DescribeComputeEnvironments": 1,
        "DescribeJobDefinitions": 1,
        "RegisterJobDefinition": 1,
        "SubmitJob": 3,
    }
    assert stage.batch.of("SubmitJob")[0]["jobDefinition"] == DEFINITION


def test_a_definition_with_the_same_content_is_used_again(stage):
    def known(request):
        name = request["jobDefinitionName"]
        revisions = [(f"{ACCOUNT}:job-definition/{name}:{n}", n) for n in (1, 3, 2)]
        return {
            "jobDefinitions": [
                {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": n}
                for arn, n in revisions
            ]
        }

    stage.batch.answers["DescribeJobDefinitions"] = known
    stage.queue.submit(Submission("a", PLAN, 1))
    assert not stage.batch.of("RegisterJobDefinition")
    assert stage.batch.of("SubmitJob")[0]["jobDefinition"].endswith(":3")


def test_a_gang_on_fargate_is_refused_before_it_is_submitted():
    stage = Stage(kind="FARGATE")
    with pytest.raises(ComputeError, match="num_parallel"):
        stage.queue.submit(Submission("a", PLAN, 2, is_gang=True))
    assert not stage.batch.of("SubmitJob")


def test_a_queue_that_is_not_there_is_told(stage):
    plan = StepPlan("work", batch=BatchOptions(queue="nowhere"))
    with pytest.raises(ComputeError, match="'nowhere' in the region eu-west-1"):
        stage.queue.check([plan])


def test_checking_many_steps_looks_at_each_queue_once(stage):
    stage.batch.answers["GetJobQueueSnapshot"] = lambda _: {}
    assert stage.queue.check([PLAN, StepPlan("other", batch=PLAN.batch)]) == []
    assert stage.queue.calls["GetJobQueueSnapshot"] == 1


def test_a_submission_is_found_by_its_exact_name(stage):
    stage.put("other", "RUNNING", name="A")
    stage.put("longer", "RUNNING", name="ab")
    assert stage.queue.find("a", PLAN) is None
    stage.put("mine", "RUNNABLE", name="a")
    assert stage.queue.find("a", PLAN) == "mine"


def test_of_two_of_a_name_the_newest_that_has_not_failed_is_found(stage):
    stage.put("old", "RUNNING", name="a")
    stage.clock.advance(10)
    stage.put("new", "SUCCEEDED", name="a")
    stage.clock.advance(10)
    stage.put("failed", "FAILED", name="a")
    assert stage.queue.find("a", PLAN) == "new"


def test_a_plain_job_is_told_when_it_runs_and_when_it_ends(stage):
    stage.put("j1", "RUNNABLE")
    assert stage.queue.look([watched()]) == []
    stage.put("j1", "RUNNING", startedAt=1_005_000)
    (update,) = stage.queue.look([watched()])
    assert (update.state, update.at) == (JobState.RUNNING, 1005.0)
    assert stage.queue.look([watched()]) == []
    stage.put("j1", "FAILED", stoppedAt=1_007_000, statusReason="Essential container in task "
              "exited", container={"exitCode": 3})  # fmt: skip
    (update,) = stage.queue.look([watched()])
    assert (update.state, update.at) == (JobState.EXITED, 1007.0)
    assert find_cause(update.evidence).cause is Cause.EXIT
    assert stage.queue.look([watched()]) == []


def test_a_success_in_batch_is_an_end_like_any_other(stage):
    stage.put("j1", "SUCCEEDED", container={"exitCode": 0})
    (update,) = stage.queue.look([watched()])
    assert update.state is JobState.EXITED


def test_an_end_that_the_driver_has_heard_of_is_left_out(stage):
    stage.put("j1", "SUCCEEDED")
    assert stage.queue.look([watched(unfinished=[])]) == []


def test_a_job_unknown_for_less_than_the_grace_time_is_not_lost(stage):
    assert stage.queue.look([watched()]) == []
    stage.clock.advance(59)
    assert stage.queue.look([watched()]) == []
    stage.put("j1", "RUNNABLE")
    assert stage.queue.look([watched()]) == []
    del stage.jobs["j1"]
    stage.clock.advance(59)
    assert stage.queue.look([watched()]) == []


def test_a_job_unknown_for_the_grace_time_is_lost_with_all_members(stage):
    assert stage.queue.look([watched(count=3)]) == []
    stage.clock.advance(60)
    updates = stage.queue.look([watched(count=3)])
    assert ends(updates) == dict.fromkeys(range(3), JobState.LOST)
    assert stage.queue.look([watched(count=3)]) == []


def test_children_are_not_asked_while_batch_counts_no_end_the_driver_lacks(stage):
    stage.put_array("j1", "PENDING", 10, RUNNING=4, SUCCEEDED=6)
    for _ in range(5):
        assert stage.queue.look([watched(count=10, unfinished=range(6, 10))]) == []
    assert stage.queue.calls == {"DescribeJobs": 5}


def test_children_are_asked_at_the_second_look_that_lacks_an_end(stage):
    stage.put_array("j1", "PENDING", 10, RUNNING=3, SUCCEEDED=6, FAILED=1)
    stage.put("j1:7", "FAILED", statusReason="Host EC2 (instance i-1) terminated.")
    stage.put("j1:8", "RUNNING")
    late = watched(count=10, unfinished=range(6, 10))
    assert stage.queue.look([late]) == []
    updates = stage.queue.look([late])
    assert ends(updates) == {7: JobState.EXITED}
    assert find_cause(updates[0].evidence).cause is Cause.HOST_LOST
    assert stage.queue.look([late]) == []
    assert stage.queue.calls["DescribeJobs"] == 4


def test_many_children_are_listed_by_state_and_not_described(stage):
    stage.put_array("j1", "PENDING", 2000, RUNNING=1998, FAILED=1, SUCCEEDED=1)
    stage.put("j1:1500", "FAILED", container={"exitCode": 1})
    stage.put("j1:3", "SUCCEEDED")
    late = watched(count=2000)
    stage.queue.look([late])
    assert ends(stage.queue.look([late])) == {3: JobState.EXITED, 1500: JobState.EXITED}
    assert stage.queue.calls == {"DescribeJobs": 2, "ListJobs": 2}


def test_a_parent_that_has_ended_is_asked_at_once_for_all_that_lack_an_end(stage):
    stage.put_array("j1", "FAILED", 3, SUCCEEDED=2, FAILED=1)
    stage.put("j1:1", "SUCCEEDED")
    updates = stage.queue.look([watched(count=3, unfinished=[1, 2])])
    assert ends(updates) == {1: JobState.EXITED, 2: JobState.EXITED}


def test_the_nodes_of_a_gang_end_with_it(stage):
    nodes = {"numNodes": 2, "isMainNode": False}
    stage.put("j1", "RUNNING", nodeProperties=nodes)
    gang = watched(count=2, is_gang=True)
    assert [update.state for update in stage.queue.look([gang])] == [JobState.RUNNING] * 2
    stage.put("j1", "FAILED", nodeProperties=nodes)
    stage.put("j1#0", "FAILED", container={"exitCode": 9})
    updates = stage.queue.look([gang])
    assert ends(updates) == {0: JobState.EXITED, 1: JobState.EXITED}
    assert updates[0].evidence.exit_code == 9


def test_a_machine_that_was_spot_is_known_by_the_queue():
    stage = Stage(kind="SPOT")
    stage.put("j1", "FAILED", statusReason="Host EC2 (instance i-1) terminated.")
    (update,) = stage.queue.look([watched()])
    assert find_cause(update.evidence).cause is Cause.SPOT


def test_submissions_are_looked_at_a_hundred_a_call(stage):
    for number in range(250):
        stage.put(str(number), "RUNNABLE")
    assert stage.queue.look([watched(str(number)) for number in range(250)]) == []
    assert stage.queue.calls == {"DescribeJobs": 3}


def test_ends_are_asked_for_fifty_a_call_with_a_reason_that_names_us(stage):
    stage.queue.cancel([str(number) for number in range(120)], "the run was killed")
    requests = stage.batch.of("TerminateJobs")
    assert [len(request["jobs"]) for request in requests] == [50, 50, 20]
    assert requests[0]["reason"] == "swell: the run was killed"


def test_single_members_are_ended_by_the_ids_that_batch_gives_them(stage):
    stage.put_array("array", "PENDING", 5)
    stage.put("lone", "RUNNING")
    stage.put("gang", "RUNNING", nodeProperties={"numNodes": 2})
    members = [("array", 3), ("lone", 0), ("gang", 1), ("gang", 0)]
    stage.queue.cancel_members(members, "why")
    (request,) = stage.batch.of("TerminateJobs")
    assert request["jobs"] == ["array:3", "lone", "gang"]


def test_what_could_not_be_ended_is_named(stage):
    stage.batch.answers["TerminateJobs"] = lambda r: {
        "successful": [],
        "errors": [{"job": "j1", "code": "x", "message": "not now"}],
    }
    with pytest.raises(ComputeError, match="1 of 1 jobs could not be ended: j1: not now"):
        stage.queue.cancel(["j1"], "why")


def test_why_an_array_waits_is_read_from_a_child_and_from_the_line(stage):
    stage.put_array("j1", "PENDING", 5, RUNNABLE=5)
    reason = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - no m5"
    stage.put("j1:0", "RUNNABLE", statusReason=reason)
    stage.batch.answers["GetJobQueueSnapshot"] = lambda _: {}
    (waiting,) = stage.queue.waiting([watched(count=5)])
    assert "no machines of the kind" in waiting.sentence
    assert waiting.remedy


def test_the_place_in_line_is_that_of_the_first_member(stage):
    stage.put_array("j1", "PENDING", 5, RUNNABLE=5)
    arns = [f"{ACCOUNT}:job/{job}" for job in ("x", "y:3", "j1:2", "j1:3")]
    front = {"jobs": [{"jobArn": arn, "earliestTimeAtPosition": 1} for arn in arns]}
    stage.batch.answers["GetJobQueueSnapshot"] = lambda _: {"frontOfQueue": front}
    (waiting,) = stage.queue.waiting([watched(count=5)])
    assert "3rd in line" in waiting.sentence


def test_nothing_is_said_of_what_runs(stage):
    stage.put_array("array", "PENDING", 5, RUNNABLE=4, RUNNING=1)
    stage.put("lone", "RUNNING")
    stage.put("done", "SUCCEEDED")
    told = stage.queue.waiting([watched("array", 5), watched("lone"), watched("done")])
    assert told == []


def test_the_machine_of_a_queue_is_known_for_packages(stage):
    assert stage.queue.machine_for(PLAN) == "x86_64"
