"""The JobQueue on AWS Batch: submits, finds, looks, explains, ends; all decisions are beside."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from swell.compute.batch.api import BatchApi
from swell.compute.batch.defaults import BatchDefaults, completed
from swell.compute.batch.definitions import definition_body
from swell.compute.batch.ends import OWN_REASON
from swell.compute.batch.last_lines import last_lines
from swell.compute.batch.members import Form, form_of, form_of_job, member_id
from swell.compute.batch.places import Places
from swell.compute.batch.platforms import most_memory_mb, refuse_what_it_cannot
from swell.compute.batch.polling import Polling
from swell.compute.batch.preflight import check_plan
from swell.compute.batch.queue_facts import look_at_queue
from swell.compute.batch.reasons import explain
from swell.compute.batch.records import Job
from swell.compute.batch.submitting import submit_request
from swell.errors import ComputeError
from swell.model.job import StepPlan
from swell.seams.clock import Clock
from swell.seams.queue import KeptLine, MemberUpdate, Submission, Waiting, Watched

GRACE_S = 60.0
"""Batch may not know a job for a while after it took it: only then is it lost."""


class BatchQueue:
    """AWS Batch as a JobQueue (see there). ``loader`` is the Python program that containers
    start with; ``clock`` gives Unix seconds.

    ``submit`` may raise a retryable error although Batch took the job: look with ``find``
    before submitting it again.
    """

    def __init__(
        self,
        api: BatchApi,
        defaults: BatchDefaults,
        loader: str,
        *,
        clock: Clock = time.time,
        grace_s: float = GRACE_S,
    ) -> None:
        self._api = api
        self._defaults = defaults
        self._loader = loader
        self._clock = clock
        self._places = Places(api, defaults)
        self._polling = Polling(api, self._places, clock, grace_s)
        self._definitions: dict[str, str] = {}
        self._forms: dict[str, Form] = {}

    @property
    def calls(self) -> Mapping[str, int]:
        """Requests to the API so far, by operation."""
        return self._api.calls

    def machine_for(self, plan: StepPlan) -> str:
        """'x86_64' or 'aarch64': what jobs of ``plan`` run on, for packages made for it."""
        return self._places.platform_of(plan).machine

    def most_memory_mb(self, plan: StepPlan) -> int | None:
        """What a job of ``plan`` could have at most; None where that is not known."""
        return most_memory_mb(self._places.platform_of(plan), plan)

    def check(self, plans: Sequence[StepPlan]) -> list[str]:
        """See JobQueue. Each queue is looked at once, however many plans go there."""
        warnings: list[str] = []
        facts = {}
        for plan in plans:
            platform = self._places.platform_of(plan)
            if platform.name not in facts:
                facts[platform.name] = look_at_queue(self._api, platform.name)
            warnings += check_plan(plan, platform, facts[platform.name], self._defaults)
        return list(dict.fromkeys(warnings))

    def submit(self, submission: Submission) -> str:
        """See JobQueue."""
        plan = submission.plan
        platform = self._places.platform_of(plan)
        refuse_what_it_cannot(platform, plan, is_gang=submission.is_gang)
        body = definition_body(
            plan, platform, self._defaults, self._loader, is_gang=submission.is_gang
        )
        request = submit_request(submission, platform, self._definition(body))
        engine_id = self._api.submit_job(request)
        self._forms[engine_id] = form_of(submission.count, submission.is_gang)
        return engine_id

    def find(self, name: str, plan: StepPlan) -> str | None:
        """See JobQueue. Of several of that name, the newest that has not failed."""
        queue = completed(plan, self._defaults).queue
        if not queue:
            return None
        filters = [{"name": "JOB_NAME", "values": [name]}]
        # The filter does not tell capital letters from small ones.
        found = [
            job
            for job in self._api.list_jobs(jobQueue=queue, filters=filters)
            if job.job_name == name
        ]
        newest = max(found, key=_unfailed_then_newest, default=None)
        return None if newest is None else newest.job_id

    def look(self, watched: Sequence[Watched]) -> list[MemberUpdate]:
        """See JobQueue. Members of an array are told when they end, not when they begin."""
        self._remember(watched)
        return self._polling.look(watched)

    def waiting(self, watched: Sequence[Watched]) -> list[Waiting]:
        """See JobQueue."""
        self._remember(watched)
        return explain(self._api, self._places, watched, self._polling.first_seen, self._clock())

    def cancel(self, engine_ids: Collection[str], why: str) -> None:
        """See JobQueue. Children and nodes end with their parent."""
        self._terminate(list(dict.fromkeys(engine_ids)), why)

    def cancel_members(self, members: Collection[tuple[str, int]], why: str) -> None:
        """See JobQueue. A gang ends as a whole: its nodes cannot be ended singly."""
        ids = []
        self._learn_forms(members)
        for engine_id, index in members:
            form = self._forms.get(engine_id, Form.ARRAY)
            ids.append(engine_id if form is Form.GANG else member_id(engine_id, index, form))
        self._terminate(list(dict.fromkeys(ids)), why)

    def last_lines(
        self, members: Mapping[tuple[str, int], float]
    ) -> Mapping[tuple[str, int], Sequence[KeptLine]]:
        """See JobQueue. From CloudWatch Logs, which does not tell a job's streams apart."""
        self._learn_forms(members)
        ids = {
            member_id(engine_id, index, self._forms.get(engine_id, Form.ARRAY)): (engine_id, index)
            for engine_id, index in members
        }
        found = last_lines(self._api, {job: members[member] for job, member in ids.items()})
        return {ids[job]: lines for job, lines in found.items()}

    def close(self) -> None:
        """See JobQueue."""
        self._api.close()

    def _terminate(self, ids: Sequence[str], why: str) -> None:
        refused = self._api.terminate_jobs(ids, f"{OWN_REASON}{why}")
        if refused:
            raise ComputeError(
                f"{len(refused)} of {len(ids)} jobs could not be ended: {refused[0].job}: "
                f"{refused[0].message}",
                remedy="Look at them: aws batch describe-jobs --jobs " + refused[0].job,
                retryable=True,
            )

    def _learn_forms(self, members: Iterable[tuple[str, int]]) -> None:
        """Ask what those are that a driver before this one submitted."""
        unknown = {engine_id for engine_id, _ in members} - set(self._forms)
        for job in self._api.describe_jobs(sorted(unknown)):
            self._forms[job.job_id] = form_of_job(job)

    def _definition(self, body: Mapping[str, object]) -> str:
        """The job definition with that content: found, or registered once."""
        name = str(body["jobDefinitionName"])
        if name not in self._definitions:
            found = self._api.find_definition(name) or self._api.register_definition(body)
            self._definitions[name] = found.job_definition_arn
        return self._definitions[name]

    def _remember(self, watched: Sequence[Watched]) -> None:
        for one in watched:
            submission = one.submission
            self._forms[one.engine_id] = form_of(submission.count, submission.is_gang)


def _unfailed_then_newest(job: Job) -> tuple[bool, int]:
    return (job.status != "FAILED", job.created_at)
