"""What can never run is refused before anything is submitted; what is doubtful is told."""

from __future__ import annotations

from collections.abc import Sequence

from swell.compute.batch.api_errors import QUEUE_REMEDY
from swell.compute.batch.defaults import BatchDefaults, completed, refuse_malformed
from swell.compute.batch.definitions import definition_body
from swell.compute.batch.platforms import Platform, refuse_what_it_cannot, size_on
from swell.compute.batch.records import Queue
from swell.compute.batch.sizes import Size, wastes_a_machine
from swell.compute.batch.submitting import share_problem
from swell.compute.batch.waiting import QueueFacts, Verdict, WaitCause, WaitingJob, why_it_waits
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan

# Of all causes of waiting, those that waiting does not cure.
_NEVER = {
    WaitCause.QUEUE_DISABLED,
    WaitCause.QUEUE_BROKEN,
    WaitCause.ENVIRONMENTS_DISABLED,
    WaitCause.ENVIRONMENT_BROKEN,
    WaitCause.ENVIRONMENT_TOO_SMALL,
    WaitCause.NO_INSTANCE_TYPE,
}


def queue_named(name: str | None, found: Sequence[Queue], region: str, step: str) -> Queue:
    """The queue of ``step`` among those ``found``. Raises ComputeError where there is none."""
    if not name:
        raise ComputeError(
            f"Step '{step}' goes to AWS Batch, but no job queue is named.",
            remedy="Set SWELL_BATCH_JOB_QUEUE, or say --with batch:queue=NAME.",
        )
    for queue in found:
        if name in (queue.job_queue_name, queue.job_queue_arn):
            return queue
    raise ComputeError(
        f"AWS Batch has no job queue '{name}' in the region {region}.", remedy=QUEUE_REMEDY
    )


def check_plan(
    plan: StepPlan, platform: Platform, facts: QueueFacts, defaults: BatchDefaults
) -> list[str]:
    """Warnings on ``plan``. Raises ComputeError for what could never run there."""
    options = completed(plan, defaults)
    refuse_malformed(plan.step, options)
    refuse_what_it_cannot(platform, plan)
    if platform.is_fargate and not options.execution_role:
        raise ComputeError(
            f"Step '{plan.step}' goes to Fargate, which needs a role to fetch images with.",
            remedy="Set SWELL_BATCH_EXECUTION_ROLE, or @batch(execution_role=…), to the ARN of "
            "a role with AmazonECSTaskExecutionRolePolicy.",
        )
    problem = share_problem(plan, platform)
    if problem is not None:
        raise problem
    definition_body(plan, platform, defaults, "")
    size = size_on(platform, plan)
    verdict = why_never(size, facts)
    if verdict is not None:
        raise ComputeError(f"Step '{plan.step}': {verdict.sentence}", remedy=verdict.remedy)
    return _warnings(plan, platform, options)


def why_never(size: Size, facts: QueueFacts) -> Verdict | None:
    """Why a job of ``size`` would wait for ever in that queue; None where it would not."""
    verdict = why_it_waits(WaitingJob("RUNNABLE", size, waited_s=0.0), facts)
    return verdict if verdict.cause in _NEVER else None


def _warnings(plan: StepPlan, platform: Platform, options: BatchOptions) -> list[str]:
    warnings = []
    better = wastes_a_machine(size_on(platform, plan).memory_mib)
    if better is not None and not platform.is_fargate and plan.resources.memory_mb:
        warnings.append(
            f"Step '{plan.step}' asks for {plan.resources.memory_mb:,} MB, a whole machine's "
            f"memory, of which some is kept back: ask for {better:,} to use the smaller machine."
        )
    if options.share and not platform.queue.has_shares:
        warnings.append(
            f"Step '{plan.step}' names the share '{options.share}', but the queue "
            f"'{platform.name}' has no fair shares: it is left out."
        )
    if platform.is_fargate and not options.iam_role:
        warnings.append(
            f"Step '{plan.step}' goes to Fargate without a role (SWELL_BATCH_IAM_ROLE): it may "
            "not be able to reach the object store."
        )
    return warnings
