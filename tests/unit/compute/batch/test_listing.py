"""The unfinished jobs of one flow among those of others."""

from swell.compute.batch.listing import FlowOfJobs, ListedJob, kill_jobs, unfinished_jobs
from swell.model.ids import JobId
from swell.model.submission_name import submission_name
from tests.unit.compute.batch.scripted_batch import ScriptedBatch, api_of

STORE = "3f2a9c0d"
MINE = FlowOfJobs(STORE, "BigSum")


def name_of(run="15", step="work", flow="BigSum", task="1"):
    return submission_name(STORE, flow, run, step, [JobId(task, 0)])


def batch_of(*jobs):
    """Serves jobs as (id, name, status), and further arrays with the counts of their states."""
    known = {
        job_id: {"jobId": job_id, "jobName": name, "status": status, "createdAt": 1000 * number,
                 **({"arrayProperties": {"size": sum(more[0].values()), "statusSummary": more[0]}}
                    if more else {})}
        for number, (job_id, name, status, *more) in enumerate(jobs)
    }  # fmt: skip

    def listed(request):
        assert request["jobQueue"] == "big"
        start = request["filters"][0]["values"][0].rstrip("*").lower()
        found = [job for job in known.values() if job["jobName"].lower().startswith(start)]
        at = int(request.get("nextToken", 0))
        page = [
            {**job, "arrayProperties": {"size": job["arrayProperties"]["size"]}}
            if "arrayProperties" in job
            else job
            for job in found[at : at + 100]
        ]
        rest = {"nextToken": str(at + 100)} if at + 100 < len(found) else {}
        return {"jobSummaryList": page, **rest}

    return ScriptedBatch(
        ListJobs=listed,
        DescribeJobs=lambda r: {"jobs": [known[job] for job in r["jobs"]]},
        TerminateJobs=lambda r: {"successful": r["jobs"], "errors": []},
    )


def test_only_unfinished_jobs_of_the_flow_are_listed_newest_first():
    batch = batch_of(
        ("a", name_of(), "RUNNING"),
        ("b", name_of(flow="bigsum"), "RUNNING"),
        ("c", name_of(flow="BigSum2"), "RUNNING"),
        ("d", name_of(task="2"), "SUCCEEDED"),
        ("e", name_of(run="16"), "PENDING"),
        ("f", "nightly", "RUNNING"),
    )
    found = unfinished_jobs(api_of(batch), ["big", "big"], MINE)
    assert [(job.engine_id, job.run, job.step) for job in found] == [
        ("e", "16", "work"),
        ("a", "15", "work"),
    ]


def test_jobs_of_one_run_are_listed():
    api = api_of(
        batch_of(
            ("a", name_of(), "RUNNING"),
            ("b", name_of(run="151"), "RUNNING"),
            ("c", name_of(task="2"), "RUNNING"),
        )
    )

    def ids(run):
        found = unfinished_jobs(api, ["big"], FlowOfJobs(STORE, "BigSum", run))
        return sorted(job.engine_id for job in found)

    assert ids("15") == ["a", "c"]
    assert ids("99") == []


def test_the_members_of_an_array_are_counted_by_state():
    counts = {"RUNNING": 40, "RUNNABLE": 60, "FAILED": 0}
    (job,) = unfinished_jobs(api_of(batch_of(("a", name_of(), "PENDING", counts))), ["big"], MINE)
    assert (job.count, dict(job.states)) == (100, {"RUNNING": 40, "RUNNABLE": 60})


def test_ten_thousand_jobs_of_other_flows_cost_no_call():
    others = [
        (f"x{number}", name_of(flow="Other", task=str(number)), "RUNNABLE")
        for number in range(10_000)
    ]
    mine = [
        (f"m{number}", name_of(task=str(number)), "RUNNABLE", *([{"RUNNABLE": 9}] * (number < 5)))
        for number in range(150)
    ]
    api = api_of(batch_of(*others, *mine))
    assert len(unfinished_jobs(api, ["big"], MINE)) == 150
    assert api.calls == {"ListJobs": 2, "DescribeJobs": 1}


def test_a_kill_ends_jobs_of_the_flow_and_no_others_whatever_it_is_given():
    batch = batch_of()
    mine = ListedJob("m", name_of(), "big", "RUNNING", "15", "work")
    other = ListedJob("x", name_of(flow="Other"), "big", "RUNNING", "15", "work")
    assert kill_jobs(api_of(batch), [mine, other], MINE, "ada") == []
    (request,) = batch.of("TerminateJobs")
    assert request == {"jobs": ["m"], "reason": "swell: killed by ada"}
