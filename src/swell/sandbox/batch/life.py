"""A job's life: from SUBMITTED to its end, attempt by attempt. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from swell.sandbox.batch.commands import AnnounceLoss, KillJob, StartJob, StopJob
from swell.sandbox.batch.entities import (
    ARRAY,
    CHILD,
    FAILED,
    MULTINODE,
    NODE,
    PENDING,
    PLAIN,
    RUNNABLE,
    RUNNING,
    STARTING,
    STATES,
    SUBMITTED,
    SUCCEEDED,
    Attempt,
    Environment,
    Host,
    Job,
    Queue,
    Work,
)
from swell.sandbox.batch.exits import AttemptFacts, runs_again
from swell.sandbox.batch.faults import misfortune
from swell.sandbox.batch.refusal import Refused
from swell.sandbox.batch.specs import log_stream, spec_of
from swell.sandbox.batch.world import World
from swell.sandbox.jobs import KILLED_BY_SIGKILL, OUT_OF_MEMORY, JobEnd

EXITED = "Essential container in task exited"
NOT_STARTED = "Task failed to start"
TIMED_OUT = "Job attempt duration exceeded timeout"
CHILD_FAILED = "Array Child Job failed"
DEPENDENCY_FAILED = "Dependent Job failed"
MAIN_NODE_ENDED = "The main node of the job ended"
_WAITING = (SUBMITTED, PENDING, RUNNABLE)


class Life:
    """Moves jobs through their states."""

    def __init__(self, world: World) -> None:
        self._world = world

    # --- from submission to the queue ----------------------------------------

    def submit(self, work: Work, queue: Queue) -> Job:
        """A new job; its dependencies must be known."""
        world = self._world
        kind = ARRAY if work.size else MULTINODE if len(work.containers) > 1 else PLAIN
        if "nodeProperties" in work.shown:
            kind = MULTINODE
        depends_on = [entry["jobId"] for entry in work.shown["dependsOn"]]
        found = [world.find(job_id) for job_id in depends_on]
        for job_id, dependency in zip(depends_on, found, strict=True):
            if dependency is None:
                raise Refused(f"The job {job_id} in dependsOn does not exist.")
        job = Job(
            id=world.names.uuid(),
            kind=kind,
            work=work,
            queue=queue,
            sequence=world.next_sequence(),
            created_at=world.now,
            visible_at=world.now + world.settings.describe_lag_s,
            counts=dict.fromkeys(STATES, 0),
            published=dict.fromkeys(STATES, 0),
            published_at=world.now,
        )
        for dependency in found:
            if dependency is not None and dependency.status != SUCCEEDED:
                job.waits_for.add(dependency.id)
                dependency.dependents.append(job)
        world.jobs[job.id] = queue.jobs[job.id] = job
        self._after(world.settings.submitted_s, self._settle, job)
        return job

    def _settle(self, job: Job) -> None:
        if job.status not in (SUBMITTED, PENDING):
            return
        dependencies = [self._world.find(job_id) for job_id in job.waits_for]
        if any(one is not None and one.status == FAILED for one in dependencies):
            self.finish(job, FAILED, DEPENDENCY_FAILED)
        elif job.waits_for:
            self._world.set_status(job, PENDING)
        else:
            self._release(job)

    def _release(self, job: Job) -> None:
        if job.kind == ARRAY:
            self._world.set_status(job, PENDING)
            job.children = [self._part(job, CHILD, index) for index in range(job.work.size)]
            job.counts[SUBMITTED] = len(job.children)
            for child in job.children:
                self.enqueue(child)
            return
        if job.kind == MULTINODE:
            nodes = range(len(job.work.containers))
            job.children = [self._part(job, NODE, index) for index in nodes]
        self.enqueue(job)

    def _part(self, job: Job, kind: str, index: int) -> Job:
        sign = ":" if kind == CHILD else "#"
        return Job(
            id=f"{job.id}{sign}{index}",
            kind=kind,
            work=job.work,
            queue=job.queue,
            sequence=job.sequence,
            created_at=self._world.now,
            visible_at=self._world.now,
            index=index,
            parent=job,
        )

    def enqueue(self, job: Job) -> None:
        """Let a job wait for a place."""
        self._set(job, RUNNABLE)
        job.status_reason, job.runnable_at = None, self._world.now
        job.started_at = None
        for node in job.children:
            self._set(node, RUNNABLE)
        self._world.line(job.queue).push(job, job.queue.policy)
        self._world.is_dispatch_due = True

    # --- from the queue to an attempt ----------------------------------------

    def placed(self, job: Job, environment: Environment, hosts: list[Host]) -> None:
        """A job was given ``hosts``: one, or one for each node."""
        for part, host in zip(parts(job), hosts, strict=True):
            part.host, part.environment = host, environment
            host.jobs.add(part)
            self._set(part, STARTING)
        if job.kind == MULTINODE:
            self._set(job, STARTING)
        job.environment, job.status_reason = environment, None
        self._use(job, 1)
        self._after(self._world.settings.starting_s, self._begin, job, len(job.attempts))

    def _begin(self, job: Job, attempts_made: int) -> None:
        if job.status != STARTING or len(job.attempts) != attempts_made:
            return
        if job.work.doomed:
            self._give_up(job, job.work.doomed)
            return
        for part in parts(job):
            self._start(part)
        number = attempts_made + 1
        if job.kind == MULTINODE:
            self._set(job, RUNNING)
            job.started_at = self._world.now
            main = job.children[job.work.main_node].attempt
            job.attempts.append(
                Attempt(number, main.task_arn, main.instance_arn, main.log_stream, main.started_at)
            )
        if job.work.timeout_s is not None:
            limit = job.work.timeout_s * self._world.settings.limit_scale
            self._after(limit, self._time_out, job, number)

    def _start(self, job: Job) -> None:
        world, host = self._world, job.host
        assert host is not None  # placed before
        task = world.names.task_id()
        is_fargate = host.kind is None
        ecs = world.names.prefix("ecs")
        attempt = Attempt(
            number=len(job.attempts) + 1,
            task_arn=f"{ecs}task/{task}",
            instance_arn="" if is_fargate else f"{ecs}container-instance/{host.id}",
            log_stream=log_stream(job, task),
            started_at=world.now,
        )
        job.attempts.append(attempt)
        job.started_at, job.stopped_at = world.now, None
        self._set(job, RUNNING)
        world.commands.append(StartJob(spec_of(job, attempt, world.settings)))
        drawn = misfortune(world.capacity.faults, job.work.name, job.index, attempt.number)
        if drawn.reclaimed_after_s is not None:
            self._after(drawn.reclaimed_after_s, self._reclaim_later, job, attempt)
        if drawn.out_of_memory_after_s is not None:
            self._after(drawn.out_of_memory_after_s, self._exhaust, job, attempt)

    # --- misfortune -----------------------------------------------------------

    def lose(self, host: Host) -> None:
        """An instance is gone, with every attempt on it."""
        self._world.capacity.remove(host)
        for job in sorted(host.jobs, key=lambda one: one.id):
            self._reclaim(job, host)
        self._world.is_dispatch_due = True

    def _reclaim_later(self, job: Job, attempt: Attempt) -> None:
        host, world = job.host, self._world
        if host is None or not _is_running(job, attempt):
            return
        if len(host.jobs) > 1 or host.kind is None:
            self._reclaim(job, host)
        elif not host.is_leaving:
            notice = world.capacity.faults.notice_s
            host.is_leaving = True
            world.commands.append(AnnounceLoss(host.id, world.now + notice))
            self._after(notice, self.lose, host)

    def _reclaim(self, job: Job, host: Host) -> None:
        if job.status == STARTING:
            whole = job.parent if job.kind == NODE and job.parent else job
            self._free(whole)
            self.enqueue(whole)
            return
        if job.status != RUNNING or job.attempt.forced is not None:
            return
        job.attempt.is_lost = True
        job.attempt.forced = (
            "Your Spot Task was interrupted."
            if host.kind is None
            else f"Host EC2 (instance {host.id}) terminated."
        )
        self._world.commands.append(KillJob(job.id, job.attempt.number))

    def _exhaust(self, job: Job, attempt: Attempt) -> None:
        if _is_running(job, attempt) and attempt.forced is None:
            attempt.is_out_of_memory = True
            self._world.commands.append(KillJob(job.id, attempt.number))

    def _time_out(self, job: Job, number: int) -> None:
        if job.status == RUNNING and job.attempt.number == number:
            self._stop(job, TIMED_OUT)

    def _stop(self, job: Job, why: str) -> None:
        """SIGTERM, later SIGKILL; the attempt fails whatever it answers, and none follows."""
        grace = self._world.settings.stop_grace_s
        for part in (*parts(job), job):
            attempt = part.attempt
            if part.status != RUNNING or attempt.forced is not None:
                continue
            attempt.forced, attempt.is_final = why, True
            if part.kind != MULTINODE:
                self._world.commands.append(StopJob(part.id, attempt.number, grace))

    # --- from an attempt's end on ---------------------------------------------

    def ended(self, job_id: str, number: int, end: JobEnd) -> None:
        """A runner says that an attempt ended; heard once."""
        job = self._world.find(job_id)
        if job is None or not job.attempts or job.status != RUNNING:
            return
        attempt = job.attempt
        if attempt.number != number or attempt.stopped_at is not None:
            return
        _conclude(attempt, end, self._world.now)
        self._free(job)
        if job.kind == NODE:
            self._node_ended(job)
        else:
            self._decide(job)

    def _decide(self, job: Job) -> None:
        attempt = job.attempt
        if attempt.exit_code == 0 and attempt.forced is None:
            self.finish(job, SUCCEEDED, attempt.status_reason)
            return
        facts = AttemptFacts(attempt.status_reason, attempt.reason, attempt.exit_code)
        if not attempt.is_final and runs_again(job.work.retry, len(job.attempts), facts):
            self.enqueue(job)
        else:
            self.finish(job, FAILED, attempt.status_reason)

    def _node_ended(self, node: Job) -> None:
        job, attempt = node.parent, node.attempt
        assert job is not None  # nodes have one
        ok = attempt.exit_code == 0 and attempt.forced is None
        self._set(node, SUCCEEDED if ok else FAILED)
        node.status_reason, node.stopped_at = attempt.status_reason, self._world.now
        mine = job.attempt
        if mine.stopped_at is None and (node.index == job.work.main_node or attempt.is_lost):
            mine.stopped_at, mine.exit_code = self._world.now, attempt.exit_code
            mine.reason, mine.is_lost = attempt.reason, attempt.is_lost
            mine.status_reason = mine.forced or attempt.status_reason
            for other in job.children:
                self._stop(other, MAIN_NODE_ENDED)
        if all(one.is_over for one in job.children):
            self._use(job, -1)
            self._decide(job)

    def finish(self, job: Job, status: str, why: str | None) -> None:
        """A job's end. Whoever depended on it goes on, or fails with it."""
        job.status_reason, job.stopped_at = why, self._world.now
        self._set(job, status)
        self._world.is_dispatch_due = True
        for dependent in job.dependents:
            if status == SUCCEEDED:
                dependent.waits_for.discard(job.id)
            self._after(0.0, self._settle, dependent)
        job.dependents = []
        if job.kind == MULTINODE:
            for node in job.children:
                if not node.is_over:
                    self.finish(node, FAILED, why)
        if job.parent is None:
            self.remember(job)

    def remember(self, job: Job) -> None:
        """Keep a job that is over for as long as such jobs are kept."""
        ended = self._world.now if job.stopped_at is None else job.stopped_at
        left = ended + self._world.settings.expiry_s - self._world.now
        self._after(max(left, 0.0), self._forget, job)

    def _forget(self, job: Job) -> None:
        self._world.jobs.pop(job.id, None)
        job.queue.jobs.pop(job.id, None)

    def _publish(self, job: Job) -> None:
        job.is_publishing = False
        job.published, job.published_at = dict(job.counts), self._world.now
        if job.is_over or job.counts[SUCCEEDED] + job.counts[FAILED] < len(job.children):
            return
        why = job.status_reason if job.is_cancelled or job.is_terminated else CHILD_FAILED
        failed = job.counts[FAILED] > 0
        self.finish(job, FAILED if failed else SUCCEEDED, why if failed else None)

    # --- what a caller asks for ------------------------------------------------

    def cancel(self, job: Job, why: str) -> None:
        """CancelJob: what has not been given a host; silently nothing for the rest."""
        self._end_early(job, why, is_cancel=True)

    def terminate(self, job: Job, why: str) -> None:
        """TerminateJob: whatever its state."""
        self._end_early(job, why, is_cancel=False)

    def _end_early(self, job: Job, why: str, *, is_cancel: bool) -> None:
        if job.is_over:
            return
        if job.kind == NODE and job.parent is not None:
            self._end_early(job.parent, why, is_cancel=is_cancel)
            return
        if job.kind == ARRAY and job.children:
            _mark(job, is_cancel)
            job.status_reason = why
            for child in job.children:
                self._end_early(child, why, is_cancel=is_cancel)
            return
        if job.status in _WAITING:
            _mark(job, is_cancel)
            self.finish(job, FAILED, why)
        elif not is_cancel:
            _mark(job, is_cancel)
            if job.status == STARTING:
                self._give_up(job, why)
            else:
                self._stop(job, why)

    def _give_up(self, job: Job, why: str) -> None:
        self._free(job)
        self.finish(job, FAILED, why)

    # --- small parts -------------------------------------------------------------

    def _after(self, seconds: float, act: Callable[..., None], *args: object) -> None:
        self._world.agenda.at(self._world.now + seconds, partial(act, *args))

    def _set(self, job: Job, status: str) -> None:
        if self._world.set_status(job, status) and job.parent is not None:
            self._after(self._world.settings.summary_lag_s, self._publish, job.parent)

    def _free(self, job: Job) -> None:
        for part in parts(job):
            if part.host is not None:
                need = part.container.need
                self._world.capacity.release(part.host, part, need, self._world.now)
                part.host = None
        if job.kind != NODE:
            self._use(job, -1)
        self._world.is_dispatch_due = True

    def _use(self, job: Job, sign: int) -> None:
        if job.queue.policy is not None and job.work.share:
            usage = self._world.line(job.queue).usage
            vcpus = sum(part.container.need.vcpus for part in parts(job))
            usage[job.work.share] = usage.get(job.work.share, 0.0) + sign * vcpus


def parts(job: Job) -> list[Job]:
    """What has a container of its own: the job, or its nodes."""
    return job.children if job.kind == MULTINODE else [job]


def _is_running(job: Job, attempt: Attempt) -> bool:
    return job.status == RUNNING and job.attempt is attempt


def _mark(job: Job, is_cancel: bool) -> None:
    if is_cancel:
        job.is_cancelled = True
    else:
        job.is_terminated = True


def _conclude(attempt: Attempt, end: JobEnd, now: float) -> None:
    attempt.stopped_at = now
    attempt.exit_code, attempt.reason = end.exit_code, end.reason
    if attempt.is_lost:
        attempt.exit_code, attempt.reason = None, ""
    elif attempt.is_out_of_memory:
        attempt.exit_code, attempt.reason = KILLED_BY_SIGKILL, OUT_OF_MEMORY
    ended = NOT_STARTED if attempt.exit_code is None else EXITED
    attempt.status_reason = attempt.forced or ended
