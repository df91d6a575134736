"""Looks at submissions: parents a hundred a call, members only where the driver lacks an end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swell.compute.batch.api import BatchApi
from swell.compute.batch.ends import cluster_of, end_of
from swell.compute.batch.members import (
    Form,
    form_of,
    is_cheaper_listed,
    look_at_members,
    member_id,
    member_index,
)
from swell.compute.batch.places import Places
from swell.compute.batch.records import ENDED, Job
from swell.compute.batch.sizes import with_defaults
from swell.model.cause import Evidence
from swell.model.job import JobState
from swell.seams.clock import Clock
from swell.seams.queue import MemberUpdate, Watched


class _Known:
    """What is remembered of a submission between two looks."""

    __slots__ = ("is_running", "missing_since", "reported", "was_late")

    def __init__(self) -> None:
        self.reported: set[int] = set()
        self.missing_since: float | None = None
        self.was_late = False
        self.is_running = False


class Polling:
    """What changed since the last look. Batch keeps no time at which a job became ready to
    run, so ``first_seen`` holds when (Unix seconds) each was first seen in its state."""

    def __init__(self, api: BatchApi, places: Places, clock: Clock, grace_s: float) -> None:
        self._api = api
        self._places = places
        self._clock = clock
        self._grace_s = grace_s
        self._known: dict[str, _Known] = {}
        self.first_seen: dict[str, tuple[str, float]] = {}

    def look(self, watched: Sequence[Watched]) -> list[MemberUpdate]:
        """See JobQueue."""
        self._forget_others({one.engine_id for one in watched})
        jobs = {job.job_id: job for job in self._api.describe_jobs(w.engine_id for w in watched)}
        now = self._clock()
        updates: list[MemberUpdate] = []
        for one in watched:
            known = self._known.setdefault(one.engine_id, _Known())
            left = [index for index in one.unfinished if index not in known.reported]
            job = jobs.get(one.engine_id)
            if job is None:
                updates += self._missing(one, known, left, now)
                continue
            known.missing_since = None
            if self.first_seen.get(job.job_id, ("", 0.0))[0] != job.status:
                self.first_seen[job.job_id] = (job.status, now)
            updates += self._of_parent(one, job, known, left)
        for update in updates:
            if update.state in (JobState.EXITED, JobState.LOST):
                self._known[update.engine_id].reported.add(update.index)
        return updates

    def _missing(
        self, one: Watched, known: _Known, left: Sequence[int], now: float
    ) -> list[MemberUpdate]:
        if known.missing_since is None:
            known.missing_since = now
        if now - known.missing_since < self._grace_s:
            return []
        reason = f"AWS Batch has not known its job {one.engine_id} for {self._grace_s:.0f} s."
        evidence = Evidence(reason=reason)
        return [MemberUpdate(one.engine_id, index, JobState.LOST, now, evidence) for index in left]

    def _of_parent(
        self, one: Watched, job: Job, known: _Known, left: Sequence[int]
    ) -> list[MemberUpdate]:
        form = form_of(one.submission.count, one.submission.is_gang)
        if form is Form.ARRAY:
            look = look_at_members(job, one.submission.count, left, known.was_late)
            known.was_late = look.is_late
            return self._of_members(one, job, left, form) if look.asks else []
        if job.has_ended:
            if form is Form.GANG:
                return self._of_members(one, job, left, form)
            return [self._ended(one, index, job) for index in left]
        if job.status == "RUNNING" and not known.is_running:
            known.is_running = True
            at = self._seconds(job.started_at)
            return [MemberUpdate(one.engine_id, index, JobState.RUNNING, at) for index in left]
        return []

    def _of_members(
        self, one: Watched, parent: Job, left: Sequence[int], form: Form
    ) -> list[MemberUpdate]:
        wanted = set(left)
        found = {
            index: job
            for job in self._members(one.engine_id, left, form)
            if job.has_ended and (index := member_index(job.job_id)) in wanted
        }
        if parent.has_ended:
            # What Batch does not list of a parent that has ended has ended too.
            found = {**dict.fromkeys(wanted, parent), **found}
        return [self._ended(one, index, found[index]) for index in sorted(found)]

    def _members(self, engine_id: str, left: Sequence[int], form: Form) -> Iterable[Job]:
        if form is Form.ARRAY and is_cheaper_listed(len(left)):
            for status in ENDED:
                yield from self._api.list_jobs(arrayJobId=engine_id, jobStatus=status)
            return
        ids = [member_id(engine_id, index, form) for index in left]
        yield from self._api.describe_jobs(ids)

    def _ended(self, one: Watched, index: int, job: Job) -> MemberUpdate:
        plan = one.submission.plan
        limit_mb = with_defaults(plan.resources).memory_mb
        evidence = end_of(job, memory_limit_mb=limit_mb)
        if evidence.host_lost and self._places.is_spot(plan, cluster_of(job)):
            evidence = end_of(job, is_spot=True, memory_limit_mb=limit_mb)
        at = self._seconds(job.stopped_at)
        return MemberUpdate(one.engine_id, index, JobState.EXITED, at, evidence)

    def _seconds(self, milliseconds: int | None) -> float:
        return self._clock() if not milliseconds else milliseconds / 1000

    def _forget_others(self, engine_ids: set[str]) -> None:
        for gone in [engine_id for engine_id in self._known if engine_id not in engine_ids]:
            del self._known[gone]
            self.first_seen.pop(gone, None)
