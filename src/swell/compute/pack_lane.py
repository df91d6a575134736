"""Reads what the process of a pack has left in its pipes."""

from __future__ import annotations

from collections.abc import Callable

from swell.compute.lanes import DriverLane
from swell.compute.pack_in_flight import PackInFlight
from swell.model.job import JobUpdate

Tell = Callable[[int, str, bytes], None]
"""(member, stream, data): it printed this."""


def read_pack(
    pack: PackInFlight, lane: DriverLane, begun_at: float, pid: int | None, tell: Tell
) -> list[JobUpdate]:
    """What became of members since the last time, and through ``tell`` what they printed.

    ``begun_at`` is when the member began that runs now.
    """
    ends = pack.take_results(lane.read_results(), pid)
    first = pack.ended - len(ends)
    begun: list[JobUpdate] = []
    for fd, name, stream in (
        (lane.stdout_fd, "stdout", pack.stdout),
        (lane.stderr_fd, "stderr", pack.stderr),
    ):
        # At least up to the mark of the last one that ended, which stands before its result.
        chunk = lane.read(fd)
        while chunk is not None:
            for member, data in stream.take(chunk.data):
                at = ends[member - first].began_at if member < pack.ended else begun_at
                begun += pack.announce(member, at or begun_at, pid)
                tell(member, name, data)
            chunk = lane.read(fd) if stream.member < pack.ended else None
    return [*begun, *ends]


def read_rest(
    pack: PackInFlight, lane: DriverLane, at: float, pid: int | None, tell: Tell
) -> list[JobUpdate]:
    """All that is left in the pipes, now that the process is gone."""
    begun: list[JobUpdate] = []
    last = len(pack.pack.members) - 1
    for fd, name, stream in (
        (lane.stdout_fd, "stdout", pack.stdout),
        (lane.stderr_fd, "stderr", pack.stderr),
    ):
        pieces = []
        while (chunk := lane.read(fd)) is not None:
            pieces += stream.take(chunk.data)
        for piece in [*pieces, *stream.rest()]:
            # What exit handlers print is the last one's.
            member = min(piece.member, last, pack.ended)
            begun += pack.announce(member, at, pid) if member >= pack.ended else []
            tell(member, name, piece.data)
    return begun
