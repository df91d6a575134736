"""What an attempt says of itself is judged by what others saw of it."""

from __future__ import annotations

import pytest

from swell.model.cause import Cause, Evidence
from swell.model.record import ErrorInfo, Outcome
from swell.model.verdict import judge

KILLED = ErrorInfo(
    "subprocess.CalledProcessError", "Command 'x' died with <Signals.SIGKILL: 9>.", "Traceback …"
)
BROKEN_POOL = ErrorInfo(
    "concurrent.futures.process.BrokenProcessPool", "A process …", "Traceback …"
)
BAD_VALUE = ErrorInfo("ValueError", "bad", "Traceback …")


def failed(error: ErrorInfo, cause: Cause = Cause.USER_ERROR) -> Outcome:
    return Outcome(False, cause, f"{error.type}: {error.text}", error)


def judged(outcome: Outcome | None, evidence: Evidence) -> Outcome:
    return judge(outcome, evidence, began_at=1.0, ended_at=2.0)


@pytest.mark.parametrize(
    ("error", "evidence", "cause"),
    [
        # The kernel killed in the attempt's own group: whatever was raised came of it.
        (KILLED, Evidence(oom_kills=1), Cause.OUT_OF_MEMORY),
        (BAD_VALUE, Evidence(oom_kills=1), Cause.OUT_OF_MEMORY),
        # It killed somewhere near: only what tells of a child that is gone came of it.
        (KILLED, Evidence(oom_kills_around=1), Cause.OUT_OF_MEMORY),
        (BROKEN_POOL, Evidence(oom_kills_around=2), Cause.OUT_OF_MEMORY),
        (BAD_VALUE, Evidence(oom_kills_around=1), Cause.USER_ERROR),
        # It killed nothing: a child may be killed by anybody.
        (KILLED, Evidence(oom_kills=0, oom_kills_around=0), Cause.USER_ERROR),
        (BROKEN_POOL, Evidence(), Cause.USER_ERROR),
    ],
)
def test_an_error_that_came_of_a_kill_for_memory_is_told_as_one(
    error: ErrorInfo, evidence: Evidence, cause: Cause
) -> None:
    found = judged(failed(error), evidence)
    assert found.cause is cause
    assert found.error == error
    assert found.message.endswith(f"{error.type}: {error.text}")


def test_the_kill_of_a_child_is_told_with_values_and_a_remedy() -> None:
    evidence = Evidence(oom_kills=1, memory_limit_mb=300, peak_memory_mb=299.6)
    found = judged(failed(KILLED), evidence)
    assert found.message.startswith(
        "The kernel ended a process that the step had started (peak 300 MB, limit 300 MB); "
    )
    assert "@resources(memory=600)" in found.remedy


@pytest.mark.parametrize("cause", [Cause.TIMEOUT, Cause.DISK_FULL])
def test_another_cause_that_the_attempt_knows_stays(cause: Cause) -> None:
    assert judged(failed(BAD_VALUE, cause), Evidence(oom_kills=1)).cause is cause


def test_an_attempt_that_ended_well_ended_well() -> None:
    done = Outcome(True, ended_at=2.0)
    assert judged(done, Evidence(oom_kills=3, oom_kills_around=3)) is done


def test_a_memory_error_under_a_limit_names_it() -> None:
    error = ErrorInfo("MemoryError", "", "Traceback …")
    evidence = Evidence(memory_limit_mb=200, peak_memory_mb=150.0)
    found = judged(Outcome(False, Cause.OUT_OF_MEMORY, "MemoryError", error), evidence)
    assert found.message == "MemoryError (peak 150 MB, limit 200 MB)"
    assert "@resources(memory=400)" in found.remedy


def test_a_memory_error_without_a_limit_asked_for_more_than_there_is() -> None:
    error = ErrorInfo("MemoryError", "", "Traceback …")
    found = judged(Outcome(False, Cause.OUT_OF_MEMORY, "MemoryError", error), Evidence())
    assert found.message == "MemoryError"
    assert "larger" in found.remedy


def test_an_attempt_that_left_nothing_ended_as_the_evidence_says() -> None:
    found = judged(None, Evidence(exit_code=7))
    assert (found.ok, found.cause, found.started_at, found.ended_at) == (
        False,
        Cause.EXIT,
        1.0,
        2.0,
    )
    assert "exit code 7" in found.message
    assert "os._exit" in found.remedy
