"""Which waiting job gets which host, and why the first one in line does not."""

from __future__ import annotations

from functools import partial

from swell.sandbox.batch.entities import FAILED, RUNNABLE, Environment, Job, Queue
from swell.sandbox.batch.instances import Need
from swell.sandbox.batch.life import Life, parts
from swell.sandbox.batch.world import World

INVALID = "ACTION_REQUIRED - CE(s) associated with the job queue are invalid."
SERVICE_ROLE = (
    "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - Batch service role has a permission issue."
)
MAX_RESOURCE = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue "
    "cannot meet the CPU requirement of the job."
)
REQUIREMENT = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) "
    "is higher than that can be met by the CE(s) attached to the job queue."
)
UNSUPPORTED = (
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED - The instance configuration is not "
    "supported."
)
NO_CAPACITY = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for "
    "instance type [{}]"
)
UNDETERMINED = "UNDETERMINED - Batch job is blocked, root cause is undetermined."
CANCELLED_BY_LIMIT = "Canceled by JobStateTimeLimit action due to reason: {}"


class Placing:
    """Serves the queues, the one with the highest priority first."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life
        self._is_shrinking = False

    def dispatch(self) -> None:
        """Place what can be placed, ask for the instances that are missing."""
        world = self._world
        world.is_dispatch_due = False
        for queue in sorted(world.resources.queues.values(), key=lambda one: -one.priority):
            self._serve(queue)
        for environment in world.resources.environments.values():
            self._keep_minimum(environment)

    def _serve(self, queue: Queue) -> None:
        line = self._world.line(queue)
        while queue.state == "ENABLED":
            job = line.head(queue.policy)
            if job is None:
                break
            if not self._place(queue, job):
                self._grow(queue, job)
                self._note_head(queue, job)
                return
            queue.moved_at = self._world.now
        queue.head = None

    def _place(self, queue: Queue, job: Job) -> bool:
        world = self._world
        needs = [part.container.need for part in parts(job)]
        for environment in queue.order:
            if world.capacity.is_usable(environment):
                everywhere = world.resources.environments
                hosts = world.capacity.place(environment, needs, everywhere, world.now)
                if hosts:
                    self._life.placed(job, environment, hosts)
                    return True
        return False

    def _grow(self, queue: Queue, job: Job) -> None:
        world = self._world
        line = world.line(queue)
        needs = [part.container.need for part in parts(job)]
        vcpus, memory = line.vcpus, line.memory_mib
        for environment in queue.order:
            if environment.is_fargate or not world.capacity.is_usable(environment):
                continue
            hosts = world.capacity.start_hosts(
                environment,
                needs,
                Need(vcpus, memory),
                world.resources.environments,
                world.now,
            )
            for host in hosts:
                self._watch(host.ready_at)
            coming = [host for host in environment.hosts.values() if host.ready_at > world.now]
            vcpus -= sum(host.free_vcpus for host in coming)
            memory -= sum(host.free_mib for host in coming)
            if vcpus <= 0 and memory <= 0:
                return

    def _keep_minimum(self, environment: Environment) -> None:
        world = self._world
        while environment.used_vcpus < environment.min_vcpus and environment.types:
            host = world.capacity.start(environment, environment.types[0], world.now)
            self._watch(host.ready_at)

    def _watch(self, time: float) -> None:
        self._world.agenda.at(time, self._mark_due)
        self._plan_shrinking()

    def _mark_due(self) -> None:
        self._world.is_dispatch_due = True

    def _plan_shrinking(self) -> None:
        world = self._world
        if not self._is_shrinking:
            self._is_shrinking = True
            world.agenda.at(world.now + world.settings.scale_down_s, self._shrink)

    def _shrink(self) -> None:
        world = self._world
        self._is_shrinking = False
        for environment in world.resources.environments.values():
            for host in world.capacity.idle(environment, world.now):
                world.capacity.remove(host)
            if not environment.is_fargate and environment.used_vcpus > environment.min_vcpus:
                self._plan_shrinking()

    # --- the head of the line ------------------------------------------------

    def _note_head(self, queue: Queue, job: Job) -> None:
        world = self._world
        if queue.head is not job:
            queue.head, queue.head_since, queue.head_reason = job, world.now, None
            when = world.now + world.settings.blocked_after_s
            world.agenda.at(when, partial(self._explain, queue, job))
        elif world.now - queue.head_since >= world.settings.blocked_after_s:
            self._explain(queue, job)

    def _explain(self, queue: Queue, job: Job) -> None:
        if queue.head is not job or job.status != RUNNABLE:
            return
        reason = why_blocked(queue, job, self._world)
        job.status_reason = reason
        if reason == queue.head_reason:
            return
        queue.head_reason = reason
        scale = self._world.settings.limit_scale
        for entry in queue.document.get("jobStateTimeLimitActions") or ():
            if reason is not None and reason.startswith(entry["reason"]):
                when = self._world.now + entry["maxTimeSeconds"] * scale
                act = partial(self._cancel_stuck, queue, job, reason, entry["reason"])
                self._world.agenda.at(when, act)

    def _cancel_stuck(self, queue: Queue, job: Job, reason: str, named: str) -> None:
        if queue.head is job and queue.head_reason == reason and job.status == RUNNABLE:
            job.is_cancelled = True
            self._life.finish(job, FAILED, CANCELLED_BY_LIMIT.format(named))


def why_blocked(queue: Queue, job: Job, world: World) -> str | None:
    """The statusReason that the head of a queue is given; None: it waits for its turn."""
    needs = [part.container.need for part in parts(job)]
    vcpus = sum(need.vcpus for need in needs)
    capacity, faults = world.capacity, world.capacity.faults
    enabled = [one for one in queue.order if one.state == "ENABLED"]
    if queue.state != "ENABLED" or not enabled:
        return None
    valid = [one for one in enabled if one.status == "VALID"]
    if not valid:
        return INVALID
    allowed = [one for one in valid if faults.environments.get(one.name) != "service-role"]
    if not allowed:
        return SERVICE_ROLE
    wide = [one for one in allowed if vcpus <= one.max_vcpus]
    if not wide:
        return MAX_RESOURCE
    fitting = [
        one
        for one in wide
        if one.is_fargate or all(capacity.types_for(one, need) for need in needs)
    ]
    if not fitting:
        return REQUIREMENT
    usable = [one for one in fitting if capacity.is_usable(one)]
    if not usable:
        return UNSUPPORTED
    if faults.capacity is not None:
        short = [one for one in usable if _is_short_of_capacity(one, needs[0], world)]
        if len(short) == len(usable):
            types = capacity.types_for(short[0], needs[0])
            return NO_CAPACITY.format(types[0].name if types else "FARGATE")
    if all(_never_joins(one, world) for one in usable):
        return UNDETERMINED
    return None


def _is_short_of_capacity(environment: Environment, need: Need, world: World) -> bool:
    everywhere = world.resources.environments
    types = world.capacity.types_for(environment, need)
    smallest = types[0].vcpus if types else need.vcpus
    own_room = environment.max_vcpus - environment.used_vcpus
    return world.capacity.room(environment, everywhere) < smallest <= max(own_room, need.vcpus)


def _never_joins(environment: Environment, world: World) -> bool:
    return world.capacity.faults.environments.get(environment.name) == "never-join"
