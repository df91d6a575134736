"""From evidence to a cause: the rows that remote attempts add."""

import pytest

from swell.model.cause import Cause, Evidence, find_cause


@pytest.mark.parametrize(
    ("evidence", "cause", "part"),
    [
        (Evidence(ended_by="timeout", signal=9), Cause.TIMEOUT, "time limit"),
        (Evidence(ended_by="cancel"), Cause.CANCELLED, "on request"),
        (Evidence(ended_by="lease", exit_code=1), Cause.DRIVER_LOST, "driver"),
        (Evidence(ended_by="spot", signal=15), Cause.SPOT, "taken back"),
        (Evidence(ended_by="claimed", exit_code=0), Cause.CANCELLED, "Another job"),
        (Evidence(ended_by="stop", reason="It had to stop."), Cause.CANCELLED, "had to stop"),
        (Evidence(ended_by="stop", oom_kills=1), Cause.OUT_OF_MEMORY, "memory"),
        (
            Evidence(ended_by="environment", reason="The image has Python 3.9."),
            Cause.ENVIRONMENT,
            "Python 3.9",
        ),
        (Evidence(engine_cause=Cause.IMAGE, reason="No image."), Cause.IMAGE, "No image."),
        (Evidence(engine_cause=Cause.PLACEMENT), Cause.PLACEMENT, "placement"),
        (
            Evidence(engine_cause=Cause.SPOT, ended_by="stop", exit_code=143, reason="Gone."),
            Cause.SPOT,
            "Gone.",
        ),
        (
            Evidence(
                engine_cause=Cause.OUT_OF_MEMORY, reason="Out of memory", memory_limit_mb=4000
            ),
            Cause.OUT_OF_MEMORY,
            "Out of memory (limit 4,000 MB).",
        ),
    ],
)
def test_what_the_supervisor_or_the_engine_says_names_the_cause(evidence, cause, part):
    finding = find_cause(evidence)
    assert finding.cause is cause
    assert part in finding.sentence
