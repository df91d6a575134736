"""What the live view knows of a run; gathered from notices, without a clock or a screen."""

from __future__ import annotations

from collections.abc import Mapping

from swell.scheduler.observe import (
    Notice,
    Progress,
    RunBegan,
    RunFinished,
    TaskBegan,
    TaskEnded,
    TaskFailed,
    TaskRetries,
    TasksEnded,
    TasksEnding,
)
from swell.scheduler.ready import StepCounts

NO_TASKS = StepCounts()


class StepTimes:
    """When a step's tasks ran: Unix seconds, and seconds of those that ended well."""

    __slots__ = ("began_at", "ended", "ended_at", "seconds")

    def __init__(self) -> None:
        self.began_at: float | None = None
        self.ended_at = 0.0
        self.seconds = 0.0
        self.ended = 0

    @property
    def mean_s(self) -> float | None:
        """Mean time of a task that ended well."""
        return self.seconds / self.ended if self.ended else None


class RunView:
    """Belongs to the thread of the run's loop. ``counts`` are the scheduler's own, live."""

    def __init__(self) -> None:
        self.flow = ""
        self.number = 0
        self.origin: int | None = None
        self.began_at: float | None = None
        self.steps: tuple[str, ...] = ()
        self.counts: Mapping[str, StepCounts] = {}
        self.times: dict[str, StepTimes] = {}
        self.ending = ""
        self.finished: RunFinished | None = None

    def take(self, notice: Notice) -> None:
        """Note what ``notice`` says."""
        match notice:
            case TaskBegan():
                times = self._times(notice.step)
                if times.began_at is None:
                    times.began_at = notice.at
            case TaskEnded():
                self._ended(notice)
            case TasksEnded():
                times = self._times(notice.step)
                if times.began_at is None:
                    times.began_at = notice.ended[0].at - notice.ended[0].seconds
                for one in notice.ended:
                    self._ended(one)
            case TaskFailed() | TaskRetries():
                times = self._times(notice.step)
                times.ended_at = max(times.ended_at, notice.at)
            case Progress():
                self.counts = notice.counts
            case RunBegan():
                self.flow, self.number = notice.run.flow, notice.run.number
                self.steps, self.began_at, self.origin = notice.steps, notice.at, notice.origin
            case TasksEnding():
                self.ending = notice.why
            case RunFinished():
                self.finished = notice

    def counts_of(self, step: str) -> StepCounts:
        """Where the tasks of ``step`` are."""
        return self.counts.get(step, NO_TASKS)

    def _ended(self, notice: TaskEnded) -> None:
        times = self._times(notice.step)
        times.ended_at = max(times.ended_at, notice.at)
        times.seconds += notice.seconds
        times.ended += 1

    def _times(self, step: str) -> StepTimes:
        times = self.times.get(step)
        if times is None:
            times = self.times[step] = StepTimes()
        return times
