"""AWS Batch as a machine: calls, ends and the time go in, answers and commands come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from swell.sandbox.batch.commands import Command
from swell.sandbox.batch.definitions import check_tags
from swell.sandbox.batch.details import detail
from swell.sandbox.batch.entities import Document, Environment, Host, Job
from swell.sandbox.batch.faults import Faults, wrong_with
from swell.sandbox.batch.keep import Kept, kept_of, restore
from swell.sandbox.batch.life import Life
from swell.sandbox.batch.listing import list_jobs
from swell.sandbox.batch.names import Names
from swell.sandbox.batch.placing import Placing
from swell.sandbox.batch.refusal import Refused, not_in_the_sandbox, throttled
from swell.sandbox.batch.snapshot import snapshot
from swell.sandbox.batch.submission import work_of
from swell.sandbox.batch.throttle import Buckets
from swell.sandbox.batch.tuning import BatchSettings
from swell.sandbox.batch.world import World
from swell.sandbox.jobs import JobEnd

MOST_DESCRIBED = 100
MOST_IN_BULK = 50
LONGEST_REASON = 1_024


class Batch:
    """One account's AWS Batch in one Region. Not thread-safe; times are Unix seconds."""

    def __init__(self, settings: BatchSettings, seed: int | None = None) -> None:
        self.world = World(settings, Names(settings, seed))
        self._life = Life(self.world)
        self._placing = Placing(self.world, self._life)
        self._buckets = Buckets(settings.calls_per_s)
        resources, shelf = self.world.resources, self.world.shelf
        self._operations: dict[str, Callable[[Document], Document]] = {
            "SubmitJob": self._submit,
            "DescribeJobs": self._describe,
            "ListJobs": lambda request: list_jobs(request, self.world),
            "CancelJob": self._cancel,
            "CancelJobs": self._cancel_many,
            "TerminateJob": self._terminate,
            "TerminateJobs": self._terminate_many,
            "RegisterJobDefinition": shelf.register,
            "DeregisterJobDefinition": shelf.deregister,
            "DescribeJobDefinitions": shelf.describe,
            "CreateComputeEnvironment": resources.create_environment,
            "UpdateComputeEnvironment": resources.update_environment,
            "DeleteComputeEnvironment": self._delete_environment,
            "DescribeComputeEnvironments": resources.describe_environments,
            "CreateJobQueue": resources.create_queue,
            "UpdateJobQueue": resources.update_queue,
            "DeleteJobQueue": resources.delete_queue,
            "DescribeJobQueues": resources.describe_queues,
            "CreateSchedulingPolicy": resources.create_policy,
            "UpdateSchedulingPolicy": resources.update_policy,
            "DeleteSchedulingPolicy": resources.delete_policy,
            "DescribeSchedulingPolicies": resources.describe_policies,
            "ListSchedulingPolicies": resources.list_policies,
            "GetJobQueueSnapshot": lambda request: snapshot(
                resources.queue(request["jobQueue"]), self.world
            ),
            "ListTagsForResource": lambda request: {"tags": self._tags(request)},
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }

    # --- what goes in ---------------------------------------------------------

    def call(
        self, operation: str, request: Document, now: float, *, is_free: bool = False
    ) -> Document:
        """Answer one API call; raises Refused. ``request`` has been checked against the model.

        A free one counts against no limit.
        """
        self.tick(now)
        if not is_free and not self._buckets.admits(operation, now):
            raise throttled()
        act = self._operations.get(operation)
        if act is None:
            raise not_in_the_sandbox(operation)
        answer = act(request)
        if operation.startswith(("Create", "Update", "Delete")):
            self.world.is_dispatch_due = True
        self._settle()
        return answer

    def tick(self, now: float) -> None:
        """Let everything happen that is due."""
        world = self.world
        world.now = max(world.now, now)
        while (act := world.agenda.due(world.now)) is not None:
            act()
        self._settle()

    def ended(self, job_id: str, attempt: int, end: JobEnd, now: float) -> None:
        """A runner's word that an attempt ended; unknown and second ones are ignored."""
        self.tick(now)
        self._life.ended(job_id, attempt, end)
        self._settle()

    def set_faults(self, faults: Faults, now: float) -> None:
        """From now on this misfortune, instead of what was set before; raises Refused."""
        wrong = wrong_with(faults)
        if wrong:
            raise Refused(wrong)
        for name in faults.environments:
            self.world.resources.environment(name)
        self.tick(now)
        world = self.world
        world.capacity.faults = faults
        usual = world.settings.calls_per_s
        self._buckets.calls_per_s = usual if faults.throttle is None else faults.throttle
        for environment in world.resources.environments.values():
            _set_health(environment, faults.environments.get(environment.name))
            _set_joining(environment, faults, world)
        world.is_dispatch_due = True
        self._settle()

    def lose_host(self, now: float, choice: int = 0) -> str | None:
        """An instance with jobs on it is gone; ``choice`` says which. None: there is none."""
        self.tick(now)
        busy = [host for host in self._hosts() if host.jobs and host.kind is not None]
        if not busy:
            return None
        host = busy[choice % len(busy)]
        self._life.lose(host)
        self._settle()
        return host.id

    def restore(self, kept: Kept, now: float) -> None:
        """Begin with what an earlier one knew; before anything else is asked."""
        self.tick(now)
        restore(kept, self.world, self._life)
        self._settle()

    # --- what comes out -------------------------------------------------------

    def kept(self) -> Kept:
        """What a later one should know."""
        return kept_of(self.world)

    def take_commands(self) -> list[Command]:
        """What has to be done, in order; handed out once."""
        commands, self.world.commands = self.world.commands, []
        return commands

    @property
    def next_time(self) -> float | None:
        """When ``tick`` has something to do next."""
        return self.world.agenda.next_time

    # --- operations -----------------------------------------------------------

    def _settle(self) -> None:
        if self.world.is_dispatch_due:
            self._placing.dispatch()

    def _submit(self, request: Document) -> Document:
        queue = self.world.resources.queue(request["jobQueue"])
        job = self._life.submit(work_of(request, queue, self.world.shelf), queue)
        arn = self.world.names.arn("job", job.id)
        return {"jobArn": arn, "jobName": job.work.name, "jobId": job.id}

    def _describe(self, request: Document) -> Document:
        wanted = request["jobs"]
        if not 1 <= len(wanted) <= MOST_DESCRIBED:
            raise Refused(f"jobs must hold 1 to {MOST_DESCRIBED} ids, got {len(wanted)}.")
        found = (self.world.find(job_id) for job_id in dict.fromkeys(wanted))
        shown = [job for job in found if job is not None and job.visible_at <= self.world.now]
        return {"jobs": [detail(job, self.world.names) for job in shown]}

    def _cancel(self, request: Document) -> Document:
        self._for_each([request["jobId"]], request["reason"], self._life.cancel)
        return {}

    def _cancel_many(self, request: Document) -> Document:
        return self._bulk(request, self._life.cancel)

    def _terminate(self, request: Document) -> Document:
        self._for_each([request["jobId"]], request["reason"], self._life.terminate)
        return {}

    def _terminate_many(self, request: Document) -> Document:
        return self._bulk(request, self._life.terminate)

    def _bulk(self, request: Document, act: Callable[[Job, str], None]) -> Document:
        wanted: list[str] = request["jobs"]
        if not 1 <= len(wanted) <= MOST_IN_BULK:
            raise Refused(f"jobs must hold 1 to {MOST_IN_BULK} ids, got {len(wanted)}.")
        self._for_each(wanted, request["reason"], act)
        return {"successful": wanted, "errors": []}

    def _for_each(self, wanted: list[str], reason: str, act: Callable[[Job, str], None]) -> None:
        if len(reason) > LONGEST_REASON:
            raise Refused(f"reason may have at most {LONGEST_REASON} characters.")
        for job_id in wanted:
            job = self.world.find(job_id)
            # An id that is not known counts as done, as AWS says.
            if job is not None:
                act(job, reason)

    def _delete_environment(self, request: Document) -> Document:
        environment = self.world.resources.environment(request["computeEnvironment"])
        answer = self.world.resources.delete_environment(request)
        for host in list(environment.hosts.values()):
            self._life.lose(host)
        return answer

    def _tag(self, request: Document) -> Document:
        tags = self._tags(request)
        check_tags({**tags, **request["tags"]})
        tags.update(request["tags"])
        return {}

    def _untag(self, request: Document) -> Document:
        tags = self._tags(request)
        for key in request["tagKeys"]:
            tags.pop(key, None)
        return {}

    def _tags(self, request: Document) -> dict[str, str]:
        """The tags of a resource, which may be changed in place."""
        arn = unquote(request["resourceArn"])
        kind, _, name = arn.rpartition(":batch:")[2].split(":", 2)[-1].partition("/")
        resources = self.world.resources
        holder: Any = None
        if kind == "job":
            job = self.world.find(name)
            holder = job.work.shown if job is not None else None
        elif kind == "job-definition":
            holder = self.world.shelf.found(name, is_for_jobs=False)
        elif kind == "job-queue":
            holder = resources.queue(name).document
        elif kind == "compute-environment":
            holder = resources.environment(name).document
        elif kind == "scheduling-policy" and arn in resources.policies:
            holder = resources.policies[arn].document
        if holder is None:
            raise Refused(f"Resource {arn} does not exist.")
        tags: dict[str, str] = holder.setdefault("tags", {})
        return tags

    def _hosts(self) -> list[Host]:
        environments = self.world.resources.environments.values()
        return [host for environment in environments for host in environment.hosts.values()]


def _set_health(environment: Environment, fault: str | None) -> None:
    is_invalid = fault == "invalid"
    environment.status = "INVALID" if is_invalid else "VALID"
    environment.status_reason = (
        "CLIENT_ERROR - The compute environment was made invalid on demand."
        if is_invalid
        else "ComputeEnvironment Healthy"
    )


def _set_joining(environment: Environment, faults: Faults, world: World) -> None:
    if faults.environments.get(environment.name) == "never-join":
        return
    for host in environment.hosts.values():
        if host.ready_at == float("inf"):
            host.ready_at = world.now
