"""Why a job does not run yet: a row for each cause that the evidence can show."""

import pytest

from swell.compute.batch.records import (
    CapacityUse,
    Consumable,
    Environment,
    Front,
    FrontJob,
    ShareUse,
    ShareUtilization,
    Snapshot,
    Utilization,
)
from swell.compute.batch.sizes import Size
from swell.compute.batch.waiting import (
    QueueFacts,
    WaitCause,
    WaitingJob,
    why_it_waits,
)
from tests.unit.compute.batch.platforms_at_hand import environment

SMALL = Size(1.0, 2000)
OWN = environment(most=64)
CLUSTER = OWN.ecs_cluster_arn


def job(reason="", *, status="RUNNABLE", size=SMALL, waited_s=60.0, **fields):
    return WaitingJob(status, size, waited_s, status_reason=reason, **fields)


def facts(*environments: Environment, **fields):
    return QueueFacts("big", environments=environments or (OWN,), **fields)


def snapshot(jobs=0, used=0.0, **fields):
    front = Front(tuple(FrontJob(f"arn:…:job/{number}") for number in range(jobs)))
    return Snapshot(front, Utilization((CapacityUse("VCPU", used),), **fields))


SHARES = ShareUtilization(3, (ShareUse("research", (CapacityUse("VCPU", 12.0),)),))

ROWS = [
    (job(status="SUBMITTED"), facts(), WaitCause.JUST_SUBMITTED, "not looked at it"),
    (job(status="PENDING"), facts(), WaitCause.DEPENDENCY, "other jobs"),
    (job(status="STARTING"), facts(), WaitCause.STARTING, "image is being fetched"),
    (job(status="STARTING", waited_s=600), facts(), WaitCause.SLOW_START, "10 min"),
    (job(), facts(state="DISABLED"), WaitCause.QUEUE_DISABLED, "'big' is disabled"),
    (job(), facts(status="INVALID", status_reason="x"), WaitCause.QUEUE_BROKEN, "INVALID: x"),
    (
        job("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - x", size=Size(65.0, 100)),
        facts(),
        WaitCause.ENVIRONMENT_TOO_SMALL,
        "64 vCPU at most",
    ),
    (job(size=Size(65.0, 100)), facts(), WaitCause.ENVIRONMENT_TOO_SMALL, "65 vCPU"),
    (
        job("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - x"),
        facts(),
        WaitCause.NO_INSTANCE_TYPE,
        "(m5)",
    ),
    (
        job(size=Size(2.0, 8192)),
        facts(environment(types=("m5.large",))),
        WaitCause.NO_INSTANCE_TYPE,
        "8,192 MB",
    ),
    (job(size=Size(1.0, 100, 1)), facts(), WaitCause.NO_INSTANCE_TYPE, "1 GPU"),
    (
        job("MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED - x"),
        facts(),
        WaitCause.UNSUPPORTED,
        "cannot be started",
    ),
    (
        job("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - x"),
        facts(environment(kind="SPOT")),
        WaitCause.NO_CAPACITY,
        "no machines of the kind",
    ),
    (
        job("MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - x"),
        facts(),
        WaitCause.SERVICE_ROLE,
        "service role",
    ),
    (
        job("ACTION_REQUIRED - CE(s) associated with the job queue are invalid"),
        facts(environment(status="INVALID", status_reason="no such subnet")),
        WaitCause.ENVIRONMENT_BROKEN,
        "no such subnet",
    ),
    (
        job(),
        facts(environment(status="INVALID", status_reason="no such subnet")),
        WaitCause.ENVIRONMENT_BROKEN,
        "INVALID",
    ),
    (
        job(),
        facts(environment(state="DISABLED")),
        WaitCause.ENVIRONMENTS_DISABLED,
        "are disabled: ce",
    ),
    (
        job(waited_s=400),
        facts(environment(desired=4), hosts={CLUSTER: 0}),
        WaitCause.HOSTS_DO_NOT_JOIN,
        "no machine has joined",
    ),
    (
        job(),
        facts(consumables=(Consumable("licences", 5, 5, 0),)),
        WaitCause.CONSUMABLE,
        "all 5 are in use",
    ),
    (
        job(rank=4, share="research"),
        facts(has_shares=True, snapshot=snapshot(5, 30.0, fairshare_utilization=SHARES)),
        WaitCause.FAIR_SHARE,
        "3 shares; 'research' uses 12 vCPU now, and it is 4th in line",
    ),
    (job(rank=12), facts(snapshot=snapshot(20, 64.0)), WaitCause.IN_LINE, "12th in line"),
    (job(rank=1), facts(snapshot=snapshot(1, 64.0)), WaitCause.QUEUE_FULL, "64 of 64 vCPU"),
    (
        job(),
        facts(snapshot=snapshot(100, 10.0)),
        WaitCause.IN_LINE,
        "More than a hundred",
    ),
    (job(rank=1), facts(snapshot=snapshot(1, 0.0)), WaitCause.MACHINE_COMING, "being started"),
    (
        job(rank=1, waited_s=900),
        facts(environment(kind="FARGATE", types=())),
        WaitCause.QUOTA,
        "6 vCPU",
    ),
    (
        job("UNDETERMINED - Batch job is blocked, root cause is undetermined.", waited_s=900),
        facts(),
        WaitCause.UNDETERMINED,
        "root cause is undetermined",
    ),
    (job(waited_s=900, rank=1), facts(), WaitCause.UNDETERMINED, "15 min"),
]


@pytest.mark.parametrize(("job", "facts", "cause", "part"), ROWS)
def test_the_evidence_shows_why(job, facts, cause, part):
    verdict = why_it_waits(job, facts)
    assert verdict.cause is cause
    assert part in verdict.sentence
    assert ".." not in verdict.sentence


def test_every_cause_has_a_row():
    assert {cause for _, _, cause, _ in ROWS} == set(WaitCause)


NOTHING_WRONG = {
    WaitCause.JUST_SUBMITTED,
    WaitCause.DEPENDENCY,
    WaitCause.STARTING,
    WaitCause.IN_LINE,
    WaitCause.MACHINE_COMING,
    WaitCause.FAIR_SHARE,
}


@pytest.mark.parametrize(("job", "facts", "cause", "part"), ROWS)
def test_there_is_a_remedy_unless_nothing_is_wrong(job, facts, cause, part):
    assert bool(why_it_waits(job, facts).remedy) == (cause not in NOTHING_WRONG)


def test_one_environment_that_is_whole_is_enough():
    broken = environment("other", status="INVALID")
    verdict = why_it_waits(job(), facts(broken, OWN))
    assert verdict.cause is WaitCause.MACHINE_COMING


def test_instance_types_that_the_table_lacks_are_not_blamed():
    verdict = why_it_waits(job(size=Size(1.0, 900_000)), facts(environment(types=("z99",))))
    assert verdict.cause is WaitCause.MACHINE_COMING


def test_machines_that_joined_are_not_blamed():
    verdict = why_it_waits(
        job(waited_s=400, rank=2), facts(environment(desired=4), hosts={CLUSTER: 1})
    )
    assert verdict.cause is WaitCause.IN_LINE


def test_what_may_not_be_looked_at_is_named_where_nothing_else_explains():
    verdict = why_it_waits(
        job(waited_s=900), facts(denied=("batch:GetJobQueueSnapshot", "ecs:DescribeClusters"))
    )
    assert "batch:GetJobQueueSnapshot, ecs:DescribeClusters" in verdict.remedy
