"""Tasks that share a process: each keeps its own record, and what one does costs no other."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

import swell
from swell.compute.memory_groups import open_memory_groups
from swell.model.cause import Cause
from swell.model.facts import RunStatus
from tests.faults.driving import Place

FLOW = """
import ctypes, os, random, signal, subprocess, sys, threading, time
from swell import pack
{header}
class PackFlow(FlowSpec):
    @step
    def start(self):
        self.items = list(range({items}))
        self.next(self.work, foreach="items")

{decorators}
    @step
    def work(self):
        n, self.n = self.input, self.input
{body}
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(inputs.values("n"))
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)

if __name__ == "__main__":
    PackFlow()
"""


def pack_flow(place: Place, body: str, *decorators: str, items: int = 30, header: str = "") -> Path:
    """A foreach whose tasks have ``body``; ``n`` is the item."""
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    heads = "\n".join(f"    {decorator}" for decorator in decorators)
    return place.script(FLOW.format(decorators=heads, body=lines, items=items, header=header))


def work(place: Place, run: int = 1) -> list[Any]:
    """The client's tasks of the foreach, in order of their items."""
    swell.namespace(None)
    swell.metadata(str(place.root))
    return sorted(swell.Run(f"PackFlow/{run}")["work"], key=lambda task: task.index)


def attempts(place: Place, run: int = 1) -> dict[int, int]:
    """Item → how many attempts its task had."""
    return {task.index: task.current_attempt + 1 for task in work(place, run)}


TALKS = """
print("item", n)
os.write(1, b"by hand %d\\n" % n)
subprocess.run(["echo", f"child of {n}"], check=True)
thread = threading.Thread(target=lambda: (time.sleep(0.01), print("thread of", n)))
thread.start()
print("error", n, end="", file=sys.stderr)
"""


@pytest.mark.parametrize("isolation", ["fork", "fresh"])
def test_each_task_has_its_own_output_and_artifacts(place: Place, isolation: str) -> None:
    script = pack_flow(place, TALKS)

    driver = place.run(script, "run", "--pack", "--isolation", isolation, "--max-workers", "2")

    assert driver.code == 0, driver.text
    tasks = work(place)
    pids = set()
    with place.store() as store:
        for fact in store.attempts(swell_run(), "work"):
            pids.add(fact.pid)
            assert fact.started_at is not None
            assert fact.usage.peak_memory_mb
    assert len(pids) < len(tasks), "processes were shared"
    for n, task in enumerate(tasks):
        assert task.data.n == n
        said = [f"item {n}", f"by hand {n}", f"child of {n}", f"thread of {n}"]
        assert task.stdout.splitlines() == said
        assert task.stderr.splitlines() == [f"error {n}"]
    assert f"total {sum(range(30))}" in driver.text


def swell_run(number: int = 1) -> Any:
    """The run's name in the store."""
    from swell.model.ids import RunId

    return RunId("PackFlow", number)


DIES = """
if n == 17 and current.retry_count == 0:
    print("last words", flush=True)
    {death}
"""


@pytest.mark.parametrize(
    ("death", "words"),
    [
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("os._exit(0)", "exit code 0, before its step was done"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
)
def test_a_crash_costs_the_task_that_crashed_and_no_retry_of_another(
    place: Place, death: str, words: str
) -> None:
    script = pack_flow(place, DIES.format(death=death), "@retry(times=1)")

    driver = place.run(script, "run", "--pack", "--max-workers", "2")

    assert driver.code == 0, driver.text
    assert words in driver.text
    assert attempts(place) == {n: 2 if n == 17 else 1 for n in range(30)}
    died = swell.Task(work(place)[17].pathspec, attempt=0)
    assert died.stdout.splitlines()[0] == "last words"
    assert not died.successful


def test_resume_runs_again_only_what_failed_in_a_pack(place: Place) -> None:
    body = "if n == 9 and not os.path.exists('mended'): raise LookupError(f'item {n}')"
    script = pack_flow(place, body, "@pack(seconds=1)")
    first = place.run(script, "run", "--keep-going")
    assert first.code == 1
    assert "LookupError: item 9" in first.text
    (place.folder / "mended").touch()

    driver = place.run(script, "resume")

    assert driver.code == 0, driver.text
    ran = [task.index for task in work(place, 2) if not task.origin_pathspec]
    assert ran == [9]


CHANGES = """
self.found = (os.environ.get("LEFT"), os.path.basename(os.getcwd()), sys.stdout is OUT)
self.drawn = random.random()
os.environ["LEFT"] = str(n)
random.seed(n % 2)
os.makedirs("below", exist_ok=True)
os.chdir("below")
sys.stdout = open(os.devnull, "w")
os.dup2(sys.stdout.fileno(), 1)
"""


def test_what_a_task_changes_around_it_the_next_one_does_not_see(place: Place) -> None:
    script = pack_flow(place, CHANGES, header="OUT = sys.stdout\n")

    driver = place.run(script, "run", "--pack", "--max-workers", "1")

    assert driver.code == 0, driver.text
    tasks = work(place)
    assert {task.data.found for task in tasks} == {(None, place.folder.name, True)}
    assert len({task.data.drawn for task in tasks}) == len(tasks)


def test_a_seed_of_the_script_holds_for_each_task_of_a_pack(place: Place) -> None:
    body = "self.drawn = random.random()"
    script = pack_flow(place, body, header="random.seed(5)\n")

    driver = place.run(script, "run", "--pack", "--max-workers", "1")

    assert driver.code == 0, driver.text
    assert len({task.data.drawn for task in work(place)}) == 1


def test_what_does_not_fit_into_the_seconds_runs_in_another_process(place: Place) -> None:
    script = pack_flow(place, "time.sleep(0.01)", "@pack(seconds=0.001)")

    driver = place.run(script, "run", "--max-workers", "2")

    assert driver.code == 0, driver.text
    assert attempts(place) == dict.fromkeys(range(30), 1)


def test_a_time_limit_is_each_tasks_own(place: Place) -> None:
    body = "if n == 12: time.sleep(60)"
    script = pack_flow(place, body, "@catch(var='problem')", "@timeout(seconds=1)")

    driver = place.run(script, "run", "--pack", "--max-workers", "1")

    assert driver.code == 0, driver.text
    found = {task.index: task.data.problem for task in work(place)}
    assert found.pop(12).type == "swell.errors.TimeoutException"
    assert set(found.values()) == {None}


HOARDS = "HELD.append(b'x' * (30 << 20)); self.pid = os.getpid()"


def test_a_process_in_which_tasks_left_much_memory_takes_no_more_of_them(place: Place) -> None:
    heads = ("@resources(memory=200)", "@pack(seconds=60)")
    script = pack_flow(place, HOARDS, *heads, items=12, header="HELD = []\n")

    driver = place.run(script, "run", "--max-workers", "1")

    assert driver.code == 0, driver.text
    pids = [task.data.pid for task in work(place)]
    # Half of 200 MB is left by four tasks of 30 MB.
    assert max(pids.count(pid) for pid in pids) <= 4
    assert attempts(place) == dict.fromkeys(range(12), 1)


STARTS_LARGE = """
if n == 9:
    subprocess.run([sys.executable, "-c", "x = bytearray(400 << 20)"])
"""


@pytest.mark.parametrize("isolation", ["fork", "fresh"])
def test_a_task_of_a_pack_whose_child_the_kernel_ended_for_its_memory_has_failed(
    place: Place, isolation: str
) -> None:
    groups = open_memory_groups()
    if groups is None:
        pytest.skip("no control group can be made here")
    groups.close()
    heads = ("@resources(memory=150)", "@retry(times=0)")
    script = pack_flow(place, STARTS_LARGE, *heads, items=12)
    isolated = ("--isolation", isolation, "--max-workers", "1")

    driver = place.run(script, "run", "--pack", "--keep-going", "--enforce-memory", *isolated)

    assert driver.code == 1, driver.text
    found = {
        task.created.indices[0]: task.cause
        for task in place.tasks("PackFlow").values()
        if task.created.step == "work"
    }
    assert found == {n: Cause.OUT_OF_MEMORY if n == 9 else Cause.OK for n in range(12)}


RUNS_OUT_ONCE = """
HELD.append(n)
if len(HELD) > 1 and not os.path.exists("ran out"):
    open("ran out", "w").close()
    raise MemoryError
"""


def test_what_runs_out_of_memory_behind_others_comes_again_alone_and_uses_up_no_retry(
    place: Place,
) -> None:
    heads = ("@catch(var='problem')", "@pack(seconds=60)")
    script = pack_flow(place, RUNS_OUT_ONCE, *heads, header="HELD = []\n")

    driver = place.run(script, "run", "--max-workers", "1")

    assert driver.code == 0, driver.text
    assert "The next one starts now, in a process of its own." in driver.text
    assert {task.data.problem for task in work(place)} == {None}
    assert sorted(attempts(place).values()) == [1] * 29 + [2]


def test_an_interrupt_ends_a_pack_and_resume_finishes_what_it_left(place: Place) -> None:
    body = "if n == 20 and not os.path.exists('mended'): print('waits'); time.sleep(600)"
    script = pack_flow(place, body)

    with place.started(script, "run", "--pack", "--max-workers", "1") as driver:
        driver.wait_for("waits")
        driver.send(signal.SIGINT)
        assert driver.wait() == 130, driver.text
    place.wait_until_empty()
    assert place.status("PackFlow") is RunStatus.INTERRUPTED
    done = [task.index for task in work(place) if task.successful]
    (place.folder / "mended").touch()
    resumed = place.run(script, "resume", "--pack")

    assert resumed.code == 0, resumed.text
    ran = [task.index for task in work(place, 2) if not task.origin_pathspec]
    assert sorted(done + ran) == list(range(30))
    assert 20 in ran


def test_what_cannot_be_packed_runs_as_ever_and_says_why(place: Place) -> None:
    script = pack_flow(place, "pass", "@card", "@pack", items=3)

    driver = place.run(script, "run")

    assert driver.code == 0, driver.text
    assert "Step 'work' is not packed: its cards" in driver.text


@pytest.mark.parametrize("seconds", ["0", "-1", "'long'"])
def test_seconds_that_are_no_time_are_refused_before_the_run(place: Place, seconds: str) -> None:
    script = pack_flow(place, "pass", f"@pack(seconds={seconds})")

    driver = place.run(script, "run")

    assert driver.code != 0
    assert "@pack: seconds is" in driver.text
    assert "Give a number" in driver.text
