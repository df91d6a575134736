"""A fork of this interpreter that becomes the flow's process: as a new one would be, but started.

Starting Python and importing what both need takes longer than all else that the supervisor does.
The fork is made before there is a thread, a signal handler or a connection, and waits for a word.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

_READ = 1 << 16
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "GLIBC_")
"""Variables that are read when a process starts; PYTHONPATH is followed here too."""


class Twin:
    """The fork as its parent sees it; ``outs`` are the read ends of its stdout and stderr."""

    def __init__(self, pid: int, word: int, outs: Sequence[int]) -> None:
        self.pid = pid
        self.outs = outs
        self._word = word
        self._is_over = False

    def become(self, argv: Sequence[str], environ: Mapping[str, str], folder: str) -> None:
        """Let it run the script ``argv[0]`` in ``folder``."""
        word = json.dumps([list(argv), dict(environ), folder]).encode()
        try:
            while word:
                word = word[os.write(self._word, word) :]
        except BrokenPipeError:
            pass  # it was killed: its end is found like any other
        os.close(self._word)
        self._is_over = True

    def leave(self) -> None:
        """Let it end without having done anything, if it has not become the flow's process."""
        if self._is_over:
            return
        self._is_over = True
        for fd in (self._word, *self.outs):
            os.close(fd)
        os.waitpid(self.pid, 0)


class Waiting:
    """The fork as it sees itself."""

    def __init__(self, word: int) -> None:
        self._word = word
        self._paths = _own_paths()

    def script(self) -> Callable[[], int]:
        """Wait for the word; afterwards nothing in this process is the supervisor's but the
        modules of Python that are loaded. What is given back runs the script.

        Ends the process when there is no word: the supervisor has ended, or needs no fork.
        """
        told = b""
        while True:
            data = os.read(self._word, _READ)
            if not data:
                break
            told += data
        os.close(self._word)
        try:
            argv, environ, folder = json.loads(told)
        except ValueError:
            os._exit(0)
        _take_environment(environ)
        os.chdir(folder)
        sys.argv[:] = argv
        sys.orig_argv = [sys.executable, "-u", *argv]
        sys.path[:] = paths_of(argv[0], environ.get("PYTHONPATH", ""), self._paths)
        _forget_own_modules()
        gc.freeze()
        gc.enable()
        return lambda: run_script(argv[0])


def fork_twin() -> Twin | Waiting | None:
    """Fork; Waiting is given to the new process. None where the new process would differ from a
    started one: another thread runs, or this interpreter was started with other options."""
    if _has_threads() or sys.flags.isolated or sys.flags.no_site:
        return None
    word, outs = os.pipe(), [os.pipe(), os.pipe()]
    pid = os.fork()
    if pid:
        for fd in (word[0], outs[0][1], outs[1][1]):
            os.close(fd)
        return Twin(pid, word[1], [read for read, _ in outs])
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    empty = os.open(os.devnull, os.O_RDONLY)
    for stream, fd in enumerate((empty, outs[0][1], outs[1][1])):
        os.dup2(fd, stream)
    for fd in (empty, word[1], *outs[0], *outs[1]):
        os.close(fd)
    return Waiting(word[0])


def needs_new_process(environ: Mapping[str, str], given: Mapping[str, str]) -> bool:
    """Whether ``given`` changes a variable of ``environ`` that is read when a process starts."""
    return any(
        name.startswith(_READ_AT_START) and name != "PYTHONPATH" and environ.get(name) != value
        for name, value in given.items()
    )


def paths_of(script: str, pythonpath: str, own: Sequence[str]) -> list[str]:
    """Where Python looks for modules when it is started with ``script``, in the working folder.

    ``own`` is what it knows by itself.
    """
    named = [os.path.abspath(path) for path in pythonpath.split(os.pathsep)] if pythonpath else []
    paths = list(dict.fromkeys([*named, *own]))
    if getattr(sys.flags, "safe_path", False):
        return paths
    return [os.path.dirname(os.path.realpath(script)), *paths]


def run_script(script: str) -> int:
    """Run ``script`` as ``__main__``; returns the exit code. SystemExit passes through."""
    import builtins
    import importlib.machinery

    path = os.path.abspath(script)
    main = type(sys)("__main__")
    values = vars(main)
    values["__builtins__"] = builtins
    values["__loader__"] = importlib.machinery.SourceFileLoader("__main__", path)
    values["__file__"] = path
    values["__cached__"] = None
    values["__annotations__"] = {}
    sys.modules["__main__"] = main
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        sys.stderr.write(f"{sys.executable}: can't open file '{path}': {error}\n")
        return 2
    try:
        exec(compile(source, path, "exec", dont_inherit=True), values)
    except Exception as error:
        # Without the frame of this function, as if Python had been started with the script.
        own = error.__traceback__
        error.__traceback__ = own.tb_next if own is not None else None
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def _has_threads() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) != 1
    except OSError:
        return True


def _own_paths() -> list[str]:
    """``sys.path`` without what the environment has put there."""
    named = os.environ.get("PYTHONPATH", "")
    others = {os.path.abspath(path) for path in named.split(os.pathsep)} if named else set()
    return [path for path in sys.path if path not in others]


def _take_environment(environ: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name not in environ]:
        del os.environ[name]
    os.environ.update(environ)


def _forget_own_modules() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "swell"]:
        del sys.modules[name]
    archive = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    for path in [path for path in sys.path_importer_cache if path.startswith(archive)]:
        del sys.path_importer_cache[path]
