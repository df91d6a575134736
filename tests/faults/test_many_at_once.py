"""Many tasks, many lines, many drivers: nothing is lost, mixed up or held in memory."""

from __future__ import annotations

import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from swell.datastore.logs import LogReader, log_folder
from swell.model.facts import RunStatus
from tests.faults.driving import Place, until

WIDE = """
import os

class {flow}(FlowSpec):
    n = Parameter("n", default=1000)

    @step
    def start(self):
        self.xs = range(self.n)
        self.next(self.work, foreach="xs")

    @step
    def work(self):
        with open("ran", "a") as ran:
            ran.write(f"{{current.run_id}} {{self.index}}\\n")
        self.got = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(i.got for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total is", self.total)

if __name__ == "__main__":
    {flow}()
"""


def test_a_driver_killed_amid_a_thousand_tasks_is_resumed_without_doing_any_twice(
    place: Place,
) -> None:
    script = place.script(WIDE.format(flow="WideFlow"))
    wide = ("--max-num-splits", "1000")
    with place.started(script, "run", *wide) as driver:
        driver.wait_for("Task is done", times=300)
        driver.send(signal.SIGKILL)
        driver.wait()
        reported = set(re.findall(r"\[1/work/(\d+).*?\] Task is done", driver.text))
    place.wait_until_empty()
    tasks = place.tasks("WideFlow")
    done = {task.created.indices[0] for task in tasks.values() if task.ok and task.created.indices}
    assert len(done) < 1000, "the driver was killed too late for this test"
    assert reported
    for task in reported:
        assert tasks[task].ok, f"task {task} was reported done, and the store does not know it"

    resumed = place.run(script, "resume", *wide)

    assert resumed.code == 0, resumed.text
    assert f"total is {sum(range(1000))}" in resumed.text
    ran = [line.split() for line in (place.folder / "ran").read_text().splitlines()]
    again = {int(index) for run, index in ran if run == "2"}
    assert not done & again
    assert done | again == set(range(1000))
    times = Counter(index for run, index in ran if run == "2")
    assert set(times.values()) == {1}
    assert place.status("WideFlow", 2) is RunStatus.DONE


def test_drivers_of_several_flows_work_in_one_store_at_once(place: Place) -> None:
    scripts = {
        flow: place.script(WIDE.format(flow=flow), f"{flow}.py") for flow in ("OneFlow", "TwoFlow")
    }
    arguments = ("run", "--n", "100", "--max-workers", "4")
    with (
        place.started(scripts["OneFlow"], *arguments) as a,
        place.started(scripts["OneFlow"], *arguments) as b,
        place.started(scripts["TwoFlow"], *arguments) as c,
        place.started(scripts["TwoFlow"], *arguments) as d,
    ):
        drivers = [a, b, c, d]
        assert [driver.wait() for driver in drivers] == [0, 0, 0, 0]

    assert all("locked" not in driver.text for driver in drivers)
    assert all("total is 4950" in driver.text for driver in drivers)
    for flow in scripts:
        for run in (1, 2):
            assert place.status(flow, run) is RunStatus.DONE
            assert len(place.tasks(flow, run)) == 104


CHATTY = """
import os, time

class ChattyFlow(FlowSpec):
    n = Parameter("n", default=1000)

    @step
    def start(self):
        for i in range(self.n):
            print("line", i)
        print("all printed", flush=True)
        open("printed", "w").close()
        while not os.path.exists("free"):
            time.sleep(0.01)
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    ChattyFlow()
"""


@pytest.mark.parametrize(
    "lines_printed", [150_000, pytest.param(1_000_000, marks=pytest.mark.slow)]
)
def test_many_lines_keep_their_order_and_cost_the_driver_no_memory(
    place: Place, lines_printed: int
) -> None:
    script = place.script(CHATTY)

    with place.started(script, "run", "--n", "1000") as driver:
        few_kb = peak_kb_once(place, driver.pid)
        driver.wait()
    (place.folder / "free").unlink()
    many = ("run", "--n", str(lines_printed), "--max-log-size", "100")
    with place.started(script, *many) as driver:
        many_kb = peak_kb_once(place, driver.pid, run=2)
        assert driver.wait() == 0

    lines = stored_lines(place, 2)
    assert [text for text in lines if text.startswith("line ")] == [
        f"line {i}" for i in range(lines_printed)
    ]
    grown_kb = many_kb - few_kb
    assert grown_kb < max(10_000, lines_printed // 25), (
        f"{few_kb} kB for few lines, {many_kb} kB for many"
    )


def test_over_the_limit_the_head_and_the_tail_of_a_log_are_kept(place: Place) -> None:
    script = place.script(CHATTY)
    (place.folder / "free").touch()

    driver = place.run(script, "run", "--n", "200000", "--max-log-size", "0.5")

    assert driver.code == 0
    lines = stored_lines(place)
    assert lines[:2] == ["line 0", "line 1"]
    assert "line 199999" in lines
    assert "line 100000" not in lines


def test_a_log_can_be_read_while_its_task_prints(place: Place) -> None:
    script = place.script(CHATTY)
    with place.started(script, "run", "--n", "50") as driver:
        driver.wait_for("all printed")

        lines = stored_lines(place)

        assert lines[:50] == [f"line {i}" for i in range(50)]
        (place.folder / "free").touch()
        assert driver.wait() == 0


def peak_kb_once(place: Place, pid: int, run: int = 1) -> int:
    """The peak resident size of a driver once its task has printed everything, in kB."""
    until((place.folder / "printed").exists, "the task has printed everything")
    until(lambda: b"all printed" in stored(place, run), "all lines are stored")
    (place.folder / "printed").unlink()
    status = Path(f"/proc/{pid}/status").read_text()
    (place.folder / "free").touch()
    (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peak.split()[1])


def stored(place: Place, run: int = 1) -> bytes:
    """What task 1 printed on stdout, as far as it is stored by now."""
    return LogReader(log_folder(str(place.root), "ChattyFlow", str(run))).read("1", 0, "stdout")


def stored_lines(place: Place, run: int = 1) -> list[str]:
    """The same by lines."""
    return stored(place, run).decode().splitlines()
