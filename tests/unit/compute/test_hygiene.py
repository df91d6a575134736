from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

PRELUDE = Path(__file__).with_name("forking_script.py").parent


def run(tmp_path: Path, body: str) -> str:
    """Standard output of a script that may use ``fork_tasks`` and ``show``."""
    script = tmp_path / "script.py"
    head = f"import sys; sys.path.insert(0, {str(PRELUDE)!r})\n"
    script.write_text(head + textwrap.dedent(body))
    done = execute(script)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def execute(script: Path) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=script.parent,
        env=environ,
    )


def values(tmp_path: Path, body: str) -> Any:
    return ast.literal_eval(run(tmp_path, body).splitlines()[-1])


DRAWS = """
from forking_script import fork_tasks, show
import random
import numpy
{seeding}

def draw():
    return [random.random(), numpy.random.random(), numpy.random.normal()]

show(fork_tasks(draw, draw, draw))
"""


def test_siblings_of_a_script_that_seeds_nothing_draw_different_numbers_in_every_run(tmp_path):
    script = DRAWS.format(seeding="numpy.random.normal()")  # a second normal is cached

    first = values(tmp_path, script)
    second = values(tmp_path, script)

    for kind in range(3):
        assert len({task[kind] for task in first + second}) == 6


def test_a_script_that_seeds_starts_each_task_as_a_fresh_interpreter_would(tmp_path):
    seeding = "random.seed(42); numpy.random.seed(42); random.random(); numpy.random.normal()"
    fresh = values(
        tmp_path,
        f"""
        import random, numpy
        {seeding}
        print([random.random(), numpy.random.random(), numpy.random.normal()])
        """,
    )

    assert values(tmp_path, DRAWS.format(seeding=seeding)) == [fresh] * 3


@pytest.mark.parametrize(
    "head",
    [
        "import random\nrandom.seed(7)\nfrom forking_script import fork_tasks, show\n",
        "from random import seed\nseed(7)\nimport random\nfrom forking_script import *\n",
        "from forking_script import *\nimport random\nrandom.seed(7)\n",
        "from forking_script import *\nimport random\n\ndef sow():\n    random.seed(7)\n\nsow()\n",
        "import seeds_itself\nimport random\nfrom forking_script import fork_tasks, show\n",
    ],
)
def test_a_seed_is_noticed_wherever_it_stands(tmp_path, head):
    (tmp_path / "seeds_itself.py").write_text("import random\n\nrandom.seed(7)\n")

    drawn = values(tmp_path, head + "show(fork_tasks(random.random, random.random))\n")

    assert drawn == [0.32383276483316237, 0.32383276483316237]


def test_seeding_with_nothing_takes_the_seed_back(tmp_path):
    drawn = values(
        tmp_path,
        """
        import swell
        from forking_script import fork_tasks, show
        import random
        random.seed(7)
        random.seed()
        show(fork_tasks(random.random, random.random))
        """,
    )

    assert drawn[0] != drawn[1]


def test_a_seed_in_a_step_is_not_taken_for_the_scripts(tmp_path):
    drawn = values(
        tmp_path,
        """
        import random
        from forking_script import fork_tasks, show

        def step():
            random.seed(7)

        show(fork_tasks(random.random, random.random))
        """,
    )

    assert drawn[0] != drawn[1]


def test_watching_for_a_seed_does_not_import_random(tmp_path):
    shown = values(
        tmp_path,
        """
        from forking_script import show
        before = "random" in sys.modules
        import random
        loader = type(random.__loader__).__name__
        random.seed(7)
        show([before, loader, random.random(), random.seed.seeded])
        """,
    )

    assert shown == [False, "SourceFileLoader", 0.32383276483316237, True]


def test_the_watched_seed_can_be_pickled(tmp_path):
    shown = values(
        tmp_path,
        """
        from forking_script import show
        import pickle, random
        show(pickle.loads(pickle.dumps(random.seed)) is random.seed)
        """,
    )

    assert shown is True


def test_the_scripts_temporary_folder_outlives_its_tasks(tmp_path):
    shown = values(
        tmp_path,
        """
        from forking_script import fork_tasks, show
        import os, shutil, tempfile, atexit
        folder = tempfile.TemporaryDirectory()
        plain = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, plain)

        def look():
            return [os.path.isdir(folder.name), os.path.isdir(plain)]

        show(fork_tasks(look, look) + [look()])
        """,
    )

    assert shown == [[True, True]] * 3


def test_a_temporary_folder_of_a_task_is_gone_after_it(tmp_path):
    shown = values(
        tmp_path,
        """
        from forking_script import fork_tasks, show
        import os, tempfile
        script_folder = tempfile.TemporaryDirectory()
        kept = []

        def make():
            kept.append(tempfile.TemporaryDirectory())
            return kept[0].name

        show([os.path.exists(name) for name in fork_tasks(make, make)])
        """,
    )

    assert shown == [False, False]


def test_exit_handlers_of_a_task_run_once_and_those_of_the_script_not_in_tasks(tmp_path):
    out = run(
        tmp_path,
        """
        from forking_script import fork_tasks
        import atexit
        atexit.register(print, "script")

        def register():
            atexit.register(print, "task")

        fork_tasks(register, register)
        """,
    )

    assert out.split() == ["task", "task", "script"]


def test_threads_that_are_not_daemons_are_joined_and_executors_end(tmp_path):
    out = run(
        tmp_path,
        """
        from forking_script import fork_tasks
        import threading
        from concurrent.futures import ThreadPoolExecutor

        def start():
            begin = threading.Event()
            threading.Thread(target=lambda: (begin.wait(), print("thread\\n", end=""))).start()
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            ThreadPoolExecutor(1).submit(print, "executor\\n", end="")
            begin.set()

        fork_tasks(start, start)
        """,
    )

    assert sorted(out.split()) == ["executor", "executor", "thread", "thread"]


def test_files_that_a_task_leaves_open_are_flushed(tmp_path):
    run(
        tmp_path,
        """
        from forking_script import fork_tasks
        import gzip
        left = []

        def write():
            left.append(open("text.txt", "w"))
            left.append(open("bytes.bin", "wb"))
            left.append(gzip.open("packed.gz", "wt"))
            left[0].write("a line without an end")
            left[1].write(b"bytes")
            left[2].write("packed")

        fork_tasks(write)
        """,
    )

    import gzip

    assert (tmp_path / "text.txt").read_text() == "a line without an end"
    assert (tmp_path / "bytes.bin").read_bytes() == b"bytes"
    assert gzip.decompress((tmp_path / "packed.gz").read_bytes()) == b"packed"


def test_what_the_script_wrote_is_written_once_and_what_tasks_add_is_not_lost(tmp_path):
    run(
        tmp_path,
        """
        from forking_script import fork_tasks
        log = open("log.txt", "a")
        log.write("script\\n")
        fork_tasks(lambda: log.write("task\\n"), lambda: log.write("task\\n"))
        """,
    )

    assert (tmp_path / "log.txt").read_text() == "script\ntask\ntask\n"


def test_a_line_leaves_the_task_as_it_is_printed_and_the_rest_at_its_end(tmp_path):
    out = run(
        tmp_path,
        """
        from forking_script import fork_tasks
        import os

        def die():
            print("whole line")
            print("lost", end="")
            os._exit(0)

        def end():
            print("no line end", end="")

        print("once", end=" ")
        fork_tasks(die, end)
        """,
    )

    assert out == "once whole line\nno line end"


def test_signal_handlers_are_those_of_the_script(tmp_path):
    shown = values(
        tmp_path,
        """
        from forking_script import fork_tasks, show
        from swell.compute import hygiene
        import signal

        def own(number, frame):
            pass

        signal.signal(signal.SIGTERM, own)
        warm = hygiene.before_fork()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        hygiene.cleanse_child(warm)
        show([
            signal.getsignal(signal.SIGINT) is signal.default_int_handler,
            signal.getsignal(signal.SIGTERM) is own,
            signal.getsignal(signal.SIGHUP) == signal.SIG_DFL,
            signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
        ])
        """,
    )

    assert shown == [True, True, True, True]


def test_a_task_may_fork_use_processes_and_log_as_a_fresh_interpreter(tmp_path):
    shown = values(
        tmp_path,
        """
        from forking_script import fork_tasks, show
        import logging, logging.handlers, multiprocessing, os
        held = logging.handlers.MemoryHandler(100, target=logging.FileHandler("log.txt"))
        logging.getLogger().addHandler(held)

        def work():
            logging.getLogger().warning("held back")
            with multiprocessing.get_context("fork").Pool(2) as pool:
                squares = pool.map(abs, [-1, -2])
            pid = os.fork()
            if pid == 0:
                os._exit(3)
            return [squares, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]

        show(fork_tasks(work, work))
        """,
    )

    assert shown == [[[1, 2], 3]] * 2
    assert (tmp_path / "log.txt").read_text() == "held back\n" * 2


def test_an_exit_handler_that_fails_is_told_and_ends_nothing(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys; sys.path.insert(0, {str(PRELUDE)!r})
            from forking_script import fork_tasks
            import atexit

            def work():
                atexit.register(print, "second")
                atexit.register(lambda: 1 / 0)

            fork_tasks(work)
            """
        )
    )

    done = execute(script)

    assert done.returncode == 0
    assert done.stdout == "second\n"
    assert "ZeroDivisionError" in done.stderr


def test_a_process_for_one_attempt_ends_with_its_threads_handlers_and_files(tmp_path: Path) -> None:
    code = (
        "import atexit, sys, threading\n"
        "from swell.compute.hygiene import end_process\n"
        "class Late:\n"
        "    def __del__(self):\n"
        "        print('taken apart')\n"
        "late = Late()\n"
        "go = threading.Event()\n"
        "threading.Thread(target=lambda: (go.wait(), print('thread'))).start()\n"
        "atexit.register(print, 'handler')\n"
        "file = open(sys.argv[1], 'w')\n"
        "file.write('kept')\n"
        "go.set()\n"
        "end_process()\n"
    )

    said = subprocess.check_output([sys.executable, "-c", code, tmp_path / "file"], text=True)

    assert said.split() == ["thread", "handler"]
    assert (tmp_path / "file").read_text() == "kept"
