"""Tasks that die, hang or lose the process that watches them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from swell.model.cause import Cause
from swell.model.facts import RunStatus
from tests.faults.driving import Place

ONE_STEP = """
import ctypes, os, signal, sys, time

class OneFlow(FlowSpec):
{decorators}
    @step
    def start(self):
{body}
        self.next(self.end)

    @step
    def end(self):
        print("came to the end with", getattr(self, "problem", None))

if __name__ == "__main__":
    OneFlow()
"""


def one_step(place: Place, body: str, *decorators: str) -> Path:
    """A flow whose first step has ``body``."""
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    heads = "\n".join(f"    {decorator}" for decorator in decorators)
    return place.script(ONE_STEP.format(decorators=heads, body=lines))


@pytest.mark.parametrize("isolation", ["fork", "fresh"])
@pytest.mark.parametrize(
    ("body", "cause", "words"),
    [
        ("ctypes.string_at(0)", Cause.SIGNAL, "SIGSEGV (segmentation fault)"),
        ("os.abort()", Cause.SIGNAL, "SIGABRT (abort)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", Cause.SIGNAL, "SIGKILL (kill)"),
        ("os._exit(0)", Cause.EXIT, "exit code 0, before its step was done"),
        ("os._exit(7)", Cause.EXIT, "exit code 7, before its step was done"),
    ],
)
def test_a_death_is_told_by_its_cause(
    place: Place, body: str, cause: Cause, words: str, isolation: str
) -> None:
    script = one_step(place, "print('last words', flush=True)\n" + body)

    driver = place.run(script, "run", "--isolation", isolation)

    assert driver.code == 1
    assert words in driver.text
    assert "last words" in driver.text
    task = place.tasks("OneFlow")["1"]
    assert (task.ok, task.cause) == (False, cause)
    place.wait_until_empty()


def test_sys_exit_in_a_step_is_a_failure_and_not_a_silent_success(place: Place) -> None:
    script = one_step(place, "sys.exit(0)")

    driver = place.run(script, "run")

    assert driver.code == 1
    assert "SystemExit" in driver.text


# Neither looks at signals: Python's own handler never runs.
ENDLESS_LOOP_IN_C = "import collections, itertools\ncollections.deque(itertools.count(), maxlen=0)"
DEADLOCK_IN_C = """
libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
libc.pthread_mutex_lock(mutex)
libc.pthread_mutex_lock(mutex)
"""


@pytest.mark.parametrize(
    ("body", "isolation"),
    [(ENDLESS_LOOP_IN_C, "fork"), (DEADLOCK_IN_C, "fork"), (DEADLOCK_IN_C, "fresh")],
    ids=["loop-fork", "deadlock-fork", "deadlock-fresh"],
)
def test_a_task_stuck_in_c_code_is_ended_at_its_timeout(
    place: Place, body: str, isolation: str
) -> None:
    script = one_step(place, body, "@catch(var='problem')", "@timeout(seconds=1)")

    driver = place.run(script, "run", "--isolation", isolation)

    assert driver.code == 0, driver.text
    assert "came to the end with" in driver.text
    assert place.causes("OneFlow", "start") == [Cause.TIMEOUT, Cause.OK]
    place.wait_until_empty()


def test_a_timeout_in_python_code_says_where_the_code_was(place: Place) -> None:
    script = one_step(place, "time.sleep(1000)  # here it hangs", "@timeout(seconds=1)")

    driver = place.run(script, "run")

    assert driver.code == 1
    assert "here it hangs" in driver.text
    assert place.tasks("OneFlow")["1"].cause is Cause.TIMEOUT


def test_a_task_that_ignores_every_polite_signal_is_ended_at_its_timeout(place: Place) -> None:
    body = """
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        time.sleep(1000)
    except BaseException:
        pass
"""
    script = one_step(place, body, "@timeout(seconds=1)")

    driver = place.run(script, "run")

    assert driver.code == 1
    assert place.tasks("OneFlow")["1"].cause is Cause.TIMEOUT
    place.wait_until_empty()


def test_a_daemon_of_a_finished_task_does_not_outlive_the_run_nor_hold_it_up(
    place: Place,
) -> None:
    body = """
import subprocess
subprocess.Popen(["sleep", "1000"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("the daemon speaks", flush=True)
        time.sleep(1000)
    os._exit(0)
"""
    script = one_step(place, body)

    driver = place.run(script, "run")

    assert driver.code == 0, driver.text
    place.wait_until_empty()


LONG = """
import os, time

class LongFlow(FlowSpec):
    @step
    def start(self):
        self.xs = list(range(4))
        self.next(self.work, foreach="xs")

    @step
    def work(self):
        print("attempt", current.retry_count, "of", self.input, "is on", flush=True)
        while not os.path.exists("free"):
            time.sleep(0.01)
        self.got = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        print("got", [i.got for i in inputs])
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    LongFlow()
"""


def test_tasks_whose_keeper_was_killed_are_host_lost_and_run_again_uncounted(place: Place) -> None:
    script = place.script(LONG)
    with place.started(script, "run") as driver:
        driver.wait_for("is on", times=4)

        os.kill(driver.keeper, signal.SIGKILL)

        driver.wait_for("is on", times=8)
        (place.folder / "free").touch()
        assert driver.wait() == 0, driver.text
        assert "got [0, 1, 2, 3]" in driver.text
    place.wait_until_empty()
    causes = place.causes("LongFlow", "work")
    assert sorted(cause.value for cause in causes) == ["host_lost"] * 4 + ["ok"] * 4
    assert place.status("LongFlow") is RunStatus.DONE


def test_a_keeper_that_is_killed_twice_does_not_end_the_run(place: Place) -> None:
    script = place.script(LONG)
    with place.started(script, "run") as driver:
        for times in (1, 2):
            driver.wait_for("is on", times=4 * times)
            os.kill(driver.keeper, signal.SIGKILL)
        driver.wait_for("is on", times=12)
        (place.folder / "free").touch()

        assert driver.wait() == 0, driver.text
    place.wait_until_empty()


def test_retry_after_a_death_runs_the_step_again(place: Place) -> None:
    script = one_step(place, "if current.retry_count < 2: os.abort()", "@retry(times=2)")

    driver = place.run(script, "run")

    assert driver.code == 0, driver.text


def test_catch_after_a_death_goes_on_with_what_happened(place: Place) -> None:
    script = one_step(place, "os.abort()", "@catch(var='problem')", "@retry(times=1)")

    driver = place.run(script, "run")

    assert driver.code == 0, driver.text
    assert "FailureHandledByCatch" in driver.text or "SIGABRT" in driver.text
    task = place.tasks("OneFlow")["1"]
    assert (task.ok, task.caught) == (True, True)


def test_a_full_disk_is_told_with_what_is_free_and_what_to_do(place: Place) -> None:
    body = """
error = OSError(28, "No space left on device", "/dev/shm/of-this-step/out.bin")
raise error
"""
    script = one_step(place, body)

    driver = place.run(script, "run")

    assert driver.code == 1
    assert place.tasks("OneFlow")["1"].cause is Cause.DISK_FULL
    assert "(the disk of /dev/shm/of-this-step/out.bin has " in driver.text
    assert "Free space in /dev/shm" in driver.text


def test_a_memory_error_is_out_of_memory_with_the_users_own_traceback(place: Place) -> None:
    script = one_step(place, "x = bytearray(1 << 60)  # far too much")

    driver = place.run(script, "run")

    assert driver.code == 1
    assert place.tasks("OneFlow")["1"].cause is Cause.OUT_OF_MEMORY
    assert "far too much" in driver.text
    assert "handle less at once" in driver.text
