"""A Backend without processes: what becomes of each attempt is written in the test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from swell.model.cause import Evidence
from swell.model.ids import JobId
from swell.model.job import Intent, JobState, JobUpdate, Launch
from swell.model.record import AttemptResult, Outcome, Record, Transition, Usage
from swell.model.wire import encode
from swell.seams.backend import Report
from swell.seams.clock import Clock

Answer = AttemptResult | Evidence | None
"""What an attempt leaves, how its process died, or None: it runs until it is cancelled."""


class ScriptedBackend:
    """Attempts begin when they are submitted and end as ``answer`` says, in that order.

    ``launches`` lists all that was submitted, ``cancelled`` what was asked to end.
    """

    def __init__(self, answer: Callable[[Launch], Answer], clock: Clock) -> None:
        self._answer = answer
        self._clock = clock
        self._report: Report = lambda updates: None
        self._running: dict[JobId, Launch] = {}
        self.launches: list[Launch] = []
        self.cancelled: list[JobId] = []
        self.is_closed = False

    def start(self, report: Report) -> None:
        """See Backend."""
        self._report = report

    def submit(self, launches: Sequence[Launch]) -> None:
        """Begin ``launches`` and end those that have an answer."""
        for launch in launches:
            self.launches.append(launch)
            self._running[launch.job] = launch
            self._report([JobUpdate(launch.job, JobState.RUNNING, self._clock(), pid=1)])
        for launch in launches:
            answer = self._answer(launch)
            if answer is not None:
                self.end(launch.job, answer)

    def end(self, job: JobId, answer: AttemptResult | Evidence) -> None:
        """End ``job``, which runs, with ``answer``."""
        del self._running[job]
        result = msgspec.msgpack.encode(answer) if isinstance(answer, AttemptResult) else None
        evidence = answer if isinstance(answer, Evidence) else Evidence(exit_code=0)
        state = JobState.LOST if evidence.host_lost else JobState.EXITED
        self._report(
            [
                JobUpdate(
                    job,
                    state,
                    self._clock(),
                    result=result,
                    evidence=evidence,
                    usage=Usage(peak_memory_mb=1.0, cpu_s=0.0, how="scripted"),
                )
            ]
        )

    def adopt(self, intents: Sequence[Intent]) -> None:
        """There are no jobs of others here."""

    def cancel(self, jobs: Collection[JobId], why: str) -> None:
        """End those of ``jobs`` that run."""
        del why
        self.cancelled += jobs
        for job in jobs:
            if job in self._running:
                self.end(job, Evidence(signal=15, ended_by="cancel"))

    def close(self) -> None:
        """End all that runs."""
        self.is_closed = True
        self.cancel(tuple(self._running), "closing")


def result(outcome: Outcome, record: Record | None = None) -> AttemptResult:
    """What an attempt leaves that ended with ``outcome``."""
    return AttemptResult(outcome, msgspec.Raw(encode(record or Record())))


def going_to(transition: Transition, record: Record | None = None) -> AttemptResult:
    """What an attempt leaves that ended well and goes on along ``transition``."""
    return result(Outcome(True, transition=transition), record)
