"""Writes submissions down and makes them: what was written is found again, never made twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from swell.compute.remote.flights import Flight
from swell.errors import ComputeError, DataMissing
from swell.model.ids import JobId
from swell.model.job import Intent, Launch, StepPlan
from swell.model.remote import RunKeys, pack_submission, unpack_submission
from swell.seams.clock import Clock
from swell.seams.queue import JobQueue, Submission
from swell.seams.storage import Storage

FIND_S = 60.0
"""An engine may not show a job so long after it took it."""
_TRIES = 6


class Prepared(msgspec.Struct, frozen=True):
    """What all submissions of a step have: the environment of its jobs, and tags for people."""

    environment: Mapping[str, str]
    tags: Mapping[str, str]


class Preparation(Protocol):
    """Puts into the store what attempts need; its calls may take minutes."""

    def step(self, plan: StepPlan) -> Prepared:
        """Code, packages and manifest of a step. Raises SwellError."""
        ...

    def launches(self, launches: Sequence[Launch]) -> Sequence[Launch]:
        """Bring what these read to where they can reach it. Raises SwellError."""
        ...

    def name(self, step: str, jobs: Sequence[JobId]) -> str:
        """The name of a submission of these attempts, the same each time."""
        ...


class Submitter:
    """Belongs to the backend's thread."""

    def __init__(
        self,
        jobs: JobQueue,
        storage: Storage,
        keys: RunKeys,
        preparation: Preparation,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._jobs = jobs
        self._storage = storage
        self._keys = keys
        self._preparation = preparation
        self._clock = clock
        self._sleep = sleep
        self._prepared: dict[str, Prepared] = {}

    def submit(self, plan: StepPlan, launches: Sequence[Launch]) -> Flight:
        """Write ``launches`` down, submit them, and note the engine's id. Raises SwellError."""
        prepared = self._prepared.get(plan.step)
        if prepared is None:
            prepared = self._prepared[plan.step] = self._preparation.step(plan)
        launches = self._preparation.launches(launches)
        name = self._preparation.name(plan.step, [launch.job for launch in launches])
        submission = self._submission(name, plan, launches, prepared)
        self._storage.write(self._keys.submission(name), pack_submission(launches))
        engine_id = self._ask_until_taken(submission)
        self._storage.write(self._keys.engine_id(name), [engine_id.encode()])
        return Flight(submission, tuple(launches), engine_id, self._clock())

    def find(
        self, intent: Intent, jobs: Sequence[JobId], plans: Mapping[str, StepPlan]
    ) -> Flight | None:
        """The submission of a driver that died, with ``jobs`` still to end; None when it never
        reached the engine. Raises SwellError."""
        launches = unpack_submission(self._storage.read(self._keys.submission(intent.name)))
        plan = plans[launches[0].step]
        engine_id = intent.engine_id or self._noted_id(intent.name)
        while engine_id is None:
            engine_id = self._jobs.find(intent.name, plan)
            if engine_id is None:
                if self._clock() - intent.made_at >= FIND_S:
                    return None
                self._sleep(2.0)
            else:
                self._storage.write(self._keys.engine_id(intent.name), [engine_id.encode()])
        submission = self._submission(intent.name, plan, launches, Prepared({}, {}))
        flight = Flight(submission, tuple(launches), engine_id, self._clock())
        flight.unfinished.clear()
        flight.watch_more(jobs)
        return flight

    def close(self) -> None:
        """Forget what was prepared."""
        self._prepared.clear()

    def _submission(
        self, name: str, plan: StepPlan, launches: Sequence[Launch], prepared: Prepared
    ) -> Submission:
        environment = {"SWELL_SUBMISSION": self._keys.submission(name), **prepared.environment}
        is_gang = launches[0].gang is not None
        memory_mb = launches[0].resources.memory_mb
        return Submission(
            name,
            plan,
            len(launches),
            is_gang,
            environment,
            prepared.tags,
            memory_mb if memory_mb != plan.resources.memory_mb else None,
        )

    def _noted_id(self, name: str) -> str | None:
        try:
            return bytes(self._storage.read(self._keys.engine_id(name))).decode()
        except DataMissing:
            return None

    def _ask_until_taken(self, submission: Submission) -> str:
        """Submit; where it is not known whether that worked, look before trying again."""
        for attempt in range(_TRIES):
            try:
                return self._jobs.submit(submission)
            except ComputeError as error:
                if not error.retryable or attempt == _TRIES - 1:
                    raise
            self._sleep(min(30.0, 2.0**attempt))
            found = self._jobs.find(submission.name, submission.plan)
            if found is not None:
                return found
        raise AssertionError("the last try returns or raises")
