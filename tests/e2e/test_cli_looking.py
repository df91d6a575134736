"""Looking at runs from a terminal: every command on one store of a few runs."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.terminal import Done, python, run

SCRIPT = '''
import sys
from swell import FlowSpec, Parameter, card, catch, resources, retry, step
from swell.cards import Markdown


class SumFlow(FlowSpec):
    """Sums squares."""

    n = Parameter("n", default=3, help="how many", type=int)
    fail = Parameter("fail", default=False, type=bool)

    @card
    @card(id="second")
    @step
    def start(self):
        """Makes the list."""
        self.xs = list(range(self.n))
        self.large = b"x" * 100_000
        self._secret = 1
        print("made the list")
        print("a warning", file=sys.stderr)
        self.next(self.square, foreach="xs")

    @retry(times=1)
    @resources(memory=500)
    @step
    def square(self):
        print("\\r  0 %\\r 50 %\\r100 %")
        if self.fail and self.input == 1:
            raise ValueError("no ones here")
        self.result = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.result for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SumFlow()
'''

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

SWELL = Path(sys.executable).with_name("swell")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run 1 went well; run 2 failed; run 3 resumed run 2, and failed again."""
    folder = tmp_path_factory.mktemp("looking")
    script = folder / "sums.py"
    script.write_text(SCRIPT)
    (folder / "broken.py").write_text(BROKEN)
    run(script, "run", "--tag", "good", store=folder)
    assert python(script, "run", "--fail", "true", store=folder).code == 1
    assert python(script, "resume", store=folder).code == 1
    return folder


def look(store: Path, *arguments: str, **variables: str) -> Done:
    return python(store / "sums.py", *arguments, store=store, **variables)


def swell(store: Path, *arguments: str) -> Done:
    return python(SWELL, *arguments, store=store)


# --- the flow ----------------------------------------------------------------------------


def test_check_says_what_it_found_and_what_to_do_next_on_stderr(store: Path) -> None:
    done = look(store, "--no-pylint", "check")

    assert (done.code, done.stdout) == (0, "")
    assert "4 steps" in done.stderr
    assert "sums.py run" in done.stderr
    assert look(store, "--no-pylint").stderr == done.stderr
    assert look(store, "--no-pylint", "--quiet", "check").stderr == ""


def test_check_of_a_flow_that_cannot_run_names_the_place_and_exits_1(store: Path) -> None:
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
    assert "1/square/3 · done" in done.stderr
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


def test_a_run_whose_driver_was_killed_is_lost_and_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    with start(tmp_path, "waits.py", "run") as running:
        wait_for("up", running)
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


# --- tags --------------------------------------------------------------------------------


def test_tags_are_added_removed_and_replaced(store: Path) -> None:
    added = look(store, "tag", "add", "x", "y", "--run-id", "2")
    assert added.stdout.split() == ["x", "y"]
    look(store, "tag", "replace", "--remove", "x", "--add", "z", "--run-id", "2")
    look(store, "tag", "remove", "y", "absent", "--run-id", "2")
    listed = look(store, "tag", "list", "2", "--hide-system-tags")
    assert listed.stdout == "  * z\n"


def test_flat_tags_stand_on_stderr_behind_one_line(store: Path) -> None:
    done = look(store, "tag", "list", "--flat", "--hide-system-tags", "--run-id", "1")

    assert done.stdout == ""
    assert done.stderr.splitlines()[1:] == ["good"]
    quiet = look(store, "--quiet", "tag", "list", "1", "--hide-system-tags")
    assert (quiet.stdout, quiet.stderr) == ("", "  * good\n")


def test_tags_are_grouped_by_tag_or_by_run(store: Path) -> None:
    assert "* good: 1\n" in look(store, "tag", "list", "--group-by-tag").stdout
    by_run = look(store, "tag", "list", "--group-by-run", "--hide-system-tags").stdout
    assert by_run.splitlines()[-2:] == ["1", "  * good"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["add", "x"], 1, "--run-id 3"),
        (["add", "x", "--run-id", "99"], 1, "no run '99'"),
        (["add", "x", "--run-id", "1"], 1, "not in the namespace"),
        (["remove", "user:tester", "--run-id", "1"], 1, "system tag"),
        (["add", "x" * 501, "--run-id", "1"], 1, "1 to 500 characters"),
        (["replace", "--remove", "x", "--run-id", "1"], 2, "--add"),
        (["list", "1", "--all"], 2, "together"),
        (["list", "--group-by-tag", "--group-by-run"], 2, "together"),
    ],
)
def test_tags_that_cannot_be_changed_say_why(
    store: Path, arguments: list[str], code: int, words: str
) -> None:
    user = "somebody" if "namespace" in words else "tester"

    done = look(store, "tag", *arguments, SWELL_USER=user)

    assert (done.code, words in done.stderr) == (code, True), done.stderr


# --- cards -------------------------------------------------------------------------------


def test_cards_are_listed_and_got(store: Path, tmp_path: Path) -> None:
    assert look(store, "card", "list", "1").stdout.count("1/start/1") == 2
    listed = json.loads(look(store, "card", "list", "1/start", "--as-json").stdout)
    assert listed["pathspec"] == "SumFlow/1/start/1"
    first = listed["cards"][0]
    html = look(store, "card", "get", "1/start", "--hash", first["hash"][:6]).stdout
    assert html.startswith("<!doctype html>")
    file = tmp_path / "card.html"
    assert look(store, "card", "get", "1/start/1", str(file), "--id", "second").code == 0
    assert file.read_text().startswith("<!doctype html>")


def test_a_bare_step_is_that_of_the_latest_run_whose_cards_come_from_its_origin(
    store: Path,
) -> None:
    assert "3/start/1" in look(store, "card", "list", "start").stdout
    none = look(store, "card", "list", "start", "--no-follow-resumed")
    assert (none.code, none.stdout) == (0, "")


def test_view_without_a_screen_says_where_the_file_is(store: Path) -> None:
    done = look(store, "card", "view", "1/start", "--id", "second", DISPLAY="", WAYLAND_DISPLAY="")

    assert Path(done.stdout.strip()).read_text().startswith("<!doctype html>")


def test_several_cards_and_none_are_told_with_how_to_choose(store: Path) -> None:
    several = look(store, "card", "get", "1/start")
    assert several.code == 1
    assert several.stderr.count("1/start/1") == 2
    assert "--id or --hash" in several.stderr
    none = look(store, "card", "get", "1/square")
    assert none.code == 1
    assert "has no card" in none.stderr


# --- swell -------------------------------------------------------------------------------


def test_swell_lists_runs_with_what_became_of_them(store: Path) -> None:
    listed = swell(store, "runs").stdout.splitlines()
    assert listed[0].split() == ["run", "status", "started", "took", "tasks", "tags"]
    assert [line.split()[:2] for line in listed[1:]] == [
        ["SumFlow/3", "failed"],
        ["SumFlow/2", "failed"],
        ["SumFlow/1", "done"],
    ]
    assert (
        swell(store, "runs", "SumFlow", "--status", "done", "--tag", "good").stdout.count(
            "SumFlow/"
        )
        == 1
    )
    assert swell(store, "runs", "SimFlow").code == 1
    assert "SumFlow" in swell(store, "runs", "SimFlow").stderr


def test_swell_shows_a_run_its_failure_and_how_to_go_on(store: Path) -> None:
    text = swell(store, "show", "2").stdout

    assert "SumFlow/2 · failed" in text
    assert "2/square/3 failed (2 attempts): user error: ValueError: no ones here" in text
    assert 'raise ValueError("no ones here")' in text
    assert "python sums.py resume --origin-run-id 2" in text
    assert "taken over" in swell(store, "show", "SumFlow/3").stdout


def test_swell_lists_artifacts_without_loading_them(store: Path) -> None:
    run_wide = swell(store, "artifacts", "1").stdout
    assert "0 · 1 · 4" in run_wide
    one = swell(store, "artifacts", "SumFlow/1/join").stdout.splitlines()
    assert one[0].split() == ["name", "type", "size", "value"]
    assert any(line.split() == ["total", "int", "5", "B", "5"] for line in one)


def test_swell_shows_logs_of_any_flow(store: Path) -> None:
    assert swell(store, "logs", "SumFlow/1/start", "--stdout").stdout == "made the list\n"


def test_a_new_script_runs_as_it_is_and_is_never_overwritten(tmp_path: Path) -> None:
    assert swell(tmp_path, "new", "train").code == 0

    done = run(tmp_path / "train.py", "run", store=tmp_path)

    assert "The sum of 5 squares is 55." in done.stdout
    again = swell(tmp_path, "new", "train")
    assert again.code == 1
    assert "train.py is there already" in again.stderr


def test_swell_without_a_store_says_how_to_begin(tmp_path: Path) -> None:
    done = swell(tmp_path, "runs")
    assert (done.code, done.stdout) == (0, "")
    assert "swell new" in done.stderr
    assert swell(tmp_path, "show").code == 1


def test_the_doctor_tells_machine_store_and_settings_with_their_source(store: Path) -> None:
    text = swell(store, "doctor").stdout

    for words in ("cores", "memory", "3 runs of 1 flow", "isolation", "pylint"):
        assert words in text
    (root,) = [line for line in text.splitlines() if "SWELL_ROOT" in line]
    assert root.endswith("(environment)")


def test_wrong_commands_and_options_exit_2_with_what_was_meant(store: Path) -> None:
    for done, words in (
        (look(store, "dmup", "1/start"), "'dump'"),
        (look(store, "dump"), "PATH"),
        (look(store, "logs", "1/start", "--attempt", "x"), "attempt"),
        (swell(store, "rnus"), "'runs'"),
        (swell(store, "runs", "--status", "odd"), "odd"),
    ):
        assert done.code == 2
        assert words in done.stderr
