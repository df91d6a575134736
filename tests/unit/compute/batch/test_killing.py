"""Jobs are ended until Batch says that none is left."""

from swell.compute.batch.api import TimeSource
from swell.compute.batch.killing import kill_all
from swell.compute.batch.listing import FlowOfJobs, ListedJob, unfinished_jobs
from swell.testing.fake_clock import FakeClock
from tests.unit.compute.batch.scripted_batch import ScriptedBatch, api_of

MINE = FlowOfJobs("3f2a9c0d", "BigSum", "15")


def name_of(number: int) -> str:
    return f"swell-3f2a9c0d-BigSum-15-work-{number:016x}"


class Living:
    """A Batch whose jobs end ``lag_s`` after they were asked to; ``late`` are submitted when
    the first are ended."""

    def __init__(self, count: int, lag_s: float = 0.0, late: int = 0) -> None:
        self.clock = FakeClock()
        self.lag_s = lag_s
        self.jobs = {f"j{number}": name_of(number) for number in range(count)}
        self.late = {f"late{number}": name_of(1000 + number) for number in range(late)}
        self.ends_at: dict[str, float] = {}
        self.batch = ScriptedBatch(
            ListJobs=lambda r: {"jobSummaryList": [self.shown(job) for job in self.jobs]},
            DescribeJobs=lambda r: {"jobs": [self.shown(job) for job in r["jobs"]]},
            TerminateJobs=self.end,
        )
        self.api = api_of(self.batch, self.clock)

    def shown(self, job):
        is_over = self.clock() >= self.ends_at.get(job, float("inf"))
        status = "FAILED" if is_over else "RUNNING"
        return {"jobId": job, "jobName": self.jobs[job], "status": status, "createdAt": 0}

    def end(self, request):
        for job in request["jobs"]:
            self.ends_at.setdefault(job, self.clock() + self.lag_s)
        self.jobs |= self.late
        self.late = {}
        return {"successful": request["jobs"], "errors": []}

    def kill(self, within_s=120.0):
        times = TimeSource(self.clock, self.clock.advance)
        found = lambda: unfinished_jobs(self.api, ["big"], MINE)  # noqa: E731
        return kill_all(self.api, found, MINE, "ada", within_s=within_s, times=times)


def test_it_waits_until_all_have_ended():
    there = Living(120, lag_s=31.0)
    done = there.kill()
    assert (len(done.asked), done.left) == (120, ())
    assert there.clock() >= max(there.ends_at.values())


def test_what_is_submitted_meanwhile_is_ended_too():
    there = Living(2, lag_s=1.0, late=3)
    done = there.kill()
    assert {job.engine_id for job in done.asked} == {"j0", "j1", "late0", "late1", "late2"}
    assert done.left == ()


def test_what_has_not_ended_in_time_is_told():
    there = Living(2, lag_s=1_000.0)
    done = there.kill(within_s=60.0)
    assert {job.engine_id for job in done.left} == {"j0", "j1"}


def test_with_nothing_there_nothing_is_asked_to_end():
    there = Living(0)
    assert there.kill().asked == ()
    assert there.batch.of("TerminateJobs") == []


def test_ten_thousand_tasks_in_arrays_of_a_thousand_take_one_request():
    there = Living(10)
    assert len(there.kill().asked) == 10
    assert there.api.calls["TerminateJobs"] == 1


def test_a_job_of_another_flow_is_never_ended():
    there = Living(1)
    other = ListedJob("x", "swell-3f2a9c0d-Other-15-work-0123", "big", "RUNNING", "15", "work")
    times = TimeSource(there.clock, there.clock.advance)
    there.jobs["x"] = other.name
    done = kill_all(there.api, lambda: [other], MINE, "ada", within_s=5.0, times=times)
    assert [job.engine_id for job in done.left] == ["x"]
    assert there.batch.of("TerminateJobs") == []
