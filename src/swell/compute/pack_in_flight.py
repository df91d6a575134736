"""The driver's view of a process that runs a Pack: whose output is whose, and whose its end.

Takes bytes and gives members' ends; reads nothing itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from swell.compute.packed import MemberEnd
from swell.model.cause import Evidence
from swell.model.ids import JobId
from swell.model.job import JobState, JobUpdate, Pack
from swell.model.record import Usage

_LENGTH_BYTES = 4
_decode_end = msgspec.msgpack.Decoder(MemberEnd).decode


class Piece(NamedTuple):
    """Output of one member."""

    member: int
    data: bytes


class MarkedStream:
    """Tells members apart in one stream of their process: ``mark`` ends the output of each."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._held = b""
        self.member = 0
        """Whose output comes next."""

    def take(self, data: bytes) -> list[Piece]:
        """The pieces in ``data``; what may be the beginning of a mark is held back."""
        parts = (self._held + data).split(self._mark)
        last = parts.pop()
        pieces = []
        for part in parts:
            if part:
                pieces.append(Piece(self.member, part))
            self.member += 1
        held = _overlap(last, self._mark)
        self._held = last[len(last) - held :]
        if len(last) > held:
            pieces.append(Piece(self.member, last[: len(last) - held]))
        return pieces

    def rest(self) -> list[Piece]:
        """What was held back, once the process is gone."""
        held, self._held = self._held, b""
        return [Piece(self.member, held)] if held else []


def _overlap(data: bytes, mark: bytes) -> int:
    """How many bytes at the end of ``data`` are a beginning of ``mark``."""
    for size in range(min(len(data), len(mark) - 1), 0, -1):
        if mark.startswith(data[-size:]):
            return size
    return 0


class PackInFlight:
    """One pack that was handed to a process.

    ``ended`` members, the first ones, have left their result; ``announced`` are those that
    were reported as RUNNING.
    """

    def __init__(self, pack: Pack, mark: bytes) -> None:
        self.pack = pack
        self.mark = mark
        self.ended = 0
        self.announced: set[int] = set()
        self.cancelled: set[JobId] = set()
        self.overdue: int | None = None
        """The member that was found past its time limit."""
        self.stdout = MarkedStream(mark)
        self.stderr = MarkedStream(mark)
        self._results = bytearray()
        self._cpu_s = 0.0

    @property
    def jobs(self) -> list[JobId]:
        """The jobs of all members."""
        return [member.job for member in self.pack.members]

    def job(self, member: int) -> JobId:
        """The job of ``member``."""
        return self.pack.members[member].job

    def take_results(self, data: bytes, pid: int | None) -> list[JobUpdate]:
        """The ends of the members whose whole result has come with ``data``."""
        updates = []
        results = self._results
        results += data
        position = 0
        while len(results) - position >= _LENGTH_BYTES:
            begin = position + _LENGTH_BYTES
            end = begin + int.from_bytes(results[position:begin], "little")
            if len(results) < end:
                break
            updates.append(self._end_of(_decode_end(results[begin:end]), pid))
            self.ended += 1
            position = end
        del results[:position]
        return updates

    def _end_of(self, end: MemberEnd, pid: int | None) -> JobUpdate:
        self._cpu_s += end.usage.cpu_s or 0.0
        return JobUpdate(
            self.job(self.ended),
            JobState.EXITED,
            end.ended_at,
            pid,
            end.result,
            None,
            end.usage,
            began_at=end.began_at,
        )

    def announce(self, member: int, began_at: float, pid: int | None) -> list[JobUpdate]:
        """RUNNING for ``member``, unless it was told."""
        if member in self.announced:
            return []
        self.announced.add(member)
        return [JobUpdate(self.job(member), JobState.RUNNING, began_at, pid=pid)]

    def leave(
        self,
        at: float,
        evidence: Evidence,
        usage: Usage,
        *,
        begun: int | None,
        ended_well: bool,
    ) -> list[JobUpdate]:
        """What becomes of the members that have not ended, now that the process has.

        ``begun`` is the member that began last. The end is its own if it has left no
        result; all behind it are RETURNED.
        """
        members = range(self.ended, len(self.pack.members))
        blamed = self._blamed(begun, ended_well=ended_well)
        cpu_s = max(0.0, (usage.cpu_s or 0.0) - self._cpu_s)
        used = msgspec.structs.replace(usage, cpu_s=cpu_s)
        return [
            JobUpdate(self.job(one), JobState.EXITED, at, evidence=evidence, usage=used)
            if one == blamed
            else JobUpdate(self.job(one), JobState.RETURNED, at)
            for one in members
        ]

    def _blamed(self, begun: int | None, *, ended_well: bool) -> int | None:
        if self.overdue is not None and begun != self.overdue:
            return None  # it ended by itself, just before the process was ended for it
        if begun is not None and begun >= self.ended:
            is_meant = not self.cancelled or self.job(begun) in self.cancelled
            return begun if is_meant else None
        # A process in which nothing ever began would be tried again for ever.
        return 0 if self.ended == 0 and not ended_well and not self.cancelled else None

    def asked_to_end(self, jobs: Collection[JobId]) -> None:
        """``jobs``, members of this pack, are to end."""
        self.cancelled.update(jobs)
