"""A folder with one flow script that is run on AWS Batch, in a sandbox."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from swell.model.submission_name import name_prefix
from swell.session.databases import open_for_reading
from swell.session.place import Place as StorePlace
from tests.e2e.flow_place import Place
from tests.e2e.terminal import DEADLINE_S, Done, python
from tests.servers.sandbox import Sandbox

_SWELL = "from swell.cli.main import swell_command; swell_command()"


class BatchPlace(Place):
    """Runs, and looks at the jobs they left."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        super().__init__(folder)
        self.sandbox = sandbox

    def call(self, *arguments: str, code: int = 0, **variables: str) -> Done:
        """Run to the end; nothing runs there afterwards."""
        done = super().call(*arguments, code=code, **{**self.sandbox.variables, **variables})
        assert self.unfinished() == []
        return done

    def swell(self, *arguments: str, code: int = 0) -> str:
        """What the command `swell` says."""
        variables = self.sandbox.variables
        done = python(Path("-c"), _SWELL, *arguments, store=self.folder, **variables)
        assert done.code == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def started(
        self, *arguments: str, how: dict[str, Any] | None = None, **variables: str
    ) -> Iterator[subprocess.Popen[str]]:
        """A driver that runs meanwhile, and is gone behind the block; ``how`` is for Popen."""
        environ = {name: value for name, value in os.environ.items() if name[:6] != "SWELL_"}
        environ |= {"SWELL_ROOT": str(self.folder / ".swell"), "SWELL_USER": "tester"}
        options: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
        }
        driver = subprocess.Popen(
            [sys.executable, str(self.script), *arguments],
            cwd=self.folder,
            env={**environ, **self.sandbox.variables, **variables},
            **{**options, **(how or {})},
        )
        with driver:
            try:
                yield driver
            finally:
                driver.kill()

    def unfinished(self) -> list[dict[str, Any]]:
        """Jobs of this folder's runs that have not ended, children of arrays left out."""
        return [job for job in self.jobs() if job["status"] not in ("SUCCEEDED", "FAILED")]

    def jobs(self, queue: str = "swell") -> list[dict[str, Any]]:
        """All jobs of the flow's runs in this folder, as DescribeJobs tells them."""
        import boto3

        flow = self.script.read_text().split("class ")[1].split("(")[0]
        place = StorePlace(str(self.folder / ".swell"))
        if not place.may_have_runs:
            return []
        with contextlib.closing(open_for_reading(place).metastore) as store:
            named = name_prefix(store.store_id, flow) + "*"
        client = boto3.client("batch")
        with contextlib.closing(client):
            pages = client.get_paginator("list_jobs").paginate(
                jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [named]}]
            )
            ids = [job["jobId"] for page in pages for job in page["jobSummaryList"]]
            found = []
            for at in range(0, len(ids), 100):
                found += client.describe_jobs(jobs=ids[at : at + 100])["jobs"]
        return found


def until(is_so: Callable[[], object]) -> None:
    """Wait for it; fails after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
