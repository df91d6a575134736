"""The last lines of attempts that ended without a word, from what the engine kept of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from swell.compute.output import OutputSink, TaskOutput
from swell.compute.remote.flights import Member
from swell.errors import SwellError
from swell.model.remote import LogFrame, parse_log
from swell.seams.queue import JobQueue, KeptLine
from swell.seams.storage import Storage

MOST_ASKED = 100
"""Of so many attempts of a run: engines answer such questions slowly, and a run of which
more are killed has the same cause in all of them."""
_NEAR_S = 2.0


class LastLine(NamedTuple):
    """A line that was not stored yet; ``stream`` is a guess where the engine does not say."""

    stream: str
    at: float
    text: str


class LastLines:
    """Brings them into the log. ``tell`` is told where they cannot be had; for one thread."""

    def __init__(
        self,
        jobs: JobQueue,
        storage: Storage,
        sink: OutputSink,
        tell: Callable[[str], None],
    ) -> None:
        self._jobs = jobs
        self._storage = storage
        self._sink = sink
        self._tell = tell
        self._left = MOST_ASKED

    def bring(self, members: Iterable[Member]) -> None:
        """Store what is missing of these, which the engine says have ended.

        Those that told their end, or were ended on request, are passed over. Whatever goes
        wrong is told: an end without its last lines is better than none.
        """
        wanted = [
            member
            for member in members
            if member.place not in member.flight.stopped
            and member.place not in member.flight.cancelled
        ][: self._left]
        if not wanted:
            return
        self._left -= len(wanted)
        try:
            self._bring(wanted)
        except SwellError as error:
            if not error.retryable:
                self._left = 0
            self._tell(f"The last lines of jobs that were killed are missing: {error}")

    def _bring(self, members: Sequence[Member]) -> None:
        stored = {member: self._last_frames(member) for member in members}
        found = self._jobs.last_lines(
            {
                (member.flight.engine_id, member.place): frames[0].at if frames else 0.0
                for member, frames in stored.items()
            }
        )
        for member, frames in stored.items():
            kept = found.get((member.flight.engine_id, member.place), ())
            for line in unheard(kept, frames):
                data = f"{line.text}\n".encode()
                self._sink(TaskOutput(member.launch, None, line.stream, data, line.at))

    def _last_frames(self, member: Member) -> list[LogFrame]:
        key = member.flight.last_log(member.place)
        return parse_log(bytes(self._storage.read(key))) if key is not None else []


def unheard(kept: Sequence[KeptLine], stored: Sequence[LogFrame]) -> list[LastLine]:
    """Those of ``kept`` that do not stand in ``stored``, the latest segment of the log.

    The engine stamps a line a moment after the attempt did, and knows whole lines only: a
    line of which ``stored`` has the beginning is given from there on.
    """
    begun: dict[str, str] = {}
    lines: Counter[str] = Counter()
    for stream in {frame.stream for frame in stored}:
        data = b"".join(frame.data for frame in stored if frame.stream == stream)
        *whole, rest = data.decode("utf-8", "replace").split("\n")
        lines.update(line.removesuffix("\r") for line in whole)
        if rest:
            begun[stream] = rest
    first_ms = int(stored[0].at * 1000) if stored else 0
    near = stored[-1].at + _NEAR_S if stored else 0.0
    found: list[LastLine] = []
    for line in kept:
        if round(line.at * 1000) < first_ms:
            continue
        if line.at <= near and lines[line.text]:
            lines[line.text] -= 1
            continue
        of = next((s for s, text in begun.items() if line.text.startswith(text)), None)
        cut = len(begun.pop(of)) if of is not None else 0
        found.append(LastLine(of or "stdout", line.at, line.text[cut:]))
    return found
