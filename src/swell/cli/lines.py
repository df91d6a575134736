"""Makes lines of the bytes that tasks print, in order, for those who show them."""

from __future__ import annotations

from collections.abc import Iterator

from swell.model.ids import JobId
from swell.scheduler.observe import Notice, Output, TaskBegan, TaskEnded, TaskFailed, TaskRetries

_LONGEST_PARTIAL_LINE = 1 << 16


class LineSplitter:
    """Puts together lines from chunks; of a progress bar's line the last state counts."""

    def __init__(self) -> None:
        self._rest: dict[tuple[JobId, str], bytes] = {}

    def lines(self, job: JobId, stream: str, data: bytes) -> list[str]:
        """Whole lines that ``data`` completes."""
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

    def in_order(self, notice: Notice) -> Iterator[Notice]:
        """What is to be told now that ``notice`` has come."""
        match notice:
            case Output():
                if notice.job in self._begun:
                    yield notice
                else:
                    self._early.setdefault(notice.job, []).append(notice)
            case TaskBegan():
                self._begun.add(notice.job)
                yield notice
                yield from self._early.pop(notice.job, ())
            case TaskEnded() | TaskFailed() | TaskRetries():
                self._begun.discard(notice.job)
                yield from self._early.pop(notice.job, ())
                yield notice
            case _:
                yield notice


def last_state(line: bytes) -> str:
    """What a terminal shows of ``line`` in the end, where carriage returns went back."""
    text = line.rstrip(b"\r")
    return text[text.rfind(b"\r") + 1 :].decode("utf-8", "replace")
