"""Why a job does not run yet: from what is known of it and of its queue to a sentence.

Batch writes a reason only into the job at the head of a queue that is blocked; for all
others the cause is inferred. Rules stand in the order in which they are looked at.
https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from swell.compute.batch.instance_types import fits, machines_of
from swell.compute.batch.records import Consumable, Environment, Snapshot
from swell.compute.batch.sizes import Size

SLOW_S = 300
"""Seconds after which a machine should have come, and a container should have started."""


class WaitCause(enum.Enum):
    """Why a job waits."""

    JUST_SUBMITTED = "just submitted"
    """Batch has not looked at it yet."""
    DEPENDENCY = "dependency"
    """It waits for other jobs."""
    QUEUE_DISABLED = "queue disabled"
    """The queue starts nothing."""
    QUEUE_BROKEN = "queue broken"
    """The queue is not valid."""
    ENVIRONMENTS_DISABLED = "environments disabled"
    """No compute environment of the queue may start anything."""
    ENVIRONMENT_BROKEN = "environment broken"
    """A compute environment is invalid."""
    ENVIRONMENT_TOO_SMALL = "environment too small"
    """It asks for more vCPUs than any compute environment may have in all."""
    NO_INSTANCE_TYPE = "no instance type"
    """None of the instance types is large enough."""
    UNSUPPORTED = "unsupported"
    """The instance types cannot be started as configured."""
    NO_CAPACITY = "no capacity"
    """Amazon has no machines of the kind at the moment."""
    SERVICE_ROLE = "service role"
    """Batch's own role lacks rights."""
    HOSTS_DO_NOT_JOIN = "hosts do not join"
    """Machines start but never become part of the cluster."""
    CONSUMABLE = "consumable resource"
    """It needs units of a resource that others hold."""
    FAIR_SHARE = "fair share"
    """Other shares come first."""
    IN_LINE = "in line"
    """Others are before it; nothing is wrong."""
    QUEUE_FULL = "queue full"
    """It is the next, when a job ends."""
    MACHINE_COMING = "machine coming"
    """A machine is being started."""
    QUOTA = "quota"
    """The account may be at its limit of Fargate vCPUs."""
    STARTING = "starting"
    """Its container is being started."""
    SLOW_START = "slow start"
    """Its container should have started by now."""
    UNDETERMINED = "undetermined"
    """Nothing that can be seen says why."""


class WaitingJob(msgspec.Struct, frozen=True):
    """A job that waits: its state, Batch's own words, what it asks, for how long it stays so.

    ``rank`` counts from 1 among the jobs that wait for a machine, None where it is not
    among the first hundred or the queue could not be seen.
    """

    status: str
    size: Size
    waited_s: float
    status_reason: str = ""
    rank: int | None = None
    share: str = ""


class QueueFacts(msgspec.Struct, frozen=True):
    """What could be learned of a queue. None: not allowed, or not known.

    ``hosts`` counts machines that joined, by ECS cluster. ``denied`` lists the rights that
    would have told more.
    """

    name: str
    state: str = "ENABLED"
    status: str = "VALID"
    status_reason: str = ""
    has_shares: bool = False
    environments: tuple[Environment, ...] = ()
    snapshot: Snapshot | None = None
    hosts: Mapping[str, int] | None = None
    consumables: tuple[Consumable, ...] = ()
    denied: tuple[str, ...] = ()

    @property
    def usable(self) -> tuple[Environment, ...]:
        """The compute environments that may start machines."""
        return tuple(e for e in self.environments if e.state == "ENABLED" and e.status == "VALID")


class Verdict(msgspec.Struct, frozen=True):
    """Why it waits: the cause, a sentence, what to do (empty: wait)."""

    cause: WaitCause
    sentence: str
    remedy: str = ""


def why_it_waits(job: WaitingJob, facts: QueueFacts) -> Verdict:
    """The most telling explanation that the evidence supports."""
    if job.status == "SUBMITTED":
        return Verdict(WaitCause.JUST_SUBMITTED, "AWS Batch has not looked at it yet.")
    if job.status == "PENDING":
        return Verdict(WaitCause.DEPENDENCY, "It waits for other jobs that it depends on.")
    if job.status == "STARTING":
        return _starting(job)
    verdict = (
        _of_queue(facts)
        or _of_own_words(job, facts)
        or _of_environments(facts)
        or _of_size(job, facts)
        or _of_consumables(facts)
        or _of_hosts(job, facts)
        or _of_turn(job, facts)
        or _of_quota(job, facts)
    )
    return verdict or _undetermined(job, facts)


def _starting(job: WaitingJob) -> Verdict:
    if job.waited_s < SLOW_S:
        return Verdict(WaitCause.STARTING, "A machine was found; the image is being fetched.")
    return Verdict(
        WaitCause.SLOW_START,
        f"A machine was found, but its container has not started for {_minutes(job.waited_s)}.",
        "A very large image, a full disk, no address left in the subnet, or too little memory "
        "for the image: look at the machine in the ECS console.",
    )


def _of_queue(facts: QueueFacts) -> Verdict | None:
    if facts.state == "DISABLED":
        return Verdict(
            WaitCause.QUEUE_DISABLED,
            f"The queue '{facts.name}' is disabled.",
            f"Enable it: aws batch update-job-queue --job-queue {facts.name} --state ENABLED; "
            "or use another.",
        )
    if facts.status in ("INVALID", "DELETING", "DELETED"):
        return Verdict(
            WaitCause.QUEUE_BROKEN,
            f"The queue '{facts.name}' is {facts.status}{_because(facts.status_reason)}.",
            "Mend it, or use another queue.",
        )
    return None


def _of_own_words(job: WaitingJob, facts: QueueFacts) -> Verdict | None:
    words = job.status_reason.rstrip(". ")
    types = _types(facts)
    if "COMPUTE_ENVIRONMENT_MAX_RESOURCE" in words:
        return _too_small(job, facts)
    if "JOB_RESOURCE_REQUIREMENT" in words:
        return _no_type(job, facts)
    if "INSTANCE_CONFIGURATION_UNSUPPORTED" in words:
        return Verdict(
            WaitCause.UNSUPPORTED,
            f"The compute environment's instance types ({types}) cannot be started as configured: "
            f"{words}.",
            "Look at its image (AMI), its instance types and its launch template.",
        )
    if words.startswith("CAPACITY:"):
        spot = any(_kind(environment) == "SPOT" for environment in facts.usable)
        return Verdict(
            WaitCause.NO_CAPACITY,
            f"Amazon has no machines of the kind at the moment ({types}): {words}.",
            "Wait; or give the compute environment more instance types"
            + (", or a queue that is not spot only." if spot else "."),
        )
    if "SERVICE_ROLE_PERMISSIONS" in words:
        return Verdict(
            WaitCause.SERVICE_ROLE,
            f"The service role of AWS Batch lacks rights: {words}.",
            "Give it AWSBatchServiceRole, or use the role that Batch makes by itself.",
        )
    if words.startswith("ACTION_REQUIRED"):
        return _broken(facts) or Verdict(
            WaitCause.ENVIRONMENT_BROKEN,
            f"A compute environment needs to be mended: {words}.",
            "Look at it in the console of AWS Batch.",
        )
    return None


def _of_environments(facts: QueueFacts) -> Verdict | None:
    if not facts.environments or facts.usable:
        return None
    broken = _broken(facts)
    if broken is not None:
        return broken
    names = ", ".join(environment.compute_environment_name for environment in facts.environments)
    return Verdict(
        WaitCause.ENVIRONMENTS_DISABLED,
        f"All compute environments of the queue '{facts.name}' are disabled: {names}.",
        "Enable one: aws batch update-compute-environment --compute-environment NAME "
        "--state ENABLED.",
    )


def _of_size(job: WaitingJob, facts: QueueFacts) -> Verdict | None:
    limits = [e.compute_resources.maximum_vcpus for e in facts.usable if e.compute_resources]
    if limits and job.size.vcpus > max(limits):
        return _too_small(job, facts)
    machines = [
        machines_of(e.compute_resources.instance_types)
        for e in facts.usable
        if e.compute_resources and not _kind(e).startswith("FARGATE")
    ]
    known = [machine for some in machines if some is not None for machine in some]
    all_known = len(machines) == len(facts.usable) and None not in machines
    if machines and all_known and not any(fits(job.size, machine) for machine in known):
        return _no_type(job, facts)
    return None


def _of_consumables(facts: QueueFacts) -> Verdict | None:
    for resource in facts.consumables:
        if resource.available_quantity <= 0:
            return Verdict(
                WaitCause.CONSUMABLE,
                f"It needs a unit of '{resource.consumable_resource_name}', and all "
                f"{resource.total_quantity} are in use.",
                "Wait, or raise its quantity: aws batch update-consumable-resource.",
            )
    return None


def _of_hosts(job: WaitingJob, facts: QueueFacts) -> Verdict | None:
    if facts.hosts is None or job.waited_s < SLOW_S:
        return None
    for environment in facts.usable:
        resources = environment.compute_resources
        hosts = facts.hosts.get(environment.ecs_cluster_arn)
        if resources is not None and resources.desired_vcpus > 0 and hosts == 0:
            return Verdict(
                WaitCause.HOSTS_DO_NOT_JOIN,
                f"'{environment.compute_environment_name}' wants {resources.desired_vcpus} vCPU, "
                f"but for {_minutes(job.waited_s)} no machine has joined its cluster.",
                "Its subnets need a way to the internet (public address, NAT gateway or VPC "
                "endpoints), its instanceRole AmazonEC2ContainerServiceforEC2Role, and its image "
                "the ECS agent.",
            )
    return None


def _of_turn(job: WaitingJob, facts: QueueFacts) -> Verdict | None:
    used, limit = _vcpus_in_use(facts), _vcpu_limit(facts)
    full = used is not None and limit > 0 and used + job.size.vcpus > limit
    use = f"{used:g} of {limit} vCPU are in use" if used is not None else ""
    ahead = _share_ahead(job, facts)
    if ahead is not None and (job.rank is None or job.rank > 1):
        return ahead
    if job.rank is not None and job.rank > 1:
        place = f"It is {_ordinal(job.rank)} in line"
        return Verdict(WaitCause.IN_LINE, f"{place}{f', {use}' if use else ''}: nothing is wrong.")
    if full:
        return Verdict(
            WaitCause.QUEUE_FULL,
            f"The queue is full: {use}. It starts when others have ended; nothing is wrong.",
            "To run more at once, raise maxvCpus of the compute environment.",
        )
    if job.rank is None and facts.snapshot is not None and _is_long(facts.snapshot):
        return Verdict(WaitCause.IN_LINE, "More than a hundred jobs are before it in line.")
    if not job.status_reason and job.waited_s < SLOW_S:
        return Verdict(
            WaitCause.MACHINE_COMING,
            "A machine is being started for it; that takes some minutes.",
        )
    return None


def _share_ahead(job: WaitingJob, facts: QueueFacts) -> Verdict | None:
    utilization = facts.snapshot.queue_utilization if facts.snapshot else None
    shares = utilization.fairshare_utilization if utilization else None
    if not facts.has_shares or shares is None or shares.active_share_count < 2:
        return None
    own = [
        share for share in shares.top_capacity_utilization if share.share_identifier == job.share
    ]
    used = sum(use.quantity for share in own for use in share.capacity_usage)
    place = f", and it is {_ordinal(job.rank)} in line" if job.rank is not None else ""
    return Verdict(
        WaitCause.FAIR_SHARE,
        f"The queue goes round {shares.active_share_count} shares; '{job.share}' uses "
        f"{used:g} vCPU now{place}. Nothing is wrong.",
    )


def _of_quota(job: WaitingJob, facts: QueueFacts) -> Verdict | None:
    kinds = {_kind(environment) for environment in facts.usable}
    if not kinds or not all(kind.startswith("FARGATE") for kind in kinds):
        return None
    return Verdict(
        WaitCause.QUOTA,
        f"Fargate has not started it for {_minutes(job.waited_s)}; new accounts have a limit of "
        "6 vCPU.",
        "Ask for more 'Fargate On-Demand vCPU resource count' in Service Quotas of the region.",
    )


def _undetermined(job: WaitingJob, facts: QueueFacts) -> Verdict:
    said = f"AWS Batch says: {job.status_reason.rstrip('. ')}." if job.status_reason else (
        f"It has waited for {_minutes(job.waited_s)}, and nothing that can be seen says why."
    )  # fmt: skip
    if facts.denied:
        rights = ", ".join(facts.denied)
        return Verdict(WaitCause.UNDETERMINED, said, f"More could be seen with: {rights}.")
    return Verdict(
        WaitCause.UNDETERMINED, said, "Look at the compute environment in the AWS Batch console."
    )


def _too_small(job: WaitingJob, facts: QueueFacts) -> Verdict:
    return Verdict(
        WaitCause.ENVIRONMENT_TOO_SMALL,
        f"It asks for {job.size}; the compute environments of '{facts.name}' may have "
        f"{_vcpu_limit(facts)} vCPU at most.",
        "Ask for less, or raise maxvCpus of the compute environment.",
    )


def _no_type(job: WaitingJob, facts: QueueFacts) -> Verdict:
    return Verdict(
        WaitCause.NO_INSTANCE_TYPE,
        f"It asks for {job.size}; none of the instance types of '{facts.name}' "
        f"({_types(facts)}) has so much for a job, since each keeps some memory back.",
        "Ask for less (95 % of a machine's memory fits), or use a queue with larger machines.",
    )


def _broken(facts: QueueFacts) -> Verdict | None:
    for environment in facts.environments:
        if environment.status == "INVALID":
            return Verdict(
                WaitCause.ENVIRONMENT_BROKEN,
                f"The compute environment '{environment.compute_environment_name}' is INVALID"
                f"{_because(environment.status_reason)}.",
                "Mend what its reason names, then disable and enable it.",
            )
    return None


def _types(facts: QueueFacts) -> str:
    names = [
        name
        for environment in facts.environments
        if environment.compute_resources
        for name in environment.compute_resources.instance_types
    ]
    return ", ".join(dict.fromkeys(names)) or "not known"


def _vcpus_in_use(facts: QueueFacts) -> float | None:
    utilization = facts.snapshot.queue_utilization if facts.snapshot else None
    if utilization is None:
        return None
    return sum(use.quantity for use in utilization.total_capacity_usage if use.capacity_unit in
               ("", "VCPU", "vCPU"))  # fmt: skip


def _vcpu_limit(facts: QueueFacts) -> int:
    return sum(e.compute_resources.maximum_vcpus for e in facts.usable if e.compute_resources)


def _is_long(snapshot: Snapshot) -> bool:
    return len(snapshot.front_of_queue.jobs) >= 100


def _kind(environment: Environment) -> str:
    resources = environment.compute_resources
    return "EC2" if resources is None else resources.type


def _because(reason: str) -> str:
    return f": {reason.rstrip('.')}" if reason else ""


def _minutes(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def _ordinal(number: int) -> str:
    ending = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"
