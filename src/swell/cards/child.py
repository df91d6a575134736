"""Make bytes in a forked child, within a time limit: a hanging or dying maker harms nobody."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

import msgspec

from swell.errors import CardError

_CHUNK_BYTES = 1 << 20
_MADE, _RAISED = b"+", b"-"


class ChildFailed(CardError):
    """The child raised, died or was late; ``trace`` is its traceback, if it had one."""

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace


class _Child(msgspec.Struct, frozen=True):
    """A running child and the end of the pipe it writes to."""

    pid: int
    pipe: int


def make_in_child(make: Callable[[], bytes], timeout_s: float) -> bytes:
    """What ``make`` returns, called in a forked child of this process.

    Raises ChildFailed if it raises, dies, or takes longer than ``timeout_s``; the child
    is gone in any case.
    """
    child = _start(make)
    try:
        answer = _read_until(child.pipe, time.monotonic() + timeout_s)
        if answer is None:
            raise ChildFailed(f"It was not done after {timeout_s:g} s.")
    finally:
        os.close(child.pipe)
        os.kill(child.pid, signal.SIGKILL)
        status = os.waitpid(child.pid, 0)[1]
    if answer[:1] == _MADE:
        return answer[1:]
    if answer[:1] == _RAISED:
        summary, _, trace = answer[1:].decode(errors="replace").partition("\n")
        raise ChildFailed(summary, trace)
    raise ChildFailed(_death(os.waitstatus_to_exitcode(status)))


def _start(make: Callable[[], bytes]) -> _Child:
    reader, writer = os.pipe()
    # Text that waits in a buffer would be printed by the child once more.
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _run(make, writer)
    os.close(writer)
    return _Child(pid, reader)


def _run(make: Callable[[], bytes], writer: int) -> NoReturn:
    """Write one byte for how it went, then the answer; end without Python's shutdown."""
    try:
        try:
            answer = _MADE + make()
        except BaseException as error:
            summary = f"{type(error).__name__}: {error}".replace("\n", " ")
            answer = _RAISED + f"{summary}\n{traceback.format_exc()}".encode()
        rest = memoryview(answer)
        while rest:
            rest = rest[os.write(writer, rest) :]
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)


def _read_until(pipe: int, deadline: float) -> bytes | None:
    """All that comes until the pipe closes; None if it is still open at ``deadline``."""
    pieces: list[bytes] = []
    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    while True:
        left_ms = int((deadline - time.monotonic()) * 1000)
        if left_ms <= 0 or not poller.poll(left_ms):
            return None
        piece = os.read(pipe, _CHUNK_BYTES)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def _death(code: int) -> str:
    if code >= 0:
        return f"Its process ended with exit code {code}."
    return f"Its process was ended by signal {signal.Signals(-code).name}."
