"""Failure budgets, canaries and `debug` for tasks that ran on AWS Batch, in the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.batch_place import BatchPlace
from tests.servers.sandbox import Sandbox

pytest.importorskip("boto3")

FLOW = """
from swell import batch

class AwayFlow(FlowSpec):
    @step
    def start(self):
        self.table = b"x" * 100_000
        self.items = ["a", "bb", "ccc", "dddd", "eeeee"]
        self.next(self.fit, foreach="items", max_failures=1, canary=2)

    @batch
    @step
    def fit(self):
        self.got = len(self.input)
        if self.input == "bb":
            raise ValueError(f"no {self.input} among {len(self.table)}")
        self.next(self.join)

    @batch
    @step
    def join(self, inputs):
        self.got = [(one.index, one.input, one.got) for one in inputs]
        self.lost = [(one.index, one.item, one.error.exception) for one in inputs.failures()]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_on_batch_canaries_go_first_the_join_sees_the_failed_and_debug_runs_it_here(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    place = BatchPlace(tmp_path, sandbox)
    place.write(FLOW)

    place.call("run")

    data = place.run("AwayFlow/1")["join"].task.data
    assert data.got == [(0, "a", 1), (2, "ccc", 3), (3, "dddd", 4), (4, "eeeee", 5)]
    assert data.lost == [(1, "bb", "no bb among 100000")]
    sizes = [job.get("arrayProperties", {}).get("size", 1) for job in place.jobs()]
    assert sorted(sizes) == [1, 2, 3]
    (failed,) = [task for task in place.run("AwayFlow/1")["fit"] if not task.successful]

    done = place.call("debug", f"1/fit/{failed.id}", code=1)

    assert "items[1] = bb" in done.stderr
    assert "ValueError: no bb among 100000" in done.stderr
    assert "got  2" in done.stdout
