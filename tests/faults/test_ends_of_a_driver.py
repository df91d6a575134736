"""However a driver ends: no process of its run is left, and what it reported done is kept."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from swell.model.cause import Cause
from swell.model.facts import RunStatus
from tests.faults.driving import DEADLINE_S, Driver, Place, take_terminal, until

# Two siblings are done; the third has left children of every kind and never ends.
STUCK = """
import os, subprocess, sys, time

class StuckFlow(FlowSpec):
    @step
    def start(self):
        self.xs = [0, 1, 2]
        self.next(self.work, foreach="xs")

    @step
    def work(self):
        self.got = self.input * 10
        if self.input == 2 and not os.path.exists("free"):
            subprocess.Popen(["sleep", "1000"])
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            if os.fork() == 0:          # a daemon: its parent is gone, its session its own
                os.setsid()
                if os.fork() == 0:
                    time.sleep(1000)
                os._exit(0)
            print("stuck now", flush=True)
            time.sleep(1000)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(i.got for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total is", self.total)

if __name__ == "__main__":
    StuckFlow()
"""
STUCK_PROCESSES = 6
"""The driver, the keeper, the task, two sleeps, a daemon."""


@pytest.fixture
def stuck_script(place: Place) -> Path:
    return place.script(STUCK)


def wait_until_stuck(place: Place, driver: Driver) -> None:
    """Until two tasks are reported done and the third holds its daemons."""
    driver.wait_for("stuck now")
    driver.wait_for("Task is done", times=3)
    until(lambda: len(place.processes()) == STUCK_PROCESSES, "all processes of the task are there")


def free_and_resume(place: Place, script: Path, run: int = 1) -> None:
    """A resume of the ended run finishes it without doing anything twice."""
    (place.folder / "free").touch()
    resumed = place.run(script, "resume", "--origin-run-id", str(run))
    assert resumed.code == 0, resumed.text
    assert "total is 30" in resumed.text
    tasks = place.tasks("StuckFlow", run + 1).values()
    ran = [task.created.step for task in tasks if task.created.origin_task is None]
    assert sorted(ran) == ["end", "join", "work"]


@pytest.mark.parametrize("isolation", ["fork", "fresh"])
def test_a_killed_driver_leaves_no_process_and_loses_nothing(
    place: Place, stuck_script: Path, isolation: str
) -> None:
    with place.started(stuck_script, "run", "--isolation", isolation) as driver:
        wait_until_stuck(place, driver)

        driver.send(signal.SIGKILL)
        driver.wait()

        place.wait_until_empty()
        assert place.done_steps("StuckFlow") == ["start", "work", "work"]
        free_and_resume(place, stuck_script)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, -signal.SIGTERM),
        (signal.SIGHUP, -signal.SIGHUP),
    ],
)
def test_a_driver_that_is_asked_to_end_ends_everything_it_started(
    place: Place, stuck_script: Path, number: signal.Signals, code: int
) -> None:
    with place.started(stuck_script, "run") as driver:
        wait_until_stuck(place, driver)

        driver.send(number)

        assert driver.wait() == code, driver.text
        place.wait_until_empty()
        assert "resume --origin-run-id 1" in driver.text
        assert "Traceback" not in driver.text
        assert place.done_steps("StuckFlow") == ["start", "work", "work"]
        assert place.status("StuckFlow") is RunStatus.INTERRUPTED
        causes = [task.cause for task in place.tasks("StuckFlow").values() if not task.ok]
        assert causes == [Cause.CANCELLED]
        free_and_resume(place, stuck_script)


def test_ctrl_c_at_a_terminal_reaches_the_driver_alone_and_ends_the_run(
    place: Place, stuck_script: Path
) -> None:
    control, terminal = os.openpty()
    options = {"stdin": terminal, "start_new_session": True, "preexec_fn": take_terminal}
    with place.started(stuck_script, "run", **options) as driver:
        os.close(terminal)
        wait_until_stuck(place, driver)

        os.write(control, b"\x03")

        assert driver.wait() == 130, driver.text
        place.wait_until_empty()
        assert place.done_steps("StuckFlow") == ["start", "work", "work"]
    os.close(control)


def test_a_closed_terminal_ends_the_run(place: Place, stuck_script: Path) -> None:
    control, terminal = os.openpty()
    options = {"stdin": terminal, "start_new_session": True, "preexec_fn": take_terminal}
    with place.started(stuck_script, "run", **options) as driver:
        os.close(terminal)
        wait_until_stuck(place, driver)

        os.close(control)

        assert driver.wait() == -signal.SIGHUP, driver.text
        place.wait_until_empty()
        assert place.done_steps("StuckFlow") == ["start", "work", "work"]


def test_a_second_interrupt_ends_tasks_that_ignore_the_first(place: Place) -> None:
    script = place.script(
        """
        import signal, time

        class DeafFlow(FlowSpec):
            @step
            def start(self):
                signal.signal(signal.SIGTERM, lambda *_: print("not listening", flush=True))
                print("deaf now", flush=True)
                while True:
                    time.sleep(1000)
                self.next(self.end)

            @step
            def end(self):
                pass

        if __name__ == "__main__":
            DeafFlow()
        """
    )
    with place.started(script, "run") as driver:
        driver.wait_for("deaf now")
        driver.send(signal.SIGINT)
        driver.wait_for("not listening")
        driver.send(signal.SIGINT)

        assert driver.wait(DEADLINE_S) == 130, driver.text
        place.wait_until_empty()


def test_one_failing_task_takes_its_siblings_and_their_children_with_it(place: Place) -> None:
    script = place.script(
        """
        import os, subprocess, time

        class FailFlow(FlowSpec):
            @step
            def start(self):
                self.xs = [0, 1]
                self.next(self.work, foreach="xs")

            @step
            def work(self):
                if self.input == 0:
                    subprocess.Popen(["sleep", "1000"], start_new_session=True)
                    open("stuck", "w").close()
                    time.sleep(1000)
                while not os.path.exists("stuck"):
                    time.sleep(0.01)
                raise ValueError("no such luck")
                self.next(self.join)

            @step
            def join(self, inputs):
                self.next(self.end)

            @step
            def end(self):
                pass

        if __name__ == "__main__":
            FailFlow()
        """
    )

    driver = place.run(script, "run")

    assert driver.code == 1
    assert "ValueError: no such luck" in driver.text
    place.wait_until_empty()
    causes = {t.created.indices: t.cause for t in place.tasks("FailFlow").values() if not t.ok}
    assert causes == {(0,): Cause.CANCELLED, (1,): Cause.USER_ERROR}
    assert place.status("FailFlow") is RunStatus.FAILED
