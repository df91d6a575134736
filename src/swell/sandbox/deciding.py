"""The thread that decides: others bring it calls and the ends of jobs, and wait for its answer."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import msgspec

from swell.sandbox.batch.chaos import ChaosAnswer, ChaosRequest, merged
from swell.sandbox.batch.commands import AnnounceLoss, Command, KillJob, StartJob
from swell.sandbox.batch.default_resources import ResourceCall
from swell.sandbox.batch.entities import Document
from swell.sandbox.batch.keep import Kept
from swell.sandbox.batch.machine import Batch
from swell.sandbox.batch.status import Status, status_of
from swell.sandbox.batch.tuning import BatchSettings
from swell.sandbox.jobs import JobEnd, JobRunner

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_LONGEST_WAIT_S = 1.0
_ANSWER_WITHIN_S = 60.0


def _nobody_listens(host: str, at: float) -> None:
    """Where jobs cannot see a Spot notice."""


class Decider:
    """Drives the machine by a clock (Unix seconds) and a runner.

    ``open`` starts its thread; ``close`` ends it and the runner. Between the two, every other
    method may be called from any thread.
    """

    def __init__(
        self,
        settings: BatchSettings,
        runner: JobRunner,
        clock: Callable[[], float] = time.time,
        *,
        seed: int | None = None,
        announce: Callable[[str, float], None] = _nobody_listens,
    ) -> None:
        self._announce = announce
        self.settings = settings
        self._runner = runner
        self._clock = clock
        self._batch = Batch(settings, seed)
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        # One thread owns the machine, which is not thread-safe, and waits for what is due.
        self._thread = threading.Thread(target=self._decide, name="swell-batch", daemon=True)
        self._down_until = 0.0
        self._calls: Counter[str] = Counter()

    def open(self, kept: Kept | None = None) -> None:
        """Begin to decide, with what an earlier one knew."""
        if kept is not None:
            self._batch.restore(kept, self._clock())
        self._thread.start()

    def kept(self) -> Kept:
        """What a later one should know; once this one is closed."""
        return self._batch.kept()

    def close(self) -> None:
        """Stop deciding, kill what runs."""
        if self._thread.is_alive():
            self._inbox.put(None)
            self._thread.join(_ANSWER_WITHIN_S)
        self._runner.close()

    def call(self, operation: str, request: Document) -> Document:
        """Answer an API call; raises Refused."""
        return self._asked(lambda: self._answer(operation, request))

    def make(self, resources: Sequence[ResourceCall]) -> list[Document]:
        """Answers to calls that set things up; they count against no limit; raises Refused."""
        return self._asked(
            lambda: [
                self._batch.call(one.operation, one.request, self._clock(), is_free=True)
                for one in resources
            ]
        )

    def chaos(self, request: ChaosRequest) -> ChaosAnswer:
        """Set faults, lose hosts, stop answering; raises Refused."""
        return self._asked(lambda: self._misfortune(request))

    def status(self) -> Status:
        """What there is now, for people."""
        return self._asked(
            lambda: msgspec.structs.replace(status_of(self._batch.world), calls=dict(self._calls))
        )

    def is_down(self) -> bool:
        """Whether no call is to be answered now."""
        return self._clock() < self._down_until

    def _answer(self, operation: str, request: Document) -> Document:
        self._calls[operation] += 1
        return self._batch.call(operation, request, self._clock())

    def _misfortune(self, request: ChaosRequest) -> ChaosAnswer:
        now = self._clock()
        faults = merged(self._batch.world.capacity.faults, request)
        self._batch.set_faults(faults, now)
        source = random.Random(f"{faults.seed}/{now if request.seed is None else 0}")
        lost = (
            self._batch.lose_host(now, source.randrange(2**16)) for _ in range(request.host_loss)
        )
        if request.api_down_s or request.clear:
            self._down_until = now + request.api_down_s
        found = tuple(host for host in lost if host is not None)
        return ChaosAnswer(faults, found, max(0.0, self._down_until - now))

    # --- the deciding thread -----------------------------------------------------

    def _decide(self) -> None:
        while True:
            due = self._batch.next_time
            wait = _LONGEST_WAIT_S
            if due is not None:
                wait = min(max(due - self._clock(), 0.0), _LONGEST_WAIT_S)
            try:
                act = self._inbox.get(timeout=wait)
            except queue.Empty:
                act = self._tick
            if act is None:
                return
            try:
                act()
                for command in self._batch.take_commands():
                    self._perform(command)
            except Exception:  # a bug of ours must not leave every caller without an answer
                _log.exception("The sandbox's Batch met an error of its own.")

    def _tick(self) -> None:
        self._batch.tick(self._clock())

    def _perform(self, command: Command) -> None:
        if isinstance(command, StartJob):
            spec = command.spec
            self._runner.start(spec, partial(self._report, spec.job_id, spec.attempt))
        elif isinstance(command, KillJob):
            self._runner.kill(command.job_id, command.attempt)
        elif isinstance(command, AnnounceLoss):
            self._announce(command.host, command.at)
        else:
            self._runner.stop(command.job_id, command.attempt, command.grace_s)

    def _report(self, job_id: str, attempt: int, end: JobEnd) -> None:
        self._inbox.put(lambda: self._batch.ended(job_id, attempt, end, self._clock()))

    def _asked(self, question: Callable[[], _T]) -> _T:
        answer: Future[_T] = Future()

        def act() -> None:
            try:
                answer.set_result(question())
            except BaseException as error:  # it belongs to whoever asked
                answer.set_exception(error)

        self._inbox.put(act)
        return answer.result(_ANSWER_WITHIN_S)
