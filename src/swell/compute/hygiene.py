"""What a process does around a fork, so that a forked task looks like a fresh interpreter.

In the driver ``before_fork``, in the zygote ``prepare_to_fork``, in each child first
``cleanse_child`` and at its end ``end_child``. The interpreter's own shutdown is never run:
in a child with pandas loaded it costs more than everything else (18 a second against 413).
"""

from __future__ import annotations

import atexit
import gc
import io
import signal
import sys
from typing import Any

import msgspec

from swell.compute import random_state

_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGCHLD,
    signal.SIGPIPE,
)
_FILE_KINDS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


class Warm(msgspec.Struct):
    """What the driver had when it forked, that each child shall have again.

    ``handlers`` are those of the script or of Python, by signal number; ``files`` are the
    script's open writable files.
    """

    handlers: dict[int, Any]
    blocked: Any
    files: list[Any]


def before_fork() -> Warm:
    """In the driver, just before the zygote is forked and before any handler is set.

    Flushes what the script wrote so far, which would otherwise be written once by each child.
    """
    random_state.note_earlier_seeding()
    files = _writable_files()
    _flush(files)
    _flush([sys.stdout, sys.stderr])
    return Warm(
        handlers={number: signal.getsignal(number) for number in _SIGNALS},
        blocked=signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        files=files,
    )


def prepare_to_fork() -> None:
    """In the zygote, when all that children share is loaded.

    Takes what is alive out of the garbage collector's sight, so that no child copies the
    pages it lies on, and makes printed lines leave the process as they end.
    """
    gc.freeze()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)


def cleanse_child(warm: Warm | None = None) -> None:
    """First thing in a forked child: undo what a fresh interpreter would not have.

    Random state as ``random_state`` says; no exit handler or finalizer of the script or of
    a library (one child would delete the script's temporary folder under its siblings);
    signals as the script left them.
    """
    random_state.renew_unseeded()
    atexit._clear()
    weakref = sys.modules.get("weakref")
    if weakref is not None:
        finalize: Any = weakref.finalize
        finalize._registry.clear()
        finalize._registered_with_atexit = False
    _restore_signals(warm)
    _start_libraries_anew()


def end_child(warm: Warm | None = None) -> None:
    """Last thing in a forked child, before ``os._exit``: what an interpreter's end would do.

    In its order: joins non-daemon threads, runs the exit handlers and finalizers that were
    registered in this child, flushes its files and the standard streams. An exit handler's
    error is printed and ends nothing.
    """
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    atexit._run_exitfuncs()
    _flush([] if warm is None else warm.files)
    _flush(_writable_files())
    _flush([sys.stdout, sys.stderr])


def _restore_signals(warm: Warm | None) -> None:
    if warm is None:
        wanted: dict[int, Any] = dict.fromkeys(_SIGNALS, signal.SIG_DFL)
        wanted[signal.SIGINT] = signal.default_int_handler
        wanted[signal.SIGPIPE] = signal.SIG_IGN
    else:
        wanted = warm.handlers
    signal.set_wakeup_fd(-1)
    for number, handler in wanted.items():
        # None: set by C code, which Python can neither see nor set.
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, () if warm is None else warm.blocked)


def _start_libraries_anew() -> None:
    """Exit handlers that the standard library needs for what this child will make itself."""
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


def _writable_files() -> list[Any]:
    """Open files of this process that Python buffers; outer layers before inner ones.

    After ``gc.freeze`` these are only those made since.
    """
    kinds = set(_FILE_KINDS)
    found = [thing for thing in gc.get_objects() if type(thing) in kinds]
    # TextIOWrapper is the outer layer of a text file.
    found.sort(key=lambda file: type(file) is not io.TextIOWrapper)
    return [file for file in found if not file.closed and file.writable()]


def _flush(files: list[Any]) -> None:
    for file in files:
        try:
            file.flush()
        except (OSError, ValueError, AttributeError):
            # A pipe nobody reads, a file closed meanwhile, a stream set to None: as at an
            # interpreter's end, nothing can be done about it here.
            continue
