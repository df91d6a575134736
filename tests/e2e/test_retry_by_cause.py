"""Runs whose tasks fail for different reasons: which are tried again, and with how much memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from swell import Task
from tests.e2e.flow_place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


FLOW = """
from swell import NonRetryable

class CausesFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.full, self.bad_row, self.network)

    @resources(memory=200)
    @retry(times=1, max_memory=700)
    @catch(var="problem")
    @step
    def full(self):
        kept = b"x" * 500_000_000
        if current.retry_count == 2:
            raise ValueError("that counts")
        self.next(self.join)

    @retry(times=3)
    @catch(var="problem")
    @step
    def bad_row(self):
        raise NonRetryable("row 7 has no date")
        self.next(self.join)

    @retry(times=3, on=[ConnectionError, "timeout"])
    @catch(var="problem")
    @step
    def network(self):
        if current.retry_count == 0:
            raise ConnectionResetError("peer")
        raise LookupError("no such row")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.problems = [str(getattr(i.problem, "exception", i.problem)) for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_each_cause_has_its_own_way_on(place: Place) -> None:
    place.write(FLOW)
    said = place.call("run", "--enforce-memory").stdout
    assert "The next one starts now, memory 200 → 400 MB." in said
    assert "The next one starts now, memory 400 → 700 MB." in said
    run = place.run("CausesFlow/1")
    assert run["join"].task.data.problems == ["None", "row 7 has no date", "no such row"]
    made = {name: run[name].task.current_attempt for name in ("full", "bad_row", "network")}
    assert made == {"full": 3, "bad_row": 0, "network": 1}
    noted = [
        Task(run["full"].task.pathspec, attempt=number).metadata_dict.get("memory")
        for number in range(4)
    ]
    assert noted == [None, "400", "700", "700"]


def test_a_failure_that_is_not_meant_is_told_so(place: Place) -> None:
    place.write(FLOW)
    place.change(
        '    @catch(var="problem")\n    @step\n    def network', "    @step\n    def network"
    )
    said = place.call("run", code=1).stdout
    assert "LookupError: no such row. It is not retried: @retry names other failures." in said
