"""Whether an attempt that fails is its task's last with user code: so @catch knows when to take."""

from __future__ import annotations

import pytest

from swell.errors import NonRetryable, TimeoutException
from swell.model.ids import JobId
from swell.model.job import Inputs, Launch
from swell.task.context import AttemptContext

FIRST = Launch(JobId("7", 0), "work", 3, Inputs())
LAST = Launch(JobId("7", 2), "work", 3, Inputs())
ON_TIMEOUT = Launch(JobId("7", 0), "work", 3, Inputs(), retry_on=("timeout",))
ON_CLASS = Launch(JobId("7", 0), "work", 3, Inputs(), retry_on=("OSError",))
GROWS = Launch(JobId("7", 2), "work", 3, Inputs(), may_grow=True)

ROWS = [
    (FIRST, ValueError("no"), False),
    (LAST, ValueError("no"), True),
    (FIRST, NonRetryable("bad input"), True),
    (ON_TIMEOUT, ValueError("no"), True),
    (ON_TIMEOUT, TimeoutException("slow"), False),
    (ON_CLASS, ConnectionError("gone"), False),
    (ON_CLASS, ValueError("no"), True),
    (LAST, MemoryError(), True),
    (GROWS, MemoryError(), False),
    (GROWS, ValueError("no"), True),
]


@pytest.mark.parametrize(("launch", "error", "is_last"), ROWS)
def test_which_failure_ends_a_task(launch: Launch, error: BaseException, is_last: bool) -> None:
    context = AttemptContext(None, None, launch, None, {})  # type: ignore[arg-type]  # not looked at
    assert context.ends_with(error) is is_last
