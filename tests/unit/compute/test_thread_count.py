from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("numpy")

PRELUDE = Path(__file__).with_name("forking_script.py").parent


def values(tmp_path: Path, body: str, **variables: str) -> object:
    script = tmp_path / "script.py"
    head = f"import sys; sys.path.insert(0, {str(PRELUDE)!r})\n"
    script.write_text(head + textwrap.dedent(body))
    environ = {k: v for k, v in os.environ.items() if not k.endswith("_THREADS")} | variables
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, env=environ
    )
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout)


MULTIPLY = """
from forking_script import fork_tasks, show
from swell.compute.thread_count import set_thread_count
import ctypes, os, re
import numpy
matrix = numpy.ones((500, 500))
matrix @ matrix

def multiply(count):
    set_thread_count(count)
    matrix @ matrix
    path = re.search(r"/\\S*openblas\\S*", open("/proc/self/maps").read())[0]
    library = ctypes.CDLL(path)
    for name in ("scipy_openblas_get_num_threads64_", "openblas_get_num_threads64_",
                 "openblas_get_num_threads"):
        if hasattr(library, name):
            return [getattr(library, name)(), os.environ.get("OMP_NUM_THREADS")]

show(fork_tasks(lambda: multiply(1), lambda: multiply(3)))
"""


def test_a_forked_task_computes_in_as_many_threads_as_it_was_given(tmp_path):
    assert values(tmp_path, MULTIPLY) == [[1, "1"], [3, "3"]]


def test_what_the_user_set_in_the_environment_stays(tmp_path):
    shown = values(tmp_path, MULTIPLY, OPENBLAS_NUM_THREADS="2")

    assert shown == [[2, None], [2, None]]
