from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from swell.compute.isolation import (
    THREADS_THAT_DO_NOT,
    THREADS_THAT_FORK,
    Isolation,
    ProcessFacts,
    choose_isolation,
)
from swell.compute.os_threads import owner_of_library, owner_of_name

PRELUDE = Path(__file__).with_name("forking_script.py").parent

# --- deciding ------------------------------------------------------------------


def test_a_plain_script_is_forked():
    assert choose_isolation("auto", ProcessFacts()).kind == "fork"


@pytest.mark.parametrize("owner", sorted(THREADS_THAT_FORK))
def test_threads_of_libraries_that_look_after_forks_are_no_obstacle(owner):
    facts = ProcessFacts(native_threads={owner: 63})

    assert choose_isolation("auto", facts).kind == "fork"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (ProcessFacts(platform="darwin"), "tasks are forked on Linux only, and this is darwin"),
        (ProcessFacts(platform="win32"), "tasks are forked on Linux only, and this is win32"),
        (ProcessFacts(python_threads=("logger",)), "started threads that still run (logger)"),
        (ProcessFacts(python_threads=("a", "b", "c", "d")), "(a, b, c and 1 more)"),
        (ProcessFacts(devices=("nvidia0",)), "an accelerator is in use (nvidia0)"),
        (ProcessFacts(unseeded=("rng",)), "rng was made at module level without a seed"),
        (ProcessFacts(handles=("'data.csv'",)), "the script holds 'data.csv' open"),
        (ProcessFacts(native_threads={"libfoo.so": 2}), "threads of libfoo.so are running (2)"),
        (ProcessFacts(native_threads={"openblas": 1, "polars": 2}), "Polars has started its"),
        *(
            (ProcessFacts(native_threads={owner: 1}), words)
            for owner, words in THREADS_THAT_DO_NOT.items()
        ),
    ],
)
def test_what_does_not_survive_a_fork_means_a_fresh_interpreter_and_is_told(facts, words):
    chosen = choose_isolation("auto", facts)

    assert chosen.kind == "fresh"
    assert words in chosen.why


def test_what_the_user_asks_for_is_done_and_the_risk_is_told():
    facts = ProcessFacts(native_threads={"polars": 2})

    assert choose_isolation("fresh", ProcessFacts()) == Isolation(
        "fresh", "asked for by --isolation fresh"
    )
    forked = choose_isolation("fork", facts)
    assert forked.kind == "fork"
    assert forked.risk == THREADS_THAT_DO_NOT["polars"]
    assert choose_isolation("fork", ProcessFacts()).risk == ""
    assert choose_isolation("fork", ProcessFacts(platform="darwin")).kind == "fresh"


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("jemalloc_bg_thd", "jemalloc"),
        ("polars-ooc-clea", "polars-idle"),
        ("polars-0", "polars"),
        ("grpc_global_tim", "grpc"),
        ("python", ""),
        ("my-worker", ""),
    ],
)
def test_a_thread_with_a_telling_name_is_known_by_it(name, owner):
    assert owner_of_name(name) == owner


@pytest.mark.parametrize(
    ("library", "owner"),
    [
        ("libscipy_openblas64_-32a4b2a6.so", "openblas"),
        ("libgomp-e985bcbb.so.1.0.0", "openmp"),
        ("libarrow.so.2600", "arrow"),
        ("_duckdb.cpython-311-x86_64-linux-gnu.so", "duckdb"),
        ("cv2.abi3.so", "opencv"),
        ("libpython3.11.so.1.0", "python"),
        ("_native.abi3.so", "_native.abi3.so"),
    ],
)
def test_a_thread_without_one_is_known_by_the_code_on_its_stack(library, owner):
    assert owner_of_library(library) == owner


# --- looking -------------------------------------------------------------------


def inspect(tmp_path: Path, body: str) -> tuple[str, str]:
    """Isolation.kind and .why of a process that ran ``body``."""
    script = tmp_path / "script.py"
    script.write_text(
        f"{body}\n"
        "import os\n"
        "from swell.compute.isolation import choose_isolation\n"
        "from swell.compute.process_facts import inspect_process\n"
        "chosen = choose_isolation('auto', inspect_process())\n"
        "print((chosen.kind, chosen.why), flush=True)\n"
        "os._exit(0)\n"
    )
    return ast.literal_eval(execute(script).splitlines()[-1])


def execute(script: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=script.parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def needs(library: str) -> pytest.MarkDecorator:
    installed = importlib.util.find_spec(library) is not None
    return pytest.mark.skipif(not installed, reason=f"{library} is not installed")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "import threading, random, logging, subprocess\nsubprocess.run(['true'])",
        "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()",
        "log = open('log.txt', 'a')",
        "import os\nread, write = os.pipe()",
        "import random\nrng = random.Random(3)",
        "from random import Random as R\nimport random\nstate = random.getstate()",
        pytest.param(
            "import numpy\nrng = numpy.random.default_rng(3)\nold = numpy.random.RandomState(3)",
            marks=needs("numpy"),
        ),
        pytest.param("import numpy\nmapped = numpy.zeros(3)", marks=needs("numpy")),
        pytest.param("import requests\ns = requests.Session()", marks=needs("requests")),
    ],
)
def test_scripts_that_can_be_forked(tmp_path, body):
    kind, why = inspect(tmp_path, body)

    assert kind == "fork", why


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "import threading\nthreading.Thread(name='beat', target=threading.Event().wait, "
            "daemon=True).start()",
            "threads that still run (beat)",
        ),
        (
            "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\n"
            "pool.submit(print).result()",
            "threads that still run (ThreadPoolExecutor-0_0)",
        ),
        (
            "import _thread, time\n_thread.start_new_thread(time.sleep, (60,))",
            "a thread of _thread",
        ),
        ("import random\nrng = random.Random()", "rng was made at module level"),
        ("import socket\na, b = socket.socketpair()", "network connection or socket open"),
        ("data = open(__file__)", "'script.py' open"),
        ("import sqlite3\ndb = sqlite3.connect('a.db')\ndb.execute('create table t(a)')", "'a.db'"),
        pytest.param(
            "from numpy.random import default_rng\nrng = default_rng()",
            "rng was made at module level",
            marks=needs("numpy"),
        ),
        pytest.param(
            "from numpy.random import RandomState\nrng = RandomState()",
            "rng was made at module level",
            marks=needs("numpy"),
        ),
    ],
)
def test_scripts_that_cannot_be_forked(tmp_path, body, words):
    kind, why = inspect(tmp_path, body)

    assert kind == "fresh"
    assert words in why


def test_looking_imports_nothing_heavy(tmp_path):
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, msgspec\n"
            "before = set(sys.modules)\n"
            "from swell.compute.process_facts import inspect_process\n"
            "inspect_process()\n"
            "heavy = {'ctypes', 'random', 'threading', 'numpy', 'inspect', 'subprocess'}\n"
            "print(heavy & (set(sys.modules) - before))",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert loaded.stdout.strip() == "set()", loaded.stderr


# --- real libraries: the child uses again what the parent used -----------------

USES = {
    "numpy": ("import numpy\na = numpy.random.rand(700, 700)", "float((a @ a).sum())"),
    "pandas": (
        "import pandas\nf = pandas.DataFrame({'a': range(9999), 'b': [1, 2, 3] * 3333})",
        "int(f.groupby('b').a.sum().sum())",
    ),
    "pyarrow": (
        "import pyarrow, pyarrow.dataset as ds, pyarrow.parquet as pq\n"
        "pq.write_table(pyarrow.table({'a': list(range(99999))}), 't.pq', row_group_size=999)",
        "ds.dataset('t.pq').to_table(filter=ds.field('a') > 9).num_rows",
    ),
    "scipy": (
        "import scipy.linalg, numpy\na = numpy.random.rand(300, 300)",
        "float(scipy.linalg.svd(a)[1][0])",
    ),
    "sklearn": (
        "from sklearn.cluster import KMeans\nimport numpy\nx = numpy.random.rand(5000, 5)",
        "float(KMeans(8, n_init=1, random_state=0).fit(x).inertia_)",
    ),
    "xgboost": (
        "import xgboost, numpy\nx = numpy.random.rand(5000, 5)\ny = x[:, 0] > 0.5",
        "xgboost.train({'nthread': 2}, xgboost.DMatrix(x, y), 3).num_boosted_rounds()",
    ),
    "torch": (
        "import torch\na = torch.rand(1000, 1000)",
        "float((a @ a).sum() + torch.rand(3000, 3000).exp().sum())",
    ),
    "matplotlib": (
        "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt",
        "len(plt.plot([1, 2])) + (plt.savefig('a.png') or 0)",
    ),
    "polars": (
        "import polars\nf = polars.DataFrame({'a': list(range(99999)), 'b': [1, 2, 3] * 33333})",
        "f.group_by('b').agg(polars.col('a').sum()).height",
    ),
    "duckdb": (
        "import duckdb\ndb = duckdb.connect()",
        "len(db.sql('select range % 9 as k, sum(range) from range(999999) group by k').fetchall())",
    ),
    "grpc": (
        "import grpc\nc = grpc.insecure_channel('127.0.0.1:1')\n"
        "def call():\n"
        "    try:\n        c.unary_unary('/a/b')(b'', timeout=1)\n"
        "    except grpc.RpcError as e:\n        return str(e.code())",
        "call()",
    ),
    "cv2": (
        "import cv2, numpy\na = (numpy.random.rand(3000, 3000) * 255).astype('uint8')",
        "int(cv2.resize(cv2.GaussianBlur(a, (31, 31), 5), (99, 99)).sum())",
    ),
}

FRESH_AFTER_USE = {"polars": "Polars", "duckdb": "DuckDB", "grpc": "gRPC", "cv2": "OpenCV"}


@pytest.mark.parametrize("library", [pytest.param(name, marks=needs(name)) for name in USES])
def test_a_forked_task_can_use_what_the_script_only_imported(tmp_path, library):
    set_up, use = USES[library]

    kind, why, again = inspect_and_fork(tmp_path, set_up.splitlines()[0], f"{set_up}\n{use}")

    assert kind == "fork", why
    assert again


@pytest.mark.parametrize("library", [pytest.param(name, marks=needs(name)) for name in USES])
def test_a_forked_task_can_use_what_the_script_used_or_else_is_not_forked(tmp_path, library):
    set_up, use = USES[library]

    kind, why, again = inspect_and_fork(tmp_path, f"{set_up}\n{use}", use)

    if library in FRESH_AFTER_USE:
        assert kind == "fresh"
        assert FRESH_AFTER_USE[library] in why
    else:
        assert kind == "fork", why
        assert again


def inspect_and_fork(tmp_path: Path, body: str, use: str) -> tuple[str, str, bool]:
    """Isolation.kind and .why after ``body``; whether two forked tasks could then ``use``."""
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(PRELUDE)!r})\n"
        "from forking_script import fork_tasks\n"
        f"{body}\n"
        "import os\n"
        "from swell.compute.isolation import choose_isolation\n"
        "from swell.compute.process_facts import inspect_process\n"
        "chosen = choose_isolation('auto', inspect_process())\n"
        f"def again():\n    exec({use!r}, globals())\n    return True\n"
        "worked = chosen.kind == 'fork' and fork_tasks(again, again) == [True, True]\n"
        "print((chosen.kind, chosen.why, worked), flush=True)\n"
        "os._exit(0)\n"
    )
    return ast.literal_eval(execute(script).splitlines()[-1])
