"""Gathers what the flow's process prints into segments for the store."""

from __future__ import annotations

import struct

from swell.bootstrap.log_cut import Cut, Piece

STREAMS = {"system": 0, "stdout": 1, "stderr": 2}
NOTICE = 0x80
"""Set in the stream of a frame that is a line of ours within that stream."""
SEGMENT_BYTES = 1 << 20
_FRAME = struct.Struct("<BdI")


class LogFeed:
    """Both streams of one attempt; ``ends`` counts the bytes of each that stand in segments."""

    def __init__(self, max_bytes: int) -> None:
        self.ends = {"stdout": 0, "stderr": 0}
        self._cuts = {stream: Cut(stream, max_bytes) for stream in self.ends}
        self._frames: list[bytes] = []
        self._size = 0
        self._since: float | None = None

    def add(self, stream: str, data: bytes, at: float) -> None:
        """Take ``data`` as it came at ``at`` (Unix seconds)."""
        for piece in self._cuts[stream].admit(Piece(at, data)):
            self._put(stream, piece)

    def end(self) -> None:
        """No more comes: take what was held back of the ends."""
        for stream, cut in self._cuts.items():
            for piece in cut.rest():
                self._put(stream, piece)

    def due_at(self, segment_s: float) -> float | None:
        """When the next segment is to be taken; None while there is nothing for it."""
        if self._since is None:
            return None
        return self._since if self._size >= SEGMENT_BYTES else self._since + segment_s

    def take(self) -> list[bytes]:
        """All that was gathered, as segments of about 1 MB at most."""
        segments: list[list[bytes]] = []
        size = SEGMENT_BYTES
        for frame in self._frames:
            if size >= SEGMENT_BYTES:
                segments.append([])
                size = 0
            segments[-1].append(frame)
            size += len(frame)
        self._frames = []
        self._size = 0
        self._since = None
        return [b"".join(frames) for frames in segments]

    def _put(self, stream: str, piece: Piece) -> None:
        number = STREAMS[stream] | (NOTICE if piece.is_notice else 0)
        self._frames.append(_FRAME.pack(number, piece.at, len(piece.data)) + piece.data)
        self.ends[stream] += len(piece.data)
        self._size += len(piece.data)
        if self._since is None:
            self._since = piece.at
