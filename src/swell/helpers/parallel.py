"""Map a function over items in forked processes, one per item."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NamedTuple, NoReturn, TypeVar

from swell.errors import MulticoreException, UseError

_A = TypeVar("_A")
_R = TypeVar("_R")

_POLL_WITHOUT_PIDFD_S = 0.01


class _Child(NamedTuple):
    """A running child; ``output`` is its unnamed file, ``watch`` a pidfd or None."""

    pid: int
    position: int
    output: IO[bytes]
    watch: int | None


class _Failure(NamedTuple):
    """What a child writes instead of a result."""

    summary: str
    trace: str


def parallel_map(
    func: Callable[[_A], _R],
    iterable: Iterable[_A],
    max_parallel: int | None = None,
    dir: str | None = None,
) -> list[_R]:
    """Results of ``func`` for every item, in the order of the items.

    See ``parallel_imap_unordered`` for the arguments and the errors.
    """
    pairs = list(_results(func, iterable, max_parallel, dir))
    pairs.sort(key=lambda pair: pair[0])
    return [result for _, result in pairs]


def parallel_imap_unordered(
    func: Callable[[_A], _R],
    iterable: Iterable[_A],
    max_parallel: int | None = None,
    dir: str | None = None,
) -> Iterator[_R]:
    """Results of ``func``, each as soon as it is there.

    Every item gets a forked process of its own, at most ``max_parallel`` at once (the
    processors this process may use, if not said); so ``func`` may be a lambda, results
    must be picklable. They pass through unnamed temporary files in ``dir``. Raises
    MulticoreException with the child's traceback for the first child that fails; the
    other children are killed then, as they are when the caller stops early.
    """
    return (result for _, result in _results(func, iterable, max_parallel, dir))


def _results(
    func: Callable[[_A], _R], iterable: Iterable[_A], max_parallel: int | None, dir: str | None
) -> Iterator[tuple[int, _R]]:
    limit = len(os.sched_getaffinity(0)) if max_parallel is None else max_parallel
    if limit < 1:
        raise UseError(
            f"max_parallel is {limit}, so that no process could start.",
            remedy="Give a number of 1 or more, or leave it out to use every processor.",
        )
    items = enumerate(iterable)
    running: list[_Child] = []
    owner = os.getpid()
    try:
        while True:
            while len(running) < limit and (item := next(items, None)) is not None:
                running.append(_start(func, item[0], item[1], dir))
            if not running:
                return
            child = _wait_for_any(running)
            status = os.waitpid(child.pid, 0)[1]
            running.remove(child)
            yield child.position, _read_result(child, status)
    finally:
        # A forked process that drops its copy of this generator has no say over the children.
        for child in running if os.getpid() == owner else ():
            _kill(child)


def _start(func: Callable[[_A], _R], index: int, item: _A, dir: str | None) -> _Child:
    # The result's reader is the child's end, not this block.
    output = tempfile.TemporaryFile(prefix="parallel_map_", dir=dir)  # noqa: SIM115
    # Text that waits in a buffer would be printed by the child once more.
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _run_child(func, index, item, output)
    watch = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    return _Child(pid, index, output, watch)


def _run_child(func: Callable[[_A], _R], index: int, item: _A, output: IO[bytes]) -> NoReturn:
    """Write the result, or a _Failure, and end without the interpreter's shutdown."""
    exit_code = 1
    try:
        try:
            answer: object = func(item)
            payload = pickle.dumps(answer, protocol=5)
        except BaseException as error:
            payload = pickle.dumps(_failure(index, error), protocol=5)
        output.write(payload)
        output.flush()
        exit_code = 0
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(exit_code)


def _failure(index: int, error: BaseException) -> _Failure:
    frames = error.__traceback__
    # The first frame is this module's own.
    trace = "".join(
        traceback.format_exception(type(error), error, frames.tb_next if frames else None)
    )
    kind = type(error).__name__
    return _Failure(f"Item {index} failed with {kind}: {error}", trace)


def _wait_for_any(running: list[_Child]) -> _Child:
    """A child that has ended. Where the system has no pidfd, it looks every 10 ms."""
    import select

    if any(child.watch is None for child in running):
        while True:
            for child in running:
                if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    return child
            time.sleep(_POLL_WITHOUT_PIDFD_S)
    poller = select.poll()
    by_watch: dict[int, _Child] = {}
    for child in running:
        if child.watch is not None:
            poller.register(child.watch, select.POLLIN)
            by_watch[child.watch] = child
    return by_watch[poller.poll()[0][0]]


def _read_result(child: _Child, status: int) -> Any:
    try:
        code = os.waitstatus_to_exitcode(status)
        if code != 0:
            raise MulticoreException(
                f"The process of item {child.position} ended {_in_words(code)}, without a result.",
                remedy="Its last words, if any, are in the log.",
            )
        child.output.seek(0)
        result = pickle.load(child.output)
    finally:
        _release(child)
    if isinstance(result, _Failure):
        raise MulticoreException(f"{result.summary}\n\n{result.trace.rstrip()}")
    return result


def _kill(child: _Child) -> None:
    # An interrupt may come after the child was reaped and before it left the list.
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
    _release(child)


def _in_words(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by signal {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def _release(child: _Child) -> None:
    child.output.close()
    if child.watch is not None:
        os.close(child.watch)
