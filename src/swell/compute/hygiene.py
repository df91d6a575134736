"""What a process does around a fork, so that a forked task looks like a fresh interpreter.

In the driver ``before_fork``, in the zygote ``prepare_to_fork``, in each child first
``cleanse_child`` and at its end ``end_child``. The interpreter's own shutdown is never run:
in a child with pandas loaded it costs more than everything else (18 a second against 413).
A process that was started for one attempt ends in the same way, by ``end_process``.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # has no stub
import atexit
import gc
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from swell.compute import random_state
from swell.compute.open_files import (
    flush_files,
    flush_streams,
    may_have_files_to_flush,
    writable_files,
)

# The C module: signal's own functions make an Enum of every number, and in a forked child
# each page that is touched first costs microseconds.
_SIGNALS = (
    _signal.SIGINT,
    _signal.SIGTERM,
    _signal.SIGHUP,
    _signal.SIGQUIT,
    _signal.SIGCHLD,
    _signal.SIGPIPE,
)


HELD = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
"""Blocked in the zygote, so that one sent to a child before it has its handlers waits for them."""


class Warm(msgspec.Struct):
    """What the driver had when it forked, that each child shall have again.

    ``handlers`` are those of the script or of Python, by signal number; ``files`` the
    script's open writable files. The zygote adds ``renewals``, which set a child's random
    state; a child ``free_fd``, the lowest descriptor that was free when it began.
    """

    seeds: random_state.Seeds
    handlers: tuple[tuple[int, Any], ...]
    files: tuple[Any, ...]
    renewals: tuple[Callable[[], object], ...] = ()
    free_fd: int = -1


def before_fork() -> Warm:
    """In the driver, just before it forks the zygote and before it sets any handler.

    Flushes what the script wrote so far, which each child would otherwise write again.
    """
    files = writable_files() if may_have_files_to_flush() else []
    flush_files([file for file in files if type(file).__module__ == "_io"])
    flush_streams()
    handlers = ((number, _signal.getsignal(number)) for number in _SIGNALS)
    return Warm(
        seeds=random_state.look_at_seeds(),
        # None: set by C code, which Python can neither see nor set.
        handlers=tuple(pair for pair in handlers if pair[1] is not None),
        files=tuple(files),
    )


def prepare_to_fork(warm: Warm) -> None:
    """In the zygote, when all that its children share is loaded. Twice is as good as once.

    Forgets the exit handlers and finalizers of the script and of libraries (one child would
    delete the script's temporary folder under its siblings), makes printed lines leave the
    process as they end, and takes what is alive out of the garbage collector's sight, so
    that no child copies the pages it lies on.
    """
    _forget_exit_handlers()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)
    warm.renewals = random_state.renewals(warm.seeds)
    gc.freeze()


def cleanse_child(warm: Warm) -> None:
    """First thing in a forked child: what only the child can do to look fresh.

    Random state as ``random_state`` says; signals as the script left them. Each page that
    is touched here first is copied, which costs microseconds: keep this short.
    """
    for renew in warm.renewals:
        renew()
    _signal.set_wakeup_fd(-1)
    for number, handler in warm.handlers:
        _signal.signal(number, handler)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, HELD)
    warm.free_fd = _lowest_free_fd()


def end_child(warm: Warm) -> None:
    """Last thing in a forked child, before ``os._exit``: what an interpreter's end would do.

    In its order: joins non-daemon threads, runs the exit handlers and finalizers that were
    registered in this child, flushes its files and the standard streams. An exit handler's
    error is printed and ends nothing.
    """
    _join_and_say_goodbye()
    if warm.files or _lowest_free_fd() != warm.free_fd:
        flush_files([*warm.files, *writable_files()])
    flush_streams()


def end_process() -> NoReturn:
    """End a process that was started for one attempt, with 0: as ``end_child`` does.

    Taking an interpreter apart costs 40 ms, as much as starting two.
    """
    _join_and_say_goodbye()
    if not _has_only_streams():
        flush_files(writable_files())
    flush_streams()
    os._exit(0)


def _join_and_say_goodbye() -> None:
    threading: Any = sys.modules.get("threading")
    if threading is not None and len(threading._active) > 1:
        threading._shutdown()
    atexit._run_exitfuncs()


def _has_only_streams() -> bool:
    """Whether the three standard streams are all that is open."""
    try:
        # The fourth is that of the listing.
        return set(os.listdir("/proc/self/fd")) == {"0", "1", "2", "3"}
    except OSError:
        return False


def _lowest_free_fd() -> int:
    """Higher than it was where a file was opened and is not closed yet."""
    number = os.dup(2)
    os.close(number)
    return number


def _forget_exit_handlers() -> None:
    atexit._clear()
    weakref: Any = sys.modules.get("weakref")
    if weakref is not None:
        weakref.finalize._registry.clear()
        weakref.finalize._registered_with_atexit = False
    # What the standard library needs for the things that a child will make itself:
    logging = sys.modules.get("logging")
    if logging is not None:
        atexit.register(logging.shutdown)
    processes: Any = sys.modules.get("multiprocessing.process")
    if processes is not None:
        processes._children.clear()  # they are the driver's: an exit would end them
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:
        util._finalizer_registry.clear()
        util._run_after_forkers()
        atexit.register(util._exit_function)
