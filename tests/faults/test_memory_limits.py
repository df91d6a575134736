"""Tasks that take more memory than they declared, than there is, or start something that does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swell.compute.memory_groups import MemoryGroups, open_memory_groups
from swell.model.cause import Cause
from tests.faults.driving import Place

KINDS = """
import os, subprocess, sys, time

EAT = "x = bytearray(300 << 20)"

class MemoryFlow(FlowSpec):
    @step
    def start(self):
        self.kinds = os.environ["KINDS"].split()
        self.next(self.work, foreach="kinds")

    @resources(memory=200)
    @retry(times=0)
    @step
    def work(self):
        neighbour = bytearray(50 << 20)
        if self.input == "over":
            exec(EAT)
        if self.input == "child":
            subprocess.run([sys.executable, "-c", EAT], check=True)
        if self.input == "forgotten":
            # The kernel ends the grandchild alone; the step would wait for ever.
            subprocess.run([sys.executable, "-c", EAT])
            time.sleep(600)
        print("came through:", self.input)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    MemoryFlow()
"""


def causes(place: Place) -> list[tuple[Cause | None, bool | None]]:
    tasks = place.tasks("MemoryFlow").values()
    in_order = sorted((t.created.indices, t) for t in tasks if t.created.step == "work")
    return [(task.cause, task.ok) for _, task in in_order]


@pytest.fixture
def groups() -> MemoryGroups:
    """Skips where the kernel gives no groups."""
    found = open_memory_groups()
    if found is None:
        pytest.skip("no control group can be made here")
    return found


@pytest.mark.parametrize("isolation", ["fork", "fresh"])
def test_only_the_task_that_exceeds_what_it_declared_is_ended(
    place: Place, groups: MemoryGroups, isolation: str
) -> None:
    groups.close()
    script = place.script(KINDS)
    kinds = "within over child forgotten"

    driver = place.run(
        script,
        *("run", "--keep-going", "--enforce-memory", "--isolation", isolation),
        env=place.environ(KINDS=kinds),
    )

    assert driver.code == 1
    out_of_memory = (Cause.OUT_OF_MEMORY, False)
    assert causes(place) == [(Cause.OK, True), out_of_memory, out_of_memory, out_of_memory]
    assert "came through: within" in driver.text
    assert "limit 200 MB" in driver.text
    assert "@resources(memory=400)" in driver.text
    # Of a child of the step the step may hear first, or whoever watches the group: then it is
    # told that the kernel ended "it", otherwise "a process that the step had started".
    assert "kernel ended" in driver.text
    place.wait_until_empty()
    left = [name for name in os.listdir(Path(groups.top).parent) if "swell-tasks" in name]
    assert [name for name in left if f"-{driver.pid}-" in name] == []


def test_without_a_limit_that_is_held_what_was_declared_is_a_wish(place: Place) -> None:
    driver = place.run(place.script(KINDS), "run", env=place.environ(KINDS="over"))

    assert driver.code == 0, driver.text


def test_a_death_by_the_kernel_for_want_of_memory_here_is_told_as_that(
    place: Place, groups: MemoryGroups
) -> None:
    """All of the run is in a group that is too small, as on a machine that has no more."""
    group = groups.make(250)
    script = place.script(KINDS)

    driver = place.run(
        script,
        *("run", "--keep-going", "--max-workers", "1"),
        env=place.environ(KINDS="over child"),
        preexec_fn=group.enter,
    )
    groups.close()

    assert driver.code == 1, driver.text
    assert causes(place) == [(Cause.OUT_OF_MEMORY, False)] * 2
    assert "memory" in driver.text
