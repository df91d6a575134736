"""A batch system that does what a test says, and attempts that tell what a test says."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable

import msgspec

from swell.compute.output import TaskOutput
from swell.compute.remote.backend import RemoteBackend, RemoteSettings
from swell.compute.remote.submitting import Prepared
from swell.errors import ComputeError, SwellError
from swell.model.ids import JobId
from swell.model.job import Inputs, JobState, JobUpdate, Launch, StepPlan
from swell.model.record import AttemptResult, Outcome
from swell.model.remote import RunKeys
from swell.model.wire import EMPTY_RECORD, encode
from swell.seams.queue import KeptLine, MemberUpdate, Submission
from swell.testing.memory_storage import MemoryStorage

KEYS = RunKeys("runs/BigSum/15")
DEADLINE_S = 10.0


class QueueDouble:
    """Takes submissions; ``answers`` are raised or returned by the next submits."""

    def __init__(self, storage: MemoryStorage) -> None:
        self.storage = storage
        self.taken: list[Submission] = []
        self.answers: list[Exception | None] = []
        self.told: list[MemberUpdate] = []
        self.cancelled: list[str] = []
        self.cancelled_members: list[tuple[str, int]] = []
        self.kept: dict[int, list[KeptLine]] | Exception = {}
        self.asked: list[dict[int, float]] = []
        self.closed = False

    def submit(self, submission):
        assert any(True for _ in self.storage.list(KEYS.submission(submission.name))), (
            "it is written down first"
        )
        answer = self.answers.pop(0) if self.answers else None
        if answer is None or getattr(answer, "taken", False):
            self.taken.append(submission)
        if answer is not None:
            raise answer
        return self.id_of(submission.name)

    @staticmethod
    def id_of(name):
        return f"engine-{name}"

    def find(self, name, plan):
        return next((self.id_of(one.name) for one in self.taken if one.name == name), None)

    def look(self, watched):
        if self.told and isinstance(self.told[0], Exception):
            raise self.told[0]
        known = {one.engine_id for one in watched}
        found = [one for one in self.told if one.engine_id in known]
        self.told = [one for one in self.told if one.engine_id not in known]
        return found

    def waiting(self, watched):
        return []

    def cancel(self, engine_ids, why):
        self.cancelled += engine_ids
        for submission in self.taken:
            if self.id_of(submission.name) in engine_ids:
                self.told += [
                    MemberUpdate(self.id_of(submission.name), index, JobState.EXITED, 1.0)
                    for index in range(submission.count)
                ]

    def cancel_members(self, members, why):
        self.cancelled_members += members
        self.told += [MemberUpdate(one, index, JobState.EXITED, 1.0) for one, index in members]

    def last_lines(self, members):
        self.asked.append({index: since for (_, index), since in members.items()})
        if isinstance(self.kept, Exception):
            raise self.kept
        return {one: self.kept[one[1]] for one in members if one[1] in self.kept}

    def close(self):
        self.closed = True


class Preparing:
    """Needs nothing; counts how often a step was prepared."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, plan):
        self.steps.append(plan.step)
        return Prepared({"SWELL_STORE": "s3://bucket"}, {"swell:flow": "BigSum"})

    def launches(self, launches):
        return launches

    def name(self, step, jobs):
        return f"swell-{step}-{jobs[0].task}-{jobs[0].attempt}-{len(jobs)}"


class Watched:
    """A RemoteBackend at work, and all it reported."""

    def __init__(self, storage: MemoryStorage | None = None, **settings: float) -> None:
        self.storage = storage or MemoryStorage()
        self.queue = QueueDouble(self.storage)
        self.preparing = Preparing()
        self.updates: list[JobUpdate] = []
        self.outputs: list[TaskOutput] = []
        self.said: list[str] = []
        self.left: list[SwellError] = []
        self._heard = threading.Condition()
        self.backend = RemoteBackend(
            self.queue,
            self.storage,
            KEYS,
            self.preparing,
            {step: StepPlan(step, backend="batch") for step in ("work", "end")},
            self.outputs.append,
            self.said.append,
            RemoteSettings(**{"poll_s": 0.01, "word_grace_s": 0.0, **settings}),
            leave=self.left.append,
        )
        self.backend.start(self._take)

    def _take(self, updates):
        with self._heard:
            self.updates += updates
            self._heard.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; the backend's thread makes it so."""
        deadline = time.monotonic() + DEADLINE_S
        with self._heard:
            while not condition():
                assert time.monotonic() < deadline, self.updates
                self._heard.wait(0.01)

    def wait_for_submissions(self, count: int) -> None:
        self.wait_for(lambda: len(list(self.storage.list(KEYS.submissions))) >= 2 * count)

    def ended(self) -> dict[JobId, JobUpdate]:
        return {
            one.job: one for one in self.updates if one.state in (JobState.EXITED, JobState.LOST)
        }

    def wait_for_ends(self, count: int) -> dict[JobId, JobUpdate]:
        self.wait_for(lambda: len(self.ended()) >= count)
        return self.ended()

    # --- what attempts tell --------------------------------------------------

    def tell(self, kind, name, member=0, number=0, body=b"", at_ms=1_000, attempt=1):
        key = f"{KEYS.news}{at_ms:013d}/{kind}/{name}/{member}/{attempt}/{number}"
        self.storage.write(key, [body])

    def tell_log(self, name, text, number=1, at_ms=1_000, member=0):
        frame = struct.pack("<BdI", 1, at_ms / 1000, len(text)) + text.encode()
        self.tell("log", name, member, number, frame, at_ms)

    def tell_end(self, name, member=0, result=None, at_ms=9_000, **note):
        line = msgspec.json.encode({"started_at": 1.0, "ended_at": 2.0, **note})
        self.tell("end", name, member, 0, line + b"\n" + (result or b""), at_ms)


def launch(task: int, step: str = "work", attempt: int = 0, inputs: Inputs | None = None) -> Launch:
    return Launch(JobId(str(task), attempt), step, 1, inputs or Inputs(("start/1",), (b"r",)))


def ok_result() -> bytes:
    return encode(AttemptResult(Outcome(ok=True), msgspec.Raw(EMPTY_RECORD)))


def failed_result() -> bytes:
    return encode(AttemptResult(Outcome(ok=False), msgspec.Raw(EMPTY_RECORD)))


class Unanswered(ComputeError):
    """The engine took the job, and its answer was lost."""

    taken = True


def unanswered() -> Unanswered:
    return Unanswered("No answer came.", retryable=True)
