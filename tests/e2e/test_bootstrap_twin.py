"""The flow's process is a fork of its supervisor, and cannot be told from a started Python."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.bootstrap_stage import PYTHON, Stage

LOOK = """\
import json, os, sys
fds = sorted(os.listdir("/proc/self/fd"))  # the last one is that of the listing
import gc, signal, threading
main = sys.modules["__main__"]
numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP]
print(json.dumps({
    "argv": sys.argv,
    "orig_argv": sys.orig_argv,
    "path": sys.path,
    "flags": str(sys.flags),
    "warnings": sys.warnoptions,
    "main": sorted(vars(main)),
    "names": [main.__name__, main.__file__, str(main.__spec__), type(main.__builtins__).__name__],
    "own": main is sys.modules[__name__] and vars(main) is globals(),
    "swell": [name for name in sys.modules if name.startswith("swell")],
    "zip": [path for path in sys.path_importer_cache if ".zip/" in path],
    "handlers": [str(signal.getsignal(number)) for number in numbers],
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "wakeup": signal.set_wakeup_fd(-1),
    "fds": fds,
    "leads": os.getpgrp() == os.getpid(),
    "folder": os.getcwd(),
    "stdin": sys.stdin.read(),
    "through": [sys.stdout.write_through, sys.stderr.write_through],
    "gc": gc.isenabled(),
    "threads": threading.active_count(),
    "environ": {k: v for k, v in os.environ.items() if k != "SWELL_ATTEMPT"},
}))
"""

FAIL = """\
def inner():
    return {}["nothing"]

try:
    inner()
except KeyError as error:
    raise RuntimeError("it failed") from error
"""


@pytest.fixture
def started(stage: Stage, tmp_path: Path) -> Iterator[Stage]:
    """A stage whose attempts start an interpreter for the script."""
    folder = tmp_path / "started"
    folder.mkdir()
    with closing(Stage(stage.server, folder, changes={"executable": PYTHON})) as other:
        yield other


def seen(stage: Stage, **environ: str) -> str:
    """What the script prints on both streams, its folder and the stage's left out."""
    done = stage.run(**environ)
    text = (done.stdout + done.stderr).decode()
    cache, attempt = str(stage.folder / "tmp"), text.partition(f"{stage.folder}/tmp/swell-")[2]
    folder = f"{cache}/swell-{attempt.partition('/')[0]}"
    return text.replace(folder, "ATTEMPT").replace(str(stage.folder), "STAGE")


def test_a_script_finds_what_it_would_find_in_a_started_python(
    stage: Stage, started: Stage
) -> None:
    stage.prepare(LOOK)
    started.prepare(LOOK)
    # The language as in Python's own image: without one, Python changes it for those it starts.
    given = {"PYTHONPATH": "/nowhere:relative:", "LANG": "C.UTF-8"}

    found, wanted = json.loads(seen(stage, **given)), json.loads(seen(started, **given))

    changing = ("SWELL_STORE", "SWELL_SPOT_NOTICE")
    for one in (found, wanted):
        one["environ"] = {k: v for k, v in one["environ"].items() if k not in changing}
    assert found == wanted
    assert found["swell"] == []
    assert found["fds"] == ["0", "1", "2", "3"]


def test_an_exception_is_told_as_by_a_started_python(stage: Stage, started: Stage) -> None:
    stage.prepare(FAIL)
    started.prepare(FAIL)

    assert seen(stage) == seen(started)
    assert stage.end().told["exit_code"] == 1


@pytest.mark.parametrize("script", ["import sys; sys.exit('enough')", "def broken(:\n", "exit(7)"])
def test_a_script_ends_as_in_a_started_python(stage: Stage, started: Stage, script: str) -> None:
    stage.prepare(script)
    started.prepare(script)

    assert seen(stage) == seen(started)
    assert stage.end().told["exit_code"] == started.end().told["exit_code"] != 0


def test_threads_are_waited_for_and_exit_handlers_run(stage: Stage) -> None:
    stage.prepare(
        "import atexit, threading\n"
        "go = threading.Event()\n"
        "atexit.register(print, 'handler')\n"
        "threading.Thread(target=lambda: (go.wait(), print('thread'))).start()\n"
        "go.set()\n"
    )

    assert sorted(stage.run().stdout.split()) == [b"handler", b"thread"]


def test_modules_of_pythonpath_are_the_flows_and_not_the_supervisors(stage: Stage) -> None:
    own = stage.folder / "own"
    own.mkdir()
    (own / "hmac.py").write_text("raise SystemExit('the wrong hmac')")
    (own / "mine.py").write_text("name = 'mine'")
    stage.prepare("import mine; print(mine.name)")

    done = stage.run(PYTHONPATH=str(own))

    assert (done.stdout, done.stderr) == (b"mine\n", b"")


def test_a_variable_that_python_reads_when_it_starts_gets_a_started_python(stage: Stage) -> None:
    stage.changes["environment"] = {"PYTHONHASHSEED": "7"}
    stage.prepare("print(hash('text'))")
    environ = {**os.environ, "PYTHONHASHSEED": "7"}
    wanted = subprocess.check_output([PYTHON, "-c", "print(hash('text'))"], env=environ)

    assert stage.run().stdout == wanted


def test_where_a_thread_runs_from_the_start_python_is_started_anew(stage: Stage) -> None:
    own = stage.folder / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    stage.prepare("print(open('/proc/self/cmdline').read().split('\\0')[1:3])")

    assert stage.run(PYTHONPATH=str(own)).stdout == b"['-u', 'flow.py']\n"


def test_a_fork_that_is_not_needed_is_gone_before_the_attempt_ends(stage: Stage) -> None:
    stage.changes["executable"] = PYTHON
    stage.prepare(
        "import os\n"
        "parent = os.getppid()\n"
        "children = open(f'/proc/{parent}/task/{parent}/children').read().split()\n"
        "print(children == [str(os.getpid())])\n"
    )

    assert stage.run().stdout == b"True\n"
