"""Which runs a cleaner leaves alone."""

from __future__ import annotations

import pytest

from swell.gc.sweep import Ground
from swell.model.facts import RunFact, RunStatus
from swell.model.ids import RunId
from swell.session.cleaning import goes_on
from swell.testing.memory_storage import MemoryStorage

RUN = RunId("Slow", 7)


def run(status: RunStatus) -> RunFact:
    return RunFact(
        RUN, "ann", 1000.0, "slow.py", frozenset(), frozenset(), status, heartbeat_at=1000.0
    )


@pytest.mark.parametrize("has_news", [True, False])
@pytest.mark.parametrize("status", list(RunStatus))
def test_a_run_goes_on_while_a_driver_or_an_engine_may_work_on_it(status, has_news):
    storage = MemoryStorage()
    if has_news:
        storage.write("runs/Slow/7/submissions/swell-x", [b"pack"])
    far = [Ground("s3://bucket", storage)]
    # News in this fake are 0 seconds old at the epoch; the driver was silent since 1000.
    now = 1e6
    expected = has_news and status in (RunStatus.RUNNING, RunStatus.DETACHED)
    assert goes_on(run(status), far, now) is expected
