"""Runner: scripts run from programs, blocking or beside other work, told apart when they fail."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swell import Runner
from swell.errors import ExternalCommandFailed, NotFound, UsageError
from swell.metastore.sqlite import open_metastore
from swell.model.facts import RunStatus
from swell.model.ids import RunId
from swell.programs.runner import ExecutingRun
from tests.e2e.story_store import looked_at

SCRIPTS = Path(__file__).parent / "runner_scripts"
DEADLINE_S = 60


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with the scripts and a store of its own."""
    for script in SCRIPTS.glob("*.py"):
        shutil.copy(script, tmp_path)
    monkeypatch.chdir(tmp_path)
    with looked_at(tmp_path):
        yield tmp_path


@pytest.fixture
def runner(folder: Path) -> Iterator[Runner]:
    with Runner("program.py", show_output=False, pylint=False) as made:
        yield made


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def task_of(folder: Path) -> int:
    """The process of the task that waits."""
    pid = folder / "pid"
    wait_for(lambda: pid.exists() and pid.read_text() != "")
    return int(pid.read_text())


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def status_of(folder: Path, number: int = 1) -> RunStatus | None:
    database = folder / ".swell" / "metadata.db"
    if not database.exists():
        return None
    store = open_metastore(database)
    try:
        run = store.run(RunId("ProgramFlow", number))
        return None if run is None else run.status
    finally:
        store.close()


# --- blocking ------------------------------------------------------------------------


def test_a_run_gives_its_results_its_output_and_its_exit_code(runner: Runner) -> None:
    result = runner.run(n=3, tags=["a", "b"], max_workers=2)
    assert isinstance(result, ExecutingRun)
    assert (result.status, result.returncode) == ("successful", 0)
    assert result.run.pathspec == "ProgramFlow/1"
    assert result.run.data.n == 3
    assert result.run.user_tags == {"a", "b"}
    assert "begun" in result.stdout
    assert result.stderr == ""
    assert Path(result.command_obj.log_files["stdout"]).read_text() == result.stdout


def test_values_keep_their_types(runner: Runner) -> None:
    given: dict[str, Any] = {
        "n": 4,
        "ratio": 2,
        "a_word": "--two 'words'\n",
        "flag": True,
        "yes": True,
        "data": {"deep": [1, None, "é"]},
        "names": ["x", "y"],
        "many": [1, 2],
    }
    data = runner.run(**given).run.data
    assert (data.n, data.ratio, data.word, data.flag, data.yes) == (
        4,
        2.0,
        "--two 'words'\n",
        True,
        True,
    )
    assert (data.data, data.names, data.many) == ({"deep": [1, None, "é"]}, ["x", "y"], (1, 2))


def test_what_was_given_beats_the_environment(folder: Path) -> None:
    with Runner("program.py", False, env={"SWELL_RUN_N": "7", "SWELL_RUN_RATIO": "7"}) as runner:
        data = runner.run(n=5).run.data
    assert (data.n, data.ratio) == (5, 7.0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"n": "many"}, "'many' is not an integer"),
        ({"n": 1.5}, "1.5 is not an integer"),
        ({"a_word": 5}, "5 is not text"),
        ({"yes": "perhaps"}, "true or false"),
        ({"many": 3}, r"many=\[…\]"),
        ({"tags": "one"}, r"tags=\[…\]"),
        ({"max_workers": 0}, "max-workers"),
        ({"word": "x"}, "takes no 'word'.*a_word"),
        ({"data": object()}, "data=<object"),
    ],
)
def test_a_wrong_option_is_told_and_no_run_begins(
    runner: Runner, folder: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=f"(?s){told}"):
        runner.run(**options)
    assert status_of(folder) is None


def test_output_is_shown_as_it_comes_unless_it_is_not_wanted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Runner("program.py") as runner:
        result = runner.run()
        assert capsys.readouterr().out == result.stdout
    with Runner("program.py", show_output=False) as runner:
        runner.run()
    assert capsys.readouterr() == ("", "")


def test_a_run_that_fails_is_a_result_and_can_be_resumed(runner: Runner, folder: Path) -> None:
    (folder / "fail").touch()
    failed = runner.run(n=9)
    assert (failed.status, failed.returncode, failed.run.successful) == ("failed", 1, False)
    assert "told to fail" in failed.stderr
    (folder / "fail").unlink()

    resumed = runner.resume(origin_run_id=failed.run.id)
    assert (resumed.status, resumed.run.data.n) == ("successful", 9)
    assert resumed.run.origin_pathspec == "ProgramFlow/1"
    again = runner.resume(step_to_rerun="start")
    assert again.run["start"].task.origin_pathspec is None
    with pytest.raises(UsageError, match="takes no 'n'"):
        runner.resume(n=3)


def test_environment_profile_and_folder_are_those_given(folder: Path) -> None:
    (folder / "below").mkdir()
    (folder / "p.toml").write_text("")
    env = {"GIVEN_VARIABLE": "v", "SWELL_HOME": str(folder)}
    with Runner("program.py", False, profile="p", env=env, cwd=str(folder / "below")) as runner:
        data = runner.run().run["start"].task.data
    assert (data.cwd, data.variable, data.profile) == (str(folder / "below"), "v", "p")


def test_options_before_the_command_are_passed_on(folder: Path) -> None:
    (folder / "settings.json").write_text('{"depth": 2}')
    (folder / "fail").touch()
    top: dict[str, Any] = {
        "decospecs": ["retry:times=1"],
        "config": [("settings", "settings.json")],
    }
    with Runner("program.py", False, **top) as runner:
        failed = runner.run()
        assert failed.run["end"].task.current_attempt == 1
        assert failed.run["_parameters"].task.data.settings.depth == 2
    (folder / "fail").unlink()
    with Runner("program.py", False, config_value=[("settings", {"depth": 3})]) as runner:
        assert runner.run().run.data.settings.depth == 3


def test_a_run_may_be_started_in_a_running_event_loop(runner: Runner) -> None:
    async def cell() -> str:
        return runner.run().status

    assert asyncio.run(cell()) == "successful"


def test_a_step_may_run_another_flow(folder: Path) -> None:
    (folder / "outer.py").write_text(
        "from swell import FlowSpec, Runner, step\n"
        "class OuterFlow(FlowSpec):\n    @step\n    def start(self):\n"
        "        with Runner('program.py', show_output=False) as runner:\n"
        "            self.y = runner.run(n=6).run.data.n\n"
        'if __name__ == "__main__":\n    OuterFlow()\n'
    )
    with Runner("outer.py", False) as runner:
        assert runner.run().run.data.y == 6


# --- scripts that begin no run ---------------------------------------------------------


def test_a_file_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(NotFound, match=r"nothing\.py"):
        Runner("nothing.py").run()


def test_a_file_with_two_flows_is_refused_but_one_may_extend_the_other(folder: Path) -> None:
    flow = "class {0}({1}):\n    @step\n    def start(self):\n        pass\n"
    head, tail = "from swell import FlowSpec, step\n", 'if __name__ == "__main__":\n    B()\n'
    (folder / "two.py").write_text(
        head + flow.format("A", "FlowSpec") + flow.format("B", "FlowSpec") + tail
    )
    (folder / "one.py").write_text(
        head + flow.format("A", "FlowSpec") + flow.format("B", "A") + tail
    )
    with Runner("two.py", False) as runner, pytest.raises(UsageError, match="2 flows: A, B"):
        runner.run()
    with Runner("one.py", False) as runner:
        assert runner.run().run.pathspec == "B/1"


@pytest.mark.parametrize(
    ("text", "told"),
    [("x = 1\n", "__main__"), ("1/0\n", "ZeroDivisionError"), ("import sys; sys.exit(7)\n", "7")],
)
def test_a_script_that_begins_no_run_is_told_with_its_last_words(
    folder: Path, text: str, told: str
) -> None:
    (folder / "script.py").write_text(text)
    with Runner("script.py", False) as runner, pytest.raises(ExternalCommandFailed, match=told):
        runner.run()


def test_a_script_that_takes_too_long_to_begin_is_ended(folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    late = pytest.raises(ExternalCommandFailed, match="no run after 1 s")
    with Runner("slow.py", False, file_read_timeout=1) as runner, late:
        runner.run()
    assert not is_alive(task_of(folder))


def test_a_flow_without_a_class_is_run_too(folder: Path) -> None:
    (folder / "built.py").write_text(
        "from swell import flow\n"
        "def start(self):\n    self.y = self.n + 1\n"
        'flow("Built").parameter("n", default=1).step("start", start).run()\n'
    )
    with Runner("built.py", False) as runner:
        assert runner.run(n=41).run.data.y == 42


# --- beside other work -----------------------------------------------------------------


def test_a_run_is_handed_out_while_it_runs(runner: Runner, folder: Path) -> None:
    (folder / "wait").touch()

    async def story() -> ExecutingRun:
        running = await runner.async_run(n=2)
        assert (running.status, running.returncode) == ("running", None)
        assert running.run.pathspec == "ProgramFlow/1"
        assert not running.run.finished
        assert running.run.finished_at is None
        task_of(folder)
        wait_for(lambda: "waiting" in running.stdout)
        assert "finally" not in running.stdout
        (folder / "wait").unlink()
        return await running.wait()

    done = asyncio.run(story())
    assert (done.status, done.run.data.n) == ("successful", 2)
    assert "finally" in done.stdout


def test_lines_are_streamed_and_can_be_gone_on_with_from_a_position(
    runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story() -> tuple[ExecutingRun, list[tuple[int, str]], list[tuple[int, str]]]:
        running = await runner.async_run()
        found = [each async for each in running.stream_log("stdout")]
        rest = [each async for each in running.stream_log("stdout", position=found[1][0])]
        await running.wait(stream="stdout")
        with pytest.raises(UsageError, match="stderr"):
            [each async for each in running.stream_log("both")]
        return running, found, rest

    running, found, rest = asyncio.run(story())
    assert [line for _, line in found] == running.stdout.splitlines()
    assert rest == found[2:]
    assert capsys.readouterr().out == running.stdout


def test_a_run_that_takes_longer_than_one_waits_is_ended(runner: Runner, folder: Path) -> None:
    (folder / "wait").touch()

    async def story() -> ExecutingRun:
        running = await runner.async_run()
        task_of(folder)
        return await running.wait(timeout=0.1)

    ended = asyncio.run(story())
    assert ended.status == "timeout"
    assert ended.returncode == -signal.SIGTERM
    assert not is_alive(task_of(folder))
    assert status_of(folder) is RunStatus.INTERRUPTED


def test_several_runs_go_on_at_once(runner: Runner) -> None:
    async def story() -> list[ExecutingRun]:
        started = [await runner.async_run(n=n) for n in (1, 2)]
        return list(await asyncio.gather(*(one.wait() for one in started)))

    ended = asyncio.run(story())
    assert [one.run.data.n for one in ended] == [1, 2]


def test_a_resume_beside_other_work(runner: Runner) -> None:
    async def story() -> ExecutingRun:
        await (await runner.async_run()).wait()
        return await (await runner.async_resume()).wait()

    assert asyncio.run(story()).run.origin_pathspec == "ProgramFlow/1"


def test_a_wrong_option_is_told_beside_other_work_too(runner: Runner) -> None:
    with pytest.raises(UsageError, match="not an integer"):
        asyncio.run(runner.async_run(n="x"))


def test_a_start_that_is_given_up_leaves_nothing_running(folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )

    async def story() -> None:
        with Runner("slow.py") as runner:
            starting = asyncio.ensure_future(runner.async_run())
            while not (folder / "pid").exists():
                await asyncio.sleep(0.01)
            starting.cancel()
            await starting

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(story())
    assert not is_alive(task_of(folder))


def test_the_event_loop_is_loaded_only_by_those_who_await() -> None:
    code = "import sys; from swell import Runner; print('asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- ends --------------------------------------------------------------------------------


def test_leaving_the_block_removes_files_and_leaves_the_run(folder: Path) -> None:
    with Runner("program.py", False) as runner:
        result = runner.run()
        files = [Path(path) for path in result.command_obj.log_files.values()]
        assert all(path.exists() for path in files)
    assert not any(path.parent.exists() for path in files)
    with pytest.raises(NotFound, match="removed with its Runner"):
        result.stdout  # noqa: B018  # reading it is the test
    assert result.run.successful

    with Runner("program.py", False).run() as result:
        folder_of_files = Path(result.command_obj.log_files["stdout"]).parent
    assert not folder_of_files.exists()


@pytest.mark.parametrize("way", ["blocking", "beside"])
def test_a_ctrl_c_in_the_caller_ends_its_runs(folder: Path, way: str) -> None:
    (folder / "wait").touch()
    caller = subprocess.Popen(
        [sys.executable, "caller.py", way], stdout=subprocess.PIPE, text=True, cwd=folder
    )
    task = task_of(folder)
    caller.send_signal(signal.SIGINT)
    said, _ = caller.communicate(timeout=DEADLINE_S)
    assert "interrupted" in said
    assert caller.returncode == 0
    assert not is_alive(task)
    assert status_of(folder) is RunStatus.INTERRUPTED


def test_ctrl_c_means_again_what_it_did_before(runner: Runner) -> None:
    before = signal.getsignal(signal.SIGINT)
    runner.run()
    assert signal.getsignal(signal.SIGINT) == before
