"""How much of a long stream stays: its head, its tail, and lines that tell what is left out."""

from __future__ import annotations

from collections import deque

_TAIL_SHARE = 10
_MERGE_S = 0.01
_MERGE_BYTES = 4096
_TAIL_PIECES = 10_000


class Piece:
    """Bytes of a stream as they came; ``at`` is Unix seconds.

    A notice is a line of ours within the stream.
    """

    __slots__ = ("at", "data", "is_notice")

    def __init__(self, at: float, data: bytes, is_notice: bool = False) -> None:
        self.at = at
        self.data = data
        self.is_notice = is_notice


class Cut:
    """One stream: the first nine tenths of ``max_bytes`` stay, and the last tenth, which is
    kept in memory until the stream ends."""

    def __init__(self, stream: str, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._tail_bytes = max(1, max_bytes // _TAIL_SHARE)
        self._room = max_bytes - self._tail_bytes
        self._tail: deque[Piece] | None = None
        self._held = self._dropped = 0
        self._is_cut = False

    def admit(self, piece: Piece) -> list[Piece]:
        """What of ``piece`` is to be written now."""
        if self._tail is None:
            if len(piece.data) <= self._room:
                self._room -= len(piece.data)
                return [piece]
            head = piece.data.rfind(b"\n", 0, self._room) + 1 or self._room
            self._tail = deque()
            self._hold(Piece(piece.at, piece.data[head:]))
            written = [Piece(piece.at, piece.data[:head])] if head else []
        else:
            self._hold(piece)
            written = []
        if self._held > self._tail_bytes:
            if not self._is_cut:
                self._is_cut = True
                written.append(self._notice(piece.at, "is longer than", "what follows is left out"))
            self._drop()
        return written

    def rest(self) -> list[Piece]:
        """The tail, with a word on what was left out before it."""
        if not self._tail:
            return []
        if not self._is_cut:
            return list(self._tail)
        first = self._tail.popleft()
        # The cut fell somewhere in a line.
        start = max(0, self._held - self._tail_bytes)
        newline = first.data.find(b"\n", start) + 1
        start = newline or start
        size = f"{(self._dropped + start) / 1e6:,.1f} MB"
        notice = self._notice(first.at, "was cut at", f"{size} left out here")
        rest = [Piece(first.at, first.data[start:])] if first.data[start:] else []
        return [notice, *rest, *self._tail]

    def _hold(self, piece: Piece) -> None:
        assert self._tail is not None
        self._held += len(piece.data)
        last = self._tail[-1] if self._tail else None
        # Single characters, each with its time, would take a hundred times their size.
        if last is not None and len(last.data) < _MERGE_BYTES:
            near = piece.at - last.at < _MERGE_S
            if near or len(self._tail) >= _TAIL_PIECES:
                self._tail[-1] = Piece(last.at, last.data + piece.data)
                return
        self._tail.append(piece)

    def _drop(self) -> None:
        assert self._tail is not None
        while self._held - len(self._tail[0].data) >= self._tail_bytes:
            gone = len(self._tail.popleft().data)
            self._held -= gone
            self._dropped += gone

    def _notice(self, at: float, what: str, then: str) -> Piece:
        limit = f"{self._max_bytes / 1e6:g} MB"
        text = f"[swell: this {self._stream} {what} {limit} (--max-log-size): {then}]\n"
        return Piece(at, text.encode(), is_notice=True)
