"""On a real account: what the sandbox cannot prove. Skipped without one.

SWELL_LIVE_PROFILE names a settings file that `swell configure aws` wrote; the tests leave
nothing that runs, and a few small objects under the bucket's prefix.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROFILE = os.environ.get("SWELL_LIVE_PROFILE")
LIMIT_S = 1_800
"""A machine has to come first, and its image."""

pytestmark = pytest.mark.skipif(not PROFILE, reason="SWELL_LIVE_PROFILE names no profile")

FLOW = """
import sys, time
from swell import FlowSpec, Parameter, current, resources, retry, step

class LiveFlow(FlowSpec):
    wide = Parameter("wide", default=3)
    fails = Parameter("fails", default=False)
    sleeps = Parameter("sleeps", default=0)

    @step
    def start(self):
        self.items = list(range(self.wide))
        self.large = bytes(20_000_000)
        self.next(self.work, foreach="items")

    @retry(times=1, minutes_between_retries=0)
    @resources(cpu=1, memory=1000)
    @step
    def work(self):
        print("item", self.input, "of", len(self.large), flush=True)
        time.sleep(self.sleeps)
        if self.fails and current.retry_count == 0:
            sys.exit("not yet")
        self.square = self.input ** 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.square for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)

if __name__ == "__main__":
    LiveFlow()
"""


def flow(folder: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "live.py", "--profile", str(PROFILE), *words],
        cwd=folder,
        env={**os.environ, "SWELL_ROOT": str(folder / ".swell")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "live.py").write_text(FLOW)
    return tmp_path


def test_a_foreach_with_a_large_artifact_gives_its_sum_and_its_logs(folder: Path) -> None:
    flow(folder, "run", "--with", "batch")

    assert "total 5" in flow(folder, "logs", "1/end")
    assert "item 2 of 20000000" in flow(folder, "logs", "1/work")


def test_a_task_that_exits_is_tried_again_by_its_retry(folder: Path) -> None:
    flow(folder, "run", "--with", "batch", "--wide", "2", "--fails", "true")

    assert "total 1" in flow(folder, "logs", "1/end")


def test_an_image_without_python_is_told_as_the_reason(folder: Path) -> None:
    said = flow(folder, "run", "--with", "batch:image=busybox:1.36", code=1)

    assert "Python" in said


def test_a_detached_run_is_finished_by_attach(folder: Path) -> None:
    flow(folder, "run", "--with", "batch", "--wide", "2", "--detach")
    flow(folder, "attach", "1")

    assert "total 1" in flow(folder, "logs", "1/end")


def test_a_run_that_is_terminated_leaves_no_job(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "live.py", "--profile", str(PROFILE), "run", "--with", "batch",
         "--sleeps", "900"],
        cwd=folder,
        env={**os.environ, "SWELL_ROOT": str(folder / ".swell")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as driver:  # fmt: skip
        assert driver.stdout is not None
        for line in driver.stdout:
            if "work" in line and "item" in line:
                driver.terminate()
                break
        driver.communicate(timeout=LIMIT_S)

    assert unfinished(folder) == []


def unfinished(folder: Path) -> list[str]:
    """Names of jobs of the run that Batch still has."""
    from swell.compute.batch.api import BatchApi
    from swell.compute.batch.defaults import access_from, defaults_from
    from swell.compute.batch.listing import FlowOfJobs, unfinished_jobs
    from swell.session.reading import open_address
    from swell.settings import load_settings

    settings = load_settings({**os.environ, "SWELL_PROFILE": str(PROFILE)})
    queue = defaults_from(settings).queue
    assert queue is not None
    stores = open_address(str(folder))
    try:
        wanted = FlowOfJobs(stores.metastore.store_id, "LiveFlow")
    finally:
        stores.close()
    return [job.name for job in unfinished_jobs(BatchApi(access_from(settings)), [queue], wanted)]
