"""Queues, compute environments and scheduling policies: made, changed, described, removed."""

from __future__ import annotations

from swell.sandbox.batch.definitions import check_tags
from swell.sandbox.batch.entities import Document, Environment, Policy, Queue
from swell.sandbox.batch.instances import InstanceType, expand
from swell.sandbox.batch.names import Names, checked_name, last_part
from swell.sandbox.batch.paging import page
from swell.sandbox.batch.refusal import Refused, not_in_the_sandbox

MOST_QUEUES = MOST_ENVIRONMENTS = 50
MOST_ENVIRONMENTS_OF_A_QUEUE = 3
SHORTEST_STATE_LIMIT_S, LONGEST_STATE_LIMIT_S = 600, 86_400
CANCELLABLE_REASONS = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED",
)
_KINDS = ("EC2", "SPOT", "FARGATE", "FARGATE_SPOT")


class Resources:
    """What an administrator sets up before jobs can come."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.environments: dict[str, Environment] = {}
        self.queues: dict[str, Queue] = {}
        self.policies: dict[str, Policy] = {}

    # --- compute environments ----------------------------------------------

    def create_environment(self, request: Document) -> Document:
        """CreateComputeEnvironment, managed ones only."""
        name = checked_name(request["computeEnvironmentName"], "computeEnvironmentName")
        if name in self.environments:
            raise Refused(f"Object already exists: compute environment {name}.")
        if len(self.environments) >= MOST_ENVIRONMENTS:
            raise Refused(f"At most {MOST_ENVIRONMENTS} compute environments.")
        if request["type"] != "MANAGED" or "eksConfiguration" in request:
            raise not_in_the_sandbox("An unmanaged or EKS compute environment")
        resources = request.get("computeResources")
        if resources is None:
            raise Refused("A managed compute environment needs computeResources.")
        kind = resources["type"]
        if kind not in _KINDS:
            raise not_in_the_sandbox(f"A compute environment of type {kind}")
        check_tags(request.get("tags") or {})
        types: tuple[InstanceType, ...] = ()
        if kind in ("EC2", "SPOT"):
            types = expand(resources.get("instanceTypes") or ())
            if not types:
                raise Refused(
                    f"instanceTypes {resources.get('instanceTypes')} hold no type known here."
                )
        elif resources.get("instanceTypes") or resources.get("minvCpus") is not None:
            raise Refused("instanceTypes and minvCpus are not applicable for Fargate.")
        low, high = resources.get("minvCpus", 0), resources["maxvCpus"]
        if not 0 <= low <= high:
            raise Refused(f"minvCpus {low} and maxvCpus {high} are no range.")
        environment = Environment(
            name=name,
            arn=self._names.arn("compute-environment", name),
            state=request.get("state", "ENABLED"),
            document=request,
            kind=kind,
            min_vcpus=low,
            max_vcpus=high,
            types=types,
            uuid=self._names.uuid(),
        )
        self.environments[name] = environment
        return {"computeEnvironmentName": name, "computeEnvironmentArn": environment.arn}

    def update_environment(self, request: Document) -> Document:
        """UpdateComputeEnvironment: state and vCPUs."""
        environment = self.environment(request["computeEnvironment"])
        environment.state = request.get("state", environment.state)
        given = request.get("computeResources") or {}
        low = given.get("minvCpus", environment.min_vcpus)
        high = given.get("maxvCpus", environment.max_vcpus)
        if not 0 <= low <= high:
            raise Refused(f"minvCpus {low} and maxvCpus {high} are no range.")
        environment.min_vcpus, environment.max_vcpus = low, high
        if "instanceTypes" in given:
            environment.types = expand(given["instanceTypes"])
        environment.document = {
            **environment.document,
            "computeResources": {**environment.document["computeResources"], **given},
        }
        return {
            "computeEnvironmentName": environment.name,
            "computeEnvironmentArn": environment.arn,
        }

    def delete_environment(self, request: Document) -> Document:
        """DeleteComputeEnvironment: only DISABLED, and in no queue."""
        environment = self.environment(request["computeEnvironment"])
        if environment.state != "DISABLED":
            raise Refused("Cannot delete, resource must be DISABLED.")
        if any(environment in queue.order for queue in self.queues.values()):
            raise Refused("Cannot delete, found existing JobQueue relationship.")
        del self.environments[environment.name]
        return {}

    def environment(self, wanted: str) -> Environment:
        """The environment of a name or ARN."""
        found = self.environments.get(last_part(wanted, "compute-environment"))
        if found is None:
            raise Refused(f"Compute environment {wanted} does not exist.")
        return found

    def describe_environments(self, request: Document) -> Document:
        """DescribeComputeEnvironments; names that are unknown are left out."""
        wanted = request.get("computeEnvironments")
        names = None if wanted is None else [last_part(n, "compute-environment") for n in wanted]
        hits = [
            _shown_environment(one, self._names)
            for one in self.environments.values()
            if names is None or one.name in names
        ]
        return page("computeEnvironments", hits, request, most=100)

    # --- queues --------------------------------------------------------------

    def create_queue(self, request: Document) -> Document:
        """CreateJobQueue over existing compute environments."""
        name = checked_name(request["jobQueueName"], "jobQueueName")
        if name in self.queues:
            raise Refused(f"Object already exists: job queue {name}.")
        if len(self.queues) >= MOST_QUEUES:
            raise Refused(f"At most {MOST_QUEUES} job queues.")
        if "serviceEnvironmentOrder" in request:
            raise not_in_the_sandbox("A queue of service environments")
        _check_limits(request.get("jobStateTimeLimitActions") or ())
        check_tags(request.get("tags") or {})
        queue = Queue(
            name=name,
            arn=self._names.arn("job-queue", name),
            state=request.get("state", "ENABLED"),
            priority=request["priority"],
            order=self._order(request.get("computeEnvironmentOrder") or ()),
            policy=self._policy(request.get("schedulingPolicyArn")),
            document=request,
        )
        self.queues[name] = queue
        return {"jobQueueName": name, "jobQueueArn": queue.arn}

    def update_queue(self, request: Document) -> Document:
        """UpdateJobQueue."""
        queue = self.queue(request["jobQueue"])
        if "computeEnvironmentOrder" in request:
            queue.order = self._order(request["computeEnvironmentOrder"])
        if "schedulingPolicyArn" in request:
            if queue.policy is None:
                raise Refused("A queue without a scheduling policy cannot be given one.")
            queue.policy = self._policy(request["schedulingPolicyArn"])
        if "jobStateTimeLimitActions" in request:
            actions = request["jobStateTimeLimitActions"]
            _check_limits(actions)
            queue.document = {**queue.document, "jobStateTimeLimitActions": actions}
        queue.priority = request.get("priority", queue.priority)
        queue.state = request.get("state", queue.state)
        return {"jobQueueName": queue.name, "jobQueueArn": queue.arn}

    def delete_queue(self, request: Document) -> Document:
        """DeleteJobQueue: only DISABLED. Its jobs must have ended."""
        queue = self.queue(request["jobQueue"])
        if queue.state != "DISABLED":
            raise Refused("Cannot delete, resource must be DISABLED.")
        if any(not job.is_over for job in queue.jobs.values()):
            raise Refused("Cannot delete, the queue has jobs: terminate them first.")
        del self.queues[queue.name]
        return {}

    def queue(self, wanted: str) -> Queue:
        """The queue of a name or ARN."""
        found = self.queues.get(last_part(wanted, "job-queue"))
        if found is None:
            raise Refused(f"Job queue {wanted} does not exist.")
        return found

    def describe_queues(self, request: Document) -> Document:
        """DescribeJobQueues; names that are unknown are left out."""
        wanted = request.get("jobQueues")
        names = None if wanted is None else [last_part(name, "job-queue") for name in wanted]
        hits = [
            _shown_queue(one) for one in self.queues.values() if names is None or one.name in names
        ]
        return page("jobQueues", hits, request, most=100)

    def _order(self, entries: list[Document] | tuple[()]) -> list[Environment]:
        if not 1 <= len(entries) <= MOST_ENVIRONMENTS_OF_A_QUEUE:
            raise Refused(
                f"A job queue has 1 to {MOST_ENVIRONMENTS_OF_A_QUEUE} compute environments, "
                f"got {len(entries)}."
            )
        ordered = sorted(entries, key=lambda entry: int(entry["order"]))
        found = [self.environment(entry["computeEnvironment"]) for entry in ordered]
        if len({one.is_fargate for one in found}) > 1:
            raise Refused("A job queue cannot mix Fargate and EC2 compute environments.")
        if len({one.architecture for one in found if one.architecture}) > 1:
            raise Refused("A job queue cannot mix processor architectures.")
        return found

    # --- scheduling policies -------------------------------------------------

    def create_policy(self, request: Document) -> Document:
        """CreateSchedulingPolicy, fair share."""
        name = checked_name(request["name"], "name")
        if "quotaSharePolicy" in request:
            raise not_in_the_sandbox("quotaSharePolicy")
        _check_fair_share(request.get("fairsharePolicy") or {})
        arn = self._names.arn("scheduling-policy", name)
        if arn in self.policies:
            raise Refused(f"Object already exists: scheduling policy {name}.")
        self.policies[arn] = Policy(name, arn, request)
        return {"name": name, "arn": arn}

    def update_policy(self, request: Document) -> Document:
        """UpdateSchedulingPolicy."""
        policy = self._policy(request["arn"])
        if policy is not None and "fairsharePolicy" in request:
            _check_fair_share(request["fairsharePolicy"])
            policy.document = {**policy.document, "fairsharePolicy": request["fairsharePolicy"]}
        return {}

    def delete_policy(self, request: Document) -> Document:
        """DeleteSchedulingPolicy: no queue may use it."""
        policy = self._policy(request["arn"])
        if any(queue.policy is policy for queue in self.queues.values()):
            raise Refused("Cannot delete, a job queue uses this scheduling policy.")
        del self.policies[request["arn"]]
        return {}

    def describe_policies(self, request: Document) -> Document:
        """DescribeSchedulingPolicies; unknown ARNs are left out."""
        found = [self.policies[arn] for arn in request["arns"] if arn in self.policies]
        return {"schedulingPolicies": [_shown_policy(policy) for policy in found]}

    def list_policies(self, request: Document) -> Document:
        """ListSchedulingPolicies."""
        hits: list[Document] = [{"arn": arn} for arn in self.policies]
        return page("schedulingPolicies", hits, request, most=100)

    def _policy(self, arn: str | None) -> Policy | None:
        if not arn:
            return None
        if arn not in self.policies:
            raise Refused(f"Scheduling policy {arn} does not exist.")
        return self.policies[arn]


def _check_limits(actions: list[Document] | tuple[()]) -> None:
    for entry in actions:
        if entry["action"] != "CANCEL":
            raise Refused("The action of jobStateTimeLimitActions must be CANCEL.")
        if entry["reason"] not in CANCELLABLE_REASONS:
            raise Refused(f"jobStateTimeLimitActions know no reason {entry['reason']}.")
        if not SHORTEST_STATE_LIMIT_S <= entry["maxTimeSeconds"] <= LONGEST_STATE_LIMIT_S:
            raise Refused(
                f"maxTimeSeconds must be between {SHORTEST_STATE_LIMIT_S} and "
                f"{LONGEST_STATE_LIMIT_S}."
            )


def _check_fair_share(policy: Document) -> None:
    seconds = policy.get("shareDecaySeconds", 0)
    if seconds and not 600 <= seconds <= 604_800:
        raise Refused("shareDecaySeconds must be between 600 and 604800.")
    if not 0 <= policy.get("computeReservation", 0) <= 99:
        raise Refused("computeReservation must be between 0 and 99.")
    for entry in policy.get("shareDistribution") or ():
        if not 0.0001 <= entry.get("weightFactor", 1.0) <= 999.9999:
            raise Refused("weightFactor must be between 0.0001 and 999.9999.")


def _shown_environment(environment: Environment, names: Names) -> Document:
    given = environment.document
    resources = {**given["computeResources"], "maxvCpus": environment.max_vcpus}
    if not environment.is_fargate:
        hosts = environment.hosts.values()
        resources["minvCpus"] = environment.min_vcpus
        resources["desiredvCpus"] = sum(host.kind.vcpus for host in hosts if host.kind)
    return {
        "computeEnvironmentName": environment.name,
        "computeEnvironmentArn": environment.arn,
        "ecsClusterArn": (
            f"{names.prefix('ecs')}cluster/AWSBatch-{environment.name}-{environment.uuid}"
        ),
        "tags": given.get("tags") or {},
        "type": "MANAGED",
        "state": environment.state,
        "status": environment.status,
        "statusReason": environment.status_reason,
        "computeResources": resources,
        "serviceRole": given.get("serviceRole") or "",
        "containerOrchestrationType": "ECS",
        "uuid": environment.uuid,
    }


def _shown_queue(queue: Queue) -> Document:
    shown: Document = {
        "jobQueueName": queue.name,
        "jobQueueArn": queue.arn,
        "state": queue.state,
        "status": "VALID",
        "statusReason": "JobQueue Healthy",
        "priority": queue.priority,
        "computeEnvironmentOrder": [
            {"order": place, "computeEnvironment": environment.arn}
            for place, environment in enumerate(queue.order, 1)
        ],
        "tags": queue.document.get("tags") or {},
        "jobStateTimeLimitActions": queue.document.get("jobStateTimeLimitActions") or [],
        "jobQueueType": "ECS_FARGATE" if queue.order[0].is_fargate else "ECS",
    }
    if queue.policy is not None:
        shown["schedulingPolicyArn"] = queue.policy.arn
    return shown


def _shown_policy(policy: Policy) -> Document:
    return {
        "name": policy.name,
        "arn": policy.arn,
        "fairsharePolicy": policy.document.get("fairsharePolicy") or {},
        "tags": policy.document.get("tags") or {},
    }
