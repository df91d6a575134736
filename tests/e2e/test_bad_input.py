"""Bad input of every kind: one clear sentence with cause and remedy, no stack trace of ours.

Each case is what a person may get wrong; its message was read as that person would.
"""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

import swell
from swell.metastore.sqlite import open_metastore
from swell.model.facts import RunStatus
from swell.model.ids import RunId
from tests.e2e.terminal import Done, python

OWN_FOLDER = os.path.dirname(swell.__file__)


class Case(NamedTuple):
    """What is typed over which script, and what must be told.

    ``body`` is what the step 'start' does. ``takes_number`` says whether a run came into being.
    """

    what: str
    typed: tuple[str, ...]
    code: int
    tells: tuple[str, ...]
    body: str = "pass"
    members: str = ""
    takes_number: bool = False


TEMPLATE = """
from swell import FlowSpec, IncludeFile, JSONType, Parameter, catch, retry, step, timeout

class BadFlow(FlowSpec):
{members}

    @step
    def start(self):
        self.xs = [1]
{body}
        self.next(self.work, foreach="xs")

    @step
    def work(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    BadFlow()
"""

CASES = [
    # --- the command line
    Case("an unknown command", ("rum",), 2, ("'rum'", "Did you mean 'run'?")),
    Case("an unknown flag", ("run", "--max-worker", "3"), 2, ("--max-worker", "--max-workers")),
    Case("a flag of the top behind run", ("run", "--quiet"), 2, ("--quiet", "before")),
    Case("a number that is none", ("run", "--max-workers", "many"), 2, ("'many'", "integer")),
    Case("a number out of range", ("run", "--max-workers", "0"), 2, ("0", "max-workers")),
    Case("an argument too many", ("run", "fast"), 2, ("fast",)),
    Case("an unknown isolation", ("run", "--isolation", "fast"), 2, ("fast", "fork", "fresh")),
    Case(
        "a decorator nobody knows", ("run", "--with", "retri"), 1, ("'retri'", "retry", "timeout")
    ),
    Case(
        "a decorator's unknown argument",
        ("run", "--with", "retry:time=3"),
        1,
        ("'time'", "times"),
    ),
    # --- parameters
    Case(
        "a missing parameter",
        ("run",),
        2,
        ("--alpha",),
        members="alpha = Parameter('alpha', required=True)",
    ),
    Case(
        "a parameter of the wrong type",
        ("run", "--alpha", "high"),
        2,
        ("alpha", "high"),
        members="alpha = Parameter('alpha', type=float)",
    ),
    Case(
        "bad JSON",
        ("run", "--alpha", "{1"),
        2,
        ("alpha", "line 1"),
        members="alpha = Parameter('alpha', type=JSONType)",
    ),
    Case(
        "an unknown parameter",
        ("run", "--alpa", "1"),
        2,
        ("--alpa", "--alpha"),
        members="alpha = Parameter('alpha', default=1)",
    ),
    Case(
        "an unreadable file",
        ("run", "--table", "nowhere.csv"),
        2,
        ("nowhere.csv", "table"),
        members="table = IncludeFile('table')",
    ),
    Case(
        "a folder for a file",
        ("run", "--table", "."),
        2,
        ("'.'", "table"),
        members="table = IncludeFile('table')",
    ),
    Case(
        "a default that raises",
        ("run",),
        1,
        ("alpha", "ZeroDivisionError"),
        members="alpha = Parameter('alpha', default=lambda context: 1 / 0)",
    ),
    Case(
        "a default of another type",
        ("run",),
        1,
        ("alpha", "int"),
        members="alpha = Parameter('alpha', type=int, default='x')",
    ),
    Case(
        "a reserved parameter",
        ("run",),
        1,
        ("'with'", "reserved"),
        members="w = Parameter('with', default=1)",
    ),
    # --- foreach and switch
    Case(
        "a foreach over a number",
        ("run",),
        1,
        ("self.xs", "an int", "start"),
        "self.xs = 7",
        takes_number=True,
    ),
    Case(
        "a foreach over what is not there",
        ("run",),
        1,
        ("'xs'",),
        "del self.xs",
        takes_number=True,
    ),
    Case(
        "an empty foreach",
        ("run",),
        1,
        ("'xs'", "allow_empty=True"),
        "self.xs = []",
        takes_number=True,
    ),
    Case(
        "a foreach over an iterator that breaks",
        ("run",),
        1,
        ("ZeroDivisionError", "xs"),
        "self.xs = (1 / x for x in [1, 0])",
        takes_number=True,
    ),
    Case(
        "too many items",
        ("run",),
        1,
        ("start", "101", "100", "--max-num-splits 101"),
        "self.xs = range(101)",
        takes_number=True,
    ),
    Case(
        "an endless foreach",
        ("run",),
        1,
        ("--max-num-splits", "100"),
        "import itertools\nself.xs = itertools.count()",
        takes_number=True,
    ),
    # --- artifacts
    Case(
        "an artifact that cannot be stored",
        ("run",),
        1,
        ("self.lock", "_thread.lock", "step that uses it"),
        "import threading\nself.lock = threading.Lock()",
        takes_number=True,
    ),
    Case(
        "an artifact that cannot be stored, deep inside",
        ("run",),
        1,
        ("self.deep", "['b'][1]", "generator"),
        "self.deep = {'a': 1, 'b': [2, (x for x in [])]}",
        takes_number=True,
    ),
    Case(
        "the flow itself as an artifact",
        ("run",),
        1,
        ("me",),
        "self.me = [self]",
        takes_number=True,
    ),
    Case(
        "an artifact nobody made",
        ("run",),
        1,
        ("'nothing'", "BadFlow"),
        "print(self.nothing)",
        takes_number=True,
    ),
    Case(
        "a parameter that is assigned",
        ("run",),
        1,
        ("'alpha'",),
        "self.alpha = 2",
        members="alpha = Parameter('alpha', default=1)",
        takes_number=True,
    ),
    # --- paths
    Case("logs before any run", ("logs", "9/start"), 1, ("no run yet", "Run a flow first")),
    Case("a dump before any run", ("dump", "9/start"), 1, ("no run yet", "Run a flow first")),
    Case("nothing to resume", ("resume",), 1, ("BadFlow", "--origin-run-id")),
    Case("a bad run to resume", ("resume", "--origin-run-id", "last"), 2, ("'last'", "15")),
    # --- files of the run
    Case(
        "a run id file that cannot be",
        ("run", "--run-id-file", "no/such/folder/id"),
        1,
        ("no/such/folder/id", "No such file"),
        takes_number=True,
    ),
]


def trouble_free(done: Done) -> None:
    """No stack trace of ours, no path into swell, no word of a bug."""
    everything = done.stdout + done.stderr
    assert "Internal error" not in everything, everything
    assert OWN_FOLDER not in everything, everything


def script_of(case: Case, folder: Path) -> Path:
    script = folder / "flow.py"
    body = textwrap.indent(case.body, " " * 8)
    members = textwrap.indent(case.members or "pass", " " * 4)
    script.write_text(TEMPLATE.format(members=members, body=body))
    return script


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_bad_input_is_told_with_cause_and_remedy(case: Case, tmp_path: Path) -> None:
    script = script_of(case, tmp_path)

    done = python(script, *case.typed, store=tmp_path)

    print(done.stderr)
    assert done.code == case.code, done.stdout + done.stderr
    for word in case.tells:
        assert word in done.stderr, f"{word!r} is not in:\n{done.stderr}"
    trouble_free(done)
    if not case.takes_number:
        assert "begins" not in done.stdout


SWITCH = """
from swell import FlowSpec, Parameter, step

class PickFlow(FlowSpec):
    way = Parameter("way", default="up")

    @step
    def start(self):
        self.next({"left": self.left, "right": self.right}, condition="way")

    @step
    def left(self):
        self.next(self.end)

    @step
    def right(self):
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    PickFlow()
"""


def test_a_switch_value_without_a_case_is_told_with_value_and_cases(tmp_path: Path) -> None:
    script = tmp_path / "pick.py"
    script.write_text(SWITCH)

    done = python(script, "run", store=tmp_path)

    assert done.code == 1
    for word in ("self.way", "'up'", "'left'", "'right'"):
        assert word in done.stderr, done.stderr
    trouble_free(done)


def test_what_is_wrong_with_a_path_is_told_with_what_is_there(tmp_path: Path) -> None:
    script = tmp_path / "pick.py"
    script.write_text(SWITCH)
    assert python(script, "run", "--way", "left", store=tmp_path).code == 0
    for typed, tells in [
        (("logs", "2/start"), ("2", "1")),
        (("logs", "1/right"), ("right", "left")),
        (("logs", "1/start/9"), ("9", "1")),
        (("dump", "1/strat"), ("strat", "start")),
        (("dump", "one/start"), ("one",)),
        (("dump", "a/b/c/d/e"), ("a/b/c/d/e",)),
        (("resume", "strat"), ("strat", "start", "left")),
        (("resume", "--origin-run-id", "7"), ("7", "1")),
        (("tag", "add", "red", "--run-id", "7"), ("7",)),
        (("card", "view", "1/start"), ("1/start",)),
    ]:
        done = python(script, *typed, store=tmp_path)

        print(f"=== {typed}\n{done.stdout}{done.stderr}")
        assert done.code in (1, 2), typed
        for word in tells:
            assert word in done.stderr, f"{typed}: {word!r} is not in:\n{done.stderr}"
        trouble_free(done)


def test_a_run_that_cannot_begin_does_not_look_as_if_it_ran_on(tmp_path: Path) -> None:
    script = tmp_path / "pick.py"
    script.write_text(SWITCH)

    done = python(script, "run", "--run-id-file", "no/such/folder/id", store=tmp_path)

    assert done.code == 1
    shown = python(script, "run", "--way", "left", store=tmp_path)
    assert "Run 2" in shown.stdout
    store = open_metastore(tmp_path / ".swell" / "metadata.db")
    first = store.run(RunId("PickFlow", 1))
    store.close()
    assert first is not None
    assert first.status is RunStatus.FAILED


def test_a_script_that_cannot_be_read_is_pythons_own_error(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("from swell import FlowSpec, step\nclass F(FlowSpec:\n    pass\n")

    done = python(script, "run", store=tmp_path)

    assert done.code == 1
    assert "SyntaxError" in done.stderr
    trouble_free(done)


def test_an_interrupted_reader_does_not_lose_the_run(tmp_path: Path) -> None:
    """``python flow.py run | head -1`` ends head, not the run."""
    import shlex
    import subprocess
    import sys

    script = tmp_path / "pick.py"
    script.write_text(SWITCH)
    run = f"{shlex.quote(sys.executable)} {script} run --way left"
    environ = {**os.environ, "SWELL_ROOT": str(tmp_path / ".swell"), "SWELL_USER": "tester"}
    done = subprocess.run(
        ["bash", "-c", f"{run} | head -1; exit ${{PIPESTATUS[0]}}"],
        env=environ,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    swell.namespace(None)
    swell.metadata(str(tmp_path / ".swell"))
    assert swell.Run("PickFlow/1").successful
