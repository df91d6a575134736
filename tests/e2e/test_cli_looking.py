"""Looking at a flow, its logs and artifacts from a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from swell.metastore.sqlite import open_metastore
from swell.model.ids import RunId
from tests.e2e.looked_at import SCRIPT, look, make_runs, swell
from tests.e2e.terminal import python, run

BROKEN = """
from swell import FlowSpec, step


class BrokenFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.ned)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    BrokenFlow()
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("looking"))


# --- the flow ----------------------------------------------------------------------------


def test_check_says_what_it_found_and_what_to_do_next_on_stderr(store: Path) -> None:
    done = look(store, "--no-pylint", "check")

    assert (done.code, done.stdout) == (0, "")
    assert "4 steps" in done.stderr
    assert "sums.py run" in done.stderr
    assert look(store, "--no-pylint").stderr == done.stderr
    assert look(store, "--no-pylint", "--quiet", "check").stderr == ""


def test_check_of_a_flow_that_cannot_run_names_the_place_and_exits_1(store: Path) -> None:
    (store / "broken.py").write_text(BROKEN)

    done = python(store / "broken.py", "check", store=store)

    assert (done.code, done.stdout) == (1, "")
    assert "'ned'" in done.stderr
    assert "broken.py:8" in done.stderr


def test_errors_that_pylint_finds_stop_a_run_before_it_takes_a_number(tmp_path: Path) -> None:
    script = tmp_path / "sums.py"
    script.write_text(SCRIPT)
    (tmp_path / "pylint").mkdir()
    finding = "print('sums.py:7: Undefined variable (undefined-variable)'); raise SystemExit(2)"
    (tmp_path / "pylint" / "__main__.py").write_text(finding)
    (tmp_path / "pylint" / "__init__.py").touch()

    done = python(script, "run", store=tmp_path, PYTHONPATH=str(tmp_path))

    assert (done.code, done.stdout) == (1, "")
    assert "Undefined variable" in done.stderr
    assert not (tmp_path / ".swell").exists()
    checked = python(script, "check", store=tmp_path, PYTHONPATH=str(tmp_path))
    assert checked.code == 1


def test_show_tells_decorators_docs_and_targets(store: Path) -> None:
    done = look(store, "show")

    assert "Sums squares." in done.stdout
    assert "@retry(times=1)\n@resources(memory=500)\nsquare\n    → join" in done.stdout
    assert "Makes the list." in done.stdout
    assert "for each of self.xs" in done.stdout


def test_the_graph_is_printed_for_tools(store: Path) -> None:
    assert look(store, "output-dot").stdout.startswith("digraph SumFlow {")
    assert "joined by: join" in look(store, "output-raw").stdout
    graph = json.loads(look(store, "output-raw", "--json").stdout)
    assert graph["graph"]["start"]["type"] == "split-foreach"
    assert graph["graph_structure"] == ["start", [["square"]], "join", "end"]


def test_version_is_on_stderr_and_help_on_stdout(store: Path) -> None:
    version = look(store, "version")
    assert (version.code, version.stdout) == (0, "")
    assert version.stderr.startswith("swell ")
    assert "output-dot" in look(store, "help").stdout
    assert swell(store, "version").stdout == version.stderr


# --- logs --------------------------------------------------------------------------------


def test_logs_of_a_task_are_on_stdout_under_a_heading_on_stderr(store: Path) -> None:
    done = look(store, "logs", "1/start")

    assert done.stdout == "made the list\na warning\n"
    assert done.stderr == "1/start/1 · done\n"
    assert look(store, "logs", "show", "1/start/1", "--stdout").stdout == "made the list\n"
    assert look(store, "--quiet", "logs", "SumFlow/1/start", "--stderr").stderr == ""


def test_a_progress_bar_is_shown_in_its_last_state(store: Path) -> None:
    assert look(store, "logs", "1/square/2").stdout == "100 %\n"


def test_logs_of_a_run_are_told_apart_and_silent_tasks_counted(store: Path) -> None:
    done = look(store, "logs", "1")

    assert done.stdout.count("100 %") == 3
    assert "1/square/3 (xs=1) · done" in done.stderr
    assert "(2 more tasks printed nothing.)" in done.stderr


def test_an_earlier_attempt_can_be_asked_for(store: Path) -> None:
    first = look(store, "logs", "2/square/3", "--attempt", "0", "--timestamps", "--stderr")

    assert "attempt 0 of 0–1" in first.stderr
    assert first.stdout.splitlines()[-1].endswith("ValueError: no ones here")
    assert first.stdout[:2] == "20"
    none = look(store, "logs", "2/square/3", "--attempt", "7")
    assert none.code == 1
    assert "the last one is 1" in none.stderr


def test_logs_of_a_task_that_resume_took_over_are_those_of_its_origin(store: Path) -> None:
    done = look(store, "logs", "3/start")

    assert done.stdout == "made the list\na warning\n"
    assert "taken over from 2/start/1" in done.stderr


def test_following_a_run_that_is_over_ends_with_its_last_line(store: Path) -> None:
    done = look(store, "logs", "1/square", "-f")

    assert sorted(done.stdout.splitlines()) == [f"[1/square/{task}] 100 %" for task in (2, 3, 4)]


def test_scrubbed_output_is_gone(tmp_path: Path) -> None:
    script = tmp_path / "sums.py"
    script.write_text(SCRIPT)
    run(script, "run", "--n", "1", store=tmp_path)

    done = run(script, "logs", "scrub", "1/start", "--stdout", store=tmp_path)

    assert "1 task" in done.stderr
    assert run(script, "logs", "1/start", store=tmp_path).stdout == "[scrubbed]\na warning\n"


@pytest.mark.parametrize(
    ("command", "path", "near"),
    [
        ("logs", "9/start", "3, 2, 1"),
        ("logs", "2/end", "has not begun"),
        ("dump", "1/strat", "start"),
        ("dump", "1/square/77", "4, 3, 2"),
    ],
)
def test_a_path_to_nothing_exits_1_and_tells_what_is_near(
    store: Path, command: str, path: str, near: str
) -> None:
    done = look(store, command, path)

    assert (done.code, done.stdout) == (1, "")
    assert near in done.stderr


WAITS = """
import os, time
from swell import FlowSpec, step


class WaitsFlow(FlowSpec):
    @step
    def start(self):
        print("up", flush=True)
        while not os.path.exists("go"):
            time.sleep(0.02)
        print("and done")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    WaitsFlow()
"""


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SWELL_")}
    environ |= {"SWELL_ROOT": str(folder / ".swell"), "SWELL_USER": "tester"}
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(words: str, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"it ended without saying '{words}'")


def test_a_log_is_followed_to_the_end_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    with start(tmp_path, "waits.py", "run") as running:
        wait_for("up", running)
        with start(tmp_path, "waits.py", "logs", "--follow") as following:
            wait_for("up", following)
            assert swell(tmp_path, "runs", "--status", "running").stdout.count("WaitsFlow/1") == 1
            (tmp_path / "go").touch()
            output, _ = following.communicate(timeout=60)
        running.communicate(timeout=60)

    assert output == "[1/start/1] and done\n"
    assert (running.returncode, following.returncode) == (0, 0)


FAILS_EARLY = """
import os, time
from swell import FlowSpec, current, retry, step


def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.02)


class EarlyFlow(FlowSpec):
    @step
    def start(self):
        self.names = ["fails", "waits"]
        self.next(self.work, foreach="names")

    @retry(times=1, minutes_between_retries=0)
    @step
    def work(self):
        print("up", current.retry_count, flush=True)
        wait_for("go" if self.input == "fails" else "done")
        if self.input == "fails":
            raise RuntimeError("for good")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    EarlyFlow()
"""


def test_following_a_task_that_fails_ends_with_its_last_attempt_not_with_the_run(
    tmp_path: Path,
) -> None:
    (tmp_path / "early.py").write_text(FAILS_EARLY)
    with start(tmp_path, "early.py", "run", "--keep-going") as running:
        try:
            wait_for("up", running)
            deadline = time.monotonic() + 60
            while swell(tmp_path, "logs", "EarlyFlow/1/work/2").code:
                assert time.monotonic() < deadline
            with start(tmp_path, "early.py", "logs", "1/work/2", "--follow") as following:
                wait_for("up 0", following)
                (tmp_path / "go").touch()
                try:
                    output, _ = following.communicate(timeout=60)
                finally:
                    following.kill()
            still = swell(tmp_path, "runs", "--status", "running").stdout
        finally:
            (tmp_path / "go").touch()
            (tmp_path / "done").touch()
        running.communicate(timeout=60)

    assert "up 1" in output.splitlines()
    assert still.count("EarlyFlow/1") == 1
    assert following.returncode == 0


def is_on_record(folder: Path) -> bool:
    """Whether the store knows that the task has begun and what it printed: what a driver shows
    it shows before it writes it down."""
    store = open_metastore(str(folder / ".swell" / "metadata.db"), read_only=True)
    with contextlib.closing(store):
        attempts = store.attempts(RunId("WaitsFlow", 1))
    has_begun = any(one.step == "start" and one.started_at for one in attempts)
    return has_begun and swell(folder, "logs", "WaitsFlow/1/start").stdout == "up\n"


def test_a_run_whose_driver_was_killed_is_lost_and_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    with start(tmp_path, "waits.py", "run") as running:
        wait_for("up", running)
        deadline = time.monotonic() + 60
        while not is_on_record(tmp_path):
            assert time.monotonic() < deadline
        running.kill()
        # Its tasks hold the pipe too: it closes when they are gone.
        running.communicate(timeout=60)

    assert swell(tmp_path, "runs").stdout.splitlines()[1].split()[:2] == ["WaitsFlow/1", "lost"]
    text = swell(tmp_path, "show").stdout
    assert "gone without a word" in text
    assert "cut short" in text
    assert "python waits.py resume --origin-run-id 1" in text
    assert run(tmp_path / "waits.py", "logs", "1/start", store=tmp_path).stdout == "up\n"


# --- dump --------------------------------------------------------------------------------


def test_dump_shows_names_sizes_types_and_values_in_order(store: Path) -> None:
    done = look(store, "dump", "1/start")

    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["fail", "large", "n", "name", "xs"]
    assert lines[1].split()[1:4] == ["100.0", "kB", "bytes"]
    assert "larger than 1,000 bytes" in lines[1]
    assert lines[4].endswith("[0, 1, 2]")
    assert "1/start/1" in done.stderr


def test_dump_can_show_hidden_names_some_names_or_names_only(store: Path) -> None:
    private = look(store, "dump", "1/start", "--private").stdout
    assert "_secret" in private
    assert "_success" in private
    some = look(store, "dump", "1/start", "--include", "n,absent", "--max-value-size", "0")
    assert some.stdout == "n\n"
    assert "'absent'" in some.stderr


def test_dump_writes_a_pickle_of_all_values(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "dumped.pickle"

    look(store, "dump", "1/square", "--file", str(file), "--include", "result,large")

    tasks = pickle.loads(file.read_bytes())
    assert {path: values["result"] for path, values in tasks.items()} == {
        "1/square/2": 0,
        "1/square/3": 1,
        "1/square/4": 4,
    }
    assert all(len(values["large"]) == 100_000 for values in tasks.values())
