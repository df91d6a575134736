"""Runs the members of a Pack in this process, one after the other, each as if it were alone.

Between two members all that a step can change behind swell's back is set back as it was:
the random state, the environment, the working folder, the standard streams. What modules
and libraries remember is shared. A member's result leaves the process before the next one
begins, so that a crash costs the member that crashed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from swell.compute import random_state
from swell.compute.measuring import Inherited
from swell.compute.member_memory import MemberMemory
from swell.compute.member_usage import MemberUsage
from swell.compute.open_files import flush_streams
from swell.model.job import Launch, Pack
from swell.model.record import Usage

RunLaunch = Callable[[Launch, Callable[[], None]], bytes]
"""(Launch, sign of life) → encoded AttemptResult."""
MarkMember = Callable[[float, int], None]
"""(Unix seconds, member): it begins now."""


class MemberEnd(msgspec.Struct, frozen=True, array_like=True):
    """What a member of a pack left: times in Unix seconds, an encoded AttemptResult, and what
    it used."""

    began_at: float
    ended_at: float
    result: bytes
    usage: Usage


class Streams(NamedTuple):
    """Where a pack's process writes: results; standard output and error, in which ``mark``
    stands after the output of each member."""

    result: int
    stdout: int
    stderr: int
    mark: bytes


class Origin(NamedTuple):
    """What a pack's process had when it began; ``inherited`` if it was forked, ``oom_events``
    where it is in a control group of its own."""

    seeds: random_state.Seeds
    inherited: Inherited | None = None
    oom_events: str = ""


def run_pack(
    pack: Pack, run: RunLaunch, streams: Streams, begins: MarkMember, origin: Origin
) -> None:
    """Run members until all have ended, the pack's seconds have passed, or they have left too
    much memory behind for the next one.

    The process must be as a lone attempt would want it.
    """
    pid = os.getpid()
    before = _Before(origin.seeds, streams)
    usage = MemberUsage(origin.inherited)
    memory = MemberMemory(pack.common.resources.memory_mb, origin.oom_events)
    encode = msgspec.msgpack.Encoder().encode
    last_start = time.monotonic() + pack.seconds
    for index in range(len(pack.members)):
        if index:
            if time.monotonic() >= last_start or memory.is_taken():
                return
            before.restore()
        usage.begin()
        began_at = time.time()
        begins(began_at, index)
        result = run(pack.launch(index), _no_sign)
        _join_threads()
        if os.getpid() != pid:
            os._exit(0)  # a copy of this process that the step made: its end is no member's
        flush_streams()
        if memory.was_exceeded():
            # The kernel has ended a part of this task: it counts as if that had been all of it.
            os.kill(pid, signal.SIGKILL)
        end = MemberEnd(began_at, time.time(), result, usage.end())
        # The marks first: who has read the result finds all output before it.
        write_all(streams.stdout, streams.mark)
        write_all(streams.stderr, streams.mark)
        write_framed(streams.result, encode(end))


def write_framed(fd: int, body: bytes) -> None:
    """Write ``body`` with its length, so that a torn one is seen."""
    write_all(fd, len(body).to_bytes(4, "little") + body)


def write_all(fd: int, data: bytes) -> None:
    """Write ``data``, however many calls that takes."""
    written = os.write(fd, data)
    if written < len(data):
        left = memoryview(data)[written:]
        while left:
            left = left[os.write(fd, left) :]


def _no_sign() -> None:
    """The sign of life was given when the member began."""


def _join_threads() -> None:
    """Wait for the threads that a step left, as an interpreter's end would: what they print
    belongs to it. Those of executors are told to end when the process does."""
    threading: Any = sys.modules.get("threading")
    if threading is None or len(threading._active) < 2:
        return
    pools: Any = getattr(sys.modules.get("concurrent.futures.thread"), "_threads_queues", ())
    me = threading.current_thread()
    for thread in threading.enumerate():
        if thread is not me and not thread.daemon and thread not in pools:
            thread.join()


class _Before:
    """What each member shall find; ``restore`` costs microseconds where nothing was changed."""

    def __init__(self, seeds: random_state.Seeds, streams: Streams) -> None:
        self._seeds = seeds
        self._fds = (streams.stdout, streams.stderr)
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._environ = dict(os.environ)
        self._environ_bytes = dict(_bytes_of_environ())
        self._folder = os.getcwd()
        self._renewals: tuple[Callable[[], object], ...] = ()
        self._modules = 0

    def restore(self) -> None:
        """Undo what the member before has done."""
        self._restore_streams()
        if _bytes_of_environ() != self._environ_bytes:
            os.environ.clear()
            os.environ.update(self._environ)
        try:
            moved = os.getcwd() != self._folder
        except FileNotFoundError:
            moved = True
        if moved:
            os.chdir(self._folder)
        self._renew_random_state()

    def _restore_streams(self) -> None:
        sys.stdin, sys.stdout, sys.stderr = self._streams
        for number, fd in enumerate(self._fds, start=1):
            os.dup2(fd, number)

    def _renew_random_state(self) -> None:
        if len(sys.modules) != self._modules:
            self._renewals = random_state.renewals(self._seeds)
            self._modules = len(sys.modules)
        for renew in self._renewals:
            renew()
        random: Any = sys.modules.get("random")
        seed = getattr(random, "seed", None)
        if self._seeds.python is None and getattr(seed, "seeded", False):
            random.seed()


def _bytes_of_environ() -> dict[bytes, bytes]:
    """The environment as it lies under ``os.environ``: compared ten times as fast."""
    data: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]  # not in the stub
    return data
