"""Messages between the driver and its keeper process: framed MessagePack over a socket."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable, Iterator

import msgspec

from swell.compute.given import Given
from swell.model.record import Usage

_LENGTH = struct.Struct("<I")
_READ_BYTES = 1 << 18


class SetUp(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Once, before the first Begin: what all attempts share.

    ``fresh_argv`` is the command that runs the script in a new interpreter; empty where
    that is not possible.
    """

    context: bytes
    fresh_argv: tuple[str, ...]


class Begin(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Start an attempt on ``lane``, whose previous one has ended, with what it is given.

    With a ``mark``, ``launch`` is a Pack, and the mark stands in its streams after the
    output of each member.
    """

    lane: int
    launch: bytes
    fresh: bool
    given: Given = Given()
    mark: bytes = b""


class Kill(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Send ``signal`` to the process group on ``lane``, if it is still ``pid``."""

    lane: int
    pid: int
    signal: int


ToKeeper = SetUp | Begin | Kill


class Begun(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """The process of the attempt on ``lane`` exists since ``at`` (Unix seconds)."""

    lane: int
    pid: int
    at: float


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The attempt on ``lane`` ended ``at`` and what was left of its group was killed.

    ``status`` is a wait status, ``usage`` what the kernel counted. ``oom_kills`` of its
    processes the kernel killed for their memory; None where they had no group of their own.
    ``is_shared`` says that a process it left behind may still hold the lane's pipes.
    """

    lane: int
    pid: int
    at: float
    status: int
    usage: Usage
    is_shared: bool
    oom_kills: int | None = None


FromKeeper = Begun | Ended


class Channel:
    """One end of the socket.

    The keeper sends and waits (``send``); the driver never waits for it (``post``), since
    the keeper may itself be waiting for the driver to read. ``post`` and ``flush`` may be
    called from any thread, ``send`` and ``receive`` from one at a time.
    """

    def __init__(self, sock: socket.socket, decoder: msgspec.msgpack.Decoder[object]) -> None:
        self._socket = sock
        self._decoder = decoder
        self._encoder = msgspec.msgpack.Encoder()
        self._pending = bytearray()
        self._unsent = bytearray()
        self._posting = threading.Lock()

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._socket.fileno()

    def send(self, *messages: ToKeeper | FromKeeper) -> None:
        """Send ``messages`` together. Raises OSError when the other end is gone."""
        self._socket.sendall(self._framed(messages))

    def post(self, *messages: ToKeeper | FromKeeper) -> bool:
        """Send what goes without waiting; False if something is left for ``flush``.

        Raises OSError when the other end is gone.
        """
        framed = self._framed(messages)
        with self._posting:
            self._unsent += framed
            return self._send_unsent()

    def flush(self) -> bool:
        """Send more of what ``post`` left; False while something is left still."""
        with self._posting:
            return self._send_unsent()

    def _send_unsent(self) -> bool:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent, socket.MSG_DONTWAIT)
                del self._unsent[:sent]
        except BlockingIOError:
            return False
        return True

    def _framed(self, messages: Iterable[ToKeeper | FromKeeper]) -> bytearray:
        out = bytearray()
        for message in messages:
            body = self._encoder.encode(message)
            out += _LENGTH.pack(len(body))
            out += body
        return out

    def receive(self) -> list[object] | None:
        """Messages that have come, at least one byte's worth; None once the other end is gone."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except ConnectionError:
            return None
        if not data:
            return None
        self._pending += data
        return list(self._whole())

    def _whole(self) -> Iterator[object]:
        position = 0
        pending = self._pending
        while len(pending) - position >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(pending, position)
            end = position + _LENGTH.size + length
            if len(pending) < end:
                break
            yield self._decoder.decode(pending[position + _LENGTH.size : end])
            position = end
        del pending[:position]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def keeper_end(sock: socket.socket) -> Channel:
    """The keeper's end: receives ToKeeper."""
    return Channel(sock, msgspec.msgpack.Decoder(ToKeeper))


def driver_end(sock: socket.socket) -> Channel:
    """The driver's end: receives FromKeeper."""
    return Channel(sock, msgspec.msgpack.Decoder(FromKeeper))
