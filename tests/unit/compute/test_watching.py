"""What is seen of this machine while tasks run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from swell.compute.watching import LOOK_EVERY_S, MachineWatch, cpu_seconds, running_children
from swell.model.ids import JobId
from swell.model.job import Inputs, Launch, MachineNews
from swell.model.resources import Resources


def task(step: str, **asked: float) -> Launch:
    return Launch(JobId("1", 0), step, 1, Inputs(), resources=Resources(**asked))  # type: ignore[arg-type]


class Looking:
    """A watch over processes whose seconds and whose memory a test sets."""

    def __init__(self) -> None:
        self.used: dict[int, float] = {}
        self.short = ""
        self.asked: list[int] = []
        self.news: list[MachineNews] = []
        self.now = 0.0
        self.watch = MachineWatch(self.news.append, lambda: self.short, self._cpu_s)

    def _cpu_s(self, pid: int) -> float | None:
        self.asked.append(pid)
        return self.used.get(pid)

    def look(self, *running: tuple[Launch, int | None], after_s: float = LOOK_EVERY_S) -> None:
        self.watch.look(self.now, running)
        self.now += after_s


def test_a_step_whose_task_uses_a_processor_is_told_once() -> None:
    looking = Looking()
    looking.used = {7: 0.0, 8: 0.0}
    for _ in range(4):
        looking.look((task("busy"), 7), (task("idle"), 8))
        looking.used[7] += 0.9 * LOOK_EVERY_S
        looking.used[8] += 0.1 * LOOK_EVERY_S

    assert looking.news == [MachineNews(LOOK_EVERY_S, ("busy",))]
    assert looking.asked.count(7) == 2, "once it is known to compute nobody asks again"


def test_who_says_how_many_processors_it_needs_is_not_looked_at_nor_one_without_process() -> None:
    looking = Looking()
    looking.look((task("says", cpu=1), 7), (task("begins"), None))
    assert looking.asked == []


def test_between_looks_nothing_is_read() -> None:
    looking = Looking()
    looking.look((task("a"), 1), after_s=LOOK_EVERY_S / 2)
    looking.look((task("a"), 2))
    assert looking.asked == [1]


def test_that_memory_is_short_is_told_when_it_begins_and_when_it_ends() -> None:
    looking = Looking()
    for looking.short in ("", "10 MB are left", "9 MB are left", ""):
        looking.look()
    assert looking.news == [
        MachineNews(LOOK_EVERY_S, (), "10 MB are left"),
        MachineNews(3 * LOOK_EVERY_S),
    ]


def test_a_process_that_is_gone_is_no_error(tmp_path: Path) -> None:
    looking = Looking()
    looking.look((task("a"), 1))
    assert looking.news == []
    assert cpu_seconds(1, str(tmp_path)) is None


class Processes:
    """Files as the kernel's, of processes that a test makes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, pid: int, own_s: int, waited_s: int = 0, children: tuple[int, ...] = ()) -> None:
        """One with two threads, the second of which has started ``children``."""
        for thread, started in ((pid, ()), (pid + 1000, children)):
            folder = self.root / str(pid) / "task" / str(thread)
            folder.mkdir(parents=True)
            (folder / "children").write_text("".join(f"{child} " for child in started))
        ticks = os.sysconf("SC_CLK_TCK")
        counted = [str(own_s * ticks), "0", str(waited_s * ticks), "0"]
        fields = ["S", *["0"] * 10, *counted, "20"]
        (self.root / str(pid) / "stat").write_text(f"{pid} (a ) b) {' '.join(fields)}\n")


def test_the_seconds_of_a_process_are_its_own_and_those_of_all_it_started(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.add(12, own_s=1, waited_s=2, children=(13, 14, 99))
    processes.add(13, own_s=10)
    processes.add(14, own_s=20, waited_s=30, children=(15,))
    processes.add(15, own_s=40)
    processes.add(16, own_s=1000)
    assert cpu_seconds(12, str(tmp_path)) == 103.0
    assert cpu_seconds(13, str(tmp_path)) == 10.0


def test_of_a_crowd_of_processes_a_part_is_looked_at(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    for pid in range(1, 100):
        processes.add(pid, own_s=1, children=(pid + 1,))
    assert 30 <= (cpu_seconds(1, str(tmp_path)) or 0.0) <= 40


def test_this_very_process_and_a_child_of_it_can_be_looked_at() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert child.pid in running_children(os.getpid())
    assert (cpu_seconds(os.getpid()) or 0.0) > 0
