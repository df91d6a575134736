"""Runs with steps on AWS Batch, in the sandbox: what goes there, what comes back, what is told."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from swell import Task
from tests.e2e.batch_place import BatchPlace, until
from tests.servers.sandbox import Sandbox

pytest.importorskip("boto3")


@pytest.fixture
def place(tmp_path: Path, sandbox: Sandbox) -> BatchPlace:
    return BatchPlace(tmp_path, sandbox)


MIXED = """
import os
from swell import batch, secrets

class MixedFlow(FlowSpec):
    @step
    def start(self):
        self.where = [os.environ.get("AWS_BATCH_JOB_ID")]
        self.xs = [1, 2, 3]
        self.table = b"x" * 300_000
        self.next(self.work, foreach="xs")

    @batch(memory=300, cpu=1)
    @resources(memory=500)
    @environment(vars={"LEVEL": 3})
    @secrets(sources=[{"type": "inline", "id": "s", "options": {"env_vars": {"WORD": "hush"}}}])
    @step
    def work(self):
        self.where = os.environ["AWS_BATCH_JOB_ID"]
        assert os.environ["LEVEL"] + os.environ["WORD"] == "3hush"
        assert len(self.table) == 300_000
        self.got = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.where = [os.environ.get("AWS_BATCH_JOB_ID"), *(i.where for i in inputs)]
        self.got = [i.got for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_a_step_with_batch_goes_there_and_the_others_stay_here(place):
    place.write(MIXED)
    place.call("run")
    data = place.run("MixedFlow/1")["join"].task.data
    assert data.got == [2, 4, 6]
    here, *away = data.where
    assert here is None
    assert len(set(away)) == 3
    (job,) = place.jobs()
    assert job["arrayProperties"]["size"] == 3
    needs = {one["type"]: one["value"] for one in job["container"]["resourceRequirements"]}
    assert needs == {"VCPU": "1", "MEMORY": "500"}
    text = str(job)
    assert "hush" not in text


ENDS = """
import os, sys, signal, time, threading
from swell import batch

class EndsFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.full, self.grows, self.killed, self.leaves, self.hangs, self.flaky)

    @batch(memory=256)
    @retry(times=0)
    @catch(var="problem")
    @step
    def full(self):
        kept = [bytearray(os.urandom(1 << 20)) for _ in range(700)]
        self.next(self.join)

    @batch(memory=256)
    @catch(var="problem")
    @step
    def grows(self):
        kept = [bytearray(os.urandom(1 << 20)) for _ in range(300)]
        self.next(self.join)

    @batch(memory=256)
    @catch(var="problem")
    @step
    def killed(self):
        os.kill(os.getpid(), signal.SIGKILL)
        self.next(self.join)

    @batch(memory=256)
    @catch(var="problem")
    @step
    def leaves(self):
        print("going")
        os._exit(7)
        self.next(self.join)

    @batch(memory=256)
    @catch(var="problem")
    @timeout(seconds=1)
    @step
    def hangs(self):
        time.sleep(600)
        self.next(self.join)

    @batch(memory=256)
    @retry(times=1)
    @step
    def flaky(self):
        if current.retry_count == 0:
            raise ValueError("the first time")
        self.problem = None
        self.next(self.join)

    @step
    def join(self, inputs):
        self.told = {name: str(getattr(i.problem, "exception", i.problem)) for name, i in
                     zip(("full", "grows", "killed", "leaves", "hangs", "flaky"), inputs)}
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_each_way_to_die_is_told_by_its_cause(place):
    place.write(ENDS)
    said = place.call("run")
    run = place.run("EndsFlow/1")
    told = run["join"].task.data.told
    assert "Out of memory" in told["full"]
    assert "256 MB" in told["full"]
    assert "SIGKILL" in told["killed"]
    assert "7" in told["leaves"]
    assert "longer than its limit of 1 s" in told["hangs"]
    assert told["flaky"] == told["grows"] == "None"
    assert "memory 256 → 512 MB" in said.stdout
    assert run["grows"].task.current_attempt == 1
    assert "512" in str(
        [job["container"]["resourceRequirements"] for job in place.jobs() if "grows" in str(job)]
    )
    causes = {
        name: Task(f"EndsFlow/1/{name}/{run[name].task.id}", attempt=0).cause
        for name in ("full", "killed", "leaves", "flaky")
    }
    assert causes == {
        "full": "out_of_memory",
        "killed": "signal",
        "leaves": "exit",
        "flaky": "user_error",
    }
    assert "going" in Task(run["leaves"].task.pathspec, attempt=0).stdout


SIBLINGS = """
import os, time
from swell import batch

class SiblingsFlow(FlowSpec):
    @step
    def start(self):
        self.xs = [0, 1, 2]
        self.here = os.getcwd()
        self.next(self.work, foreach="xs")

    @batch(memory=256)
    @step
    def work(self):
        open(f"{self.here}/began-{self.input}", "w").close()
        if self.input == 1 and BREAKS:
            while len([one for one in os.listdir(self.here) if one.startswith("began")]) < 3:
                time.sleep(0.05)
            raise LookupError("this one")
        time.sleep(600)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def began(place: BatchPlace) -> bool:
    return len(list(place.folder.glob("began-*"))) == 3


def test_a_task_that_fails_ends_its_siblings(place):
    place.write(SIBLINGS.replace("BREAKS", "True"))
    said = place.call("run", code=1)
    assert "LookupError: this one" in said.stderr
    causes = sorted(task.cause for task in place.run("SiblingsFlow/1")["work"])
    assert causes == ["cancelled", "cancelled", "user_error"]


def test_ctrl_c_leaves_no_job(place):
    place.write(SIBLINGS.replace("BREAKS", "False"))
    with place.started("run") as driver:
        until(lambda: began(place))
        driver.send_signal(signal.SIGINT)
        said, _ = driver.communicate(timeout=200)
    assert driver.returncode == 130, said
    assert place.unfinished() == []
    assert not place.run("SiblingsFlow/1").finished


RESUMED = """
import os

class ResumedFlow(FlowSpec):
    @step
    def start(self):
        self.table = b"y" * 500_000
        self.xs = [b"a" * 100_000, b"b"]
        self.next(self.work, foreach="xs")

    @step
    def work(self):
        if "AWS_BATCH_JOB_ID" not in os.environ:
            raise ValueError("too small a machine")
        self.got = len(self.table) + len(self.input)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.got = [i.got for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_a_run_that_failed_here_is_resumed_there_with_its_artifacts(place):
    place.write(RESUMED)
    away = {"SWELL_DATASTORE": "local", "SWELL_PROFILE": ""}
    place.call("run", code=1, **away)
    assert (place.folder / ".swell" / "blobs").exists()
    said = place.call("resume", "--with", "batch")
    assert place.run("ResumedFlow/2")["join"].task.data.got == [600_000, 500_001]
    assert place.run("ResumedFlow/2")["start"].task.origin_pathspec
    assert "Taken over" in said.stdout + said.stderr


PACKAGELESS = """
import os
from swell import Flow
TOP

class PackagelessFlow(FlowSpec):
    @step
    def start(self):
        BODY
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.mark.parametrize(
    ("top", "body"),
    [("", "import yaml"), ("if 'AWS_BATCH_JOB_ID' in os.environ: import yaml", "pass")],
    ids=["in a step", "at the top"],
)
def test_a_module_that_is_missing_there_is_told_with_its_remedy(place, top, body):
    place.write(PACKAGELESS.replace("TOP", top).replace("BODY", body))
    said = place.call("run", "--with", "batch", code=1)
    assert "No module named 'yaml'" in said.stderr
    assert "@pypi(packages={'pyyaml': ''})" in said.stderr


def test_a_step_there_that_looks_at_runs_is_told_why_it_cannot(place):
    body = "print(Flow('PackagelessFlow').latest_run)"
    place.write(PACKAGELESS.replace("TOP", "").replace("BODY", body))
    said = place.call("run", "--with", "batch", code=1)
    assert "cannot look at runs" in said.stderr
    assert "SWELL_METADATA=postgresql://" in said.stderr


LOUD = """
class LoudFlow(FlowSpec):
    @step
    def start(self):
        for n in range(20_000):
            print(n, "x" * 90)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_of_a_large_output_the_same_is_kept_as_here(place):
    place.write(LOUD)
    place.call("--quiet", "run", "--max-log-size", "0.5")
    place.call("--quiet", "run", "--max-log-size", "0.5", "--with", "batch")
    here, away = (place.run(f"LoudFlow/{n}")["start"].task for n in (1, 2))
    kept = away.stdout.splitlines()
    assert kept[0] == f"0 {'x' * 90}"
    assert kept[-1] == f"19999 {'x' * 90}"
    assert 400_000 < away.stdout_size < 600_000
    assert abs(len(kept) - len(here.stdout.splitlines())) < 500


WIDE = """
class WideBatchFlow(FlowSpec):
    @step
    def start(self):
        self.xs = list(range(300))
        self.next(self.work, foreach="xs")

    @step
    def work(self):
        self.got = str(self.input) * 1000
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(len(i.got) for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.mark.slow
def test_a_wide_foreach_goes_in_windows_and_its_join_reads_a_pack(place):
    place.write(WIDE)
    options = ("--max-workers", "50", "--max-num-splits", "300")
    place.call("--quiet", "run", *options, "--with", "batch")
    run = place.run("WideBatchFlow/1")
    assert run["join"].task.data.total == 1000 * (10 + 2 * 90 + 3 * 200)
    sizes = [job["arrayProperties"]["size"] for job in place.jobs() if "arrayProperties" in job]
    assert sum(sizes) <= 300
    assert max(sizes) == 50
    assert len(list(run["work"])) == 300
