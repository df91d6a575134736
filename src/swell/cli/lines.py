"""Makes lines of the bytes that tasks print, in order, for those who show them."""

from __future__ import annotations

from collections.abc import Sequence

from swell.model.ids import JobId
from swell.scheduler.observe import Notice, Output, TaskBegan, TaskEnded, TaskFailed, TaskRetries

_LONGEST_PARTIAL_LINE = 1 << 16
# Tuples: `A | B` makes a new object each time it is gone through, which costs microseconds.
_ENDS = (TaskEnded, TaskFailed, TaskRetries)


class LineSplitter:
    """Puts together lines from chunks; of a progress bar's line the last state counts."""

    def __init__(self) -> None:
        self._rest: dict[tuple[JobId, str], bytes] = {}

    def lines(self, job: JobId, stream: str, data: bytes) -> list[str]:
        """Whole lines that ``data`` completes."""
        if not self._rest and data.endswith(b"\n") and b"\r" not in data:
            return data[:-1].decode("utf-8", "replace").split("\n")
        key = (job, stream)
        parts = (self._rest.pop(key, b"") + data).split(b"\n")
        rest = parts.pop()
        if len(rest) > _LONGEST_PARTIAL_LINE:
            parts.append(rest)
        elif rest:
            self._rest[key] = rest
        return [last_state(part) for part in parts]

    def rest(self, job: JobId) -> list[tuple[str, str]]:
        """What ``job`` left without an end of line, as (stream, text)."""
        if not self._rest:
            return []
        keys = [key for key in ((job, "stdout"), (job, "stderr")) if key in self._rest]
        return [(key[1], last_state(self._rest.pop(key))) for key in keys]


class BegunFirst:
    """Holds back the output of a task until its beginning was told.

    The backend's thread, which brings output, may be faster than the run's loop.
    """

    def __init__(self) -> None:
        self._begun: set[JobId] = set()
        self._early: dict[JobId, list[Output]] = {}

    def in_order(self, notice: Notice) -> Sequence[Notice]:
        """What is to be told now that ``notice`` has come."""
        if isinstance(notice, Output):
            if notice.job in self._begun:
                return (notice,)
            self._early.setdefault(notice.job, []).append(notice)
            return ()
        if isinstance(notice, TaskBegan):
            self._begun.add(notice.job)
            return (notice, *self._early.pop(notice.job, ()))
        if isinstance(notice, _ENDS):
            self._begun.discard(notice.job)
            return (*self._early.pop(notice.job, ()), notice)
        return (notice,)


def last_state(line: bytes) -> str:
    """What a terminal shows of ``line`` in the end, where carriage returns went back."""
    text = line.rstrip(b"\r")
    return text[text.rfind(b"\r") + 1 :].decode("utf-8", "replace")
