"""Facts as tests commit them: a run by Ann, an attempt that ended, its Record."""

from __future__ import annotations

from swell.model.facts import AttemptEnded, NewRun
from swell.model.ids import JobId, RunId
from swell.model.record import ArtifactRef, Outcome, Record, Usage
from swell.model.wire import encode


def new_run(flow: str = "SumFlow", at: float = 1000.0, **also: object) -> NewRun:
    """A run by ``ann``, with a system tag of its user."""
    given: dict[str, object] = {
        "flow": flow,
        "user": "ann",
        "created_at": at,
        "script": "sum.py",
        "system_tags": ("user:ann", "runtime:dev"),
    }
    return NewRun(**(given | also))  # type: ignore[arg-type]  # keywords of NewRun


def record_of(**values: bytes) -> Record:
    """A Record whose artifacts are inline."""
    return Record(
        {name: ArtifactRef(value, None, len(value), "bytes", "…") for name, value in values.items()}
    )


MEASURED = Usage(81.5, 0.25, "VmHWM", 12.5, 3.0, 1024.0, 40.25, 200)
"""What every attempt used."""


def ended(
    run: RunId,
    task: str,
    attempt: int = 0,
    *,
    at: float = 1003.0,
    outcome: Outcome | None = None,
    record: Record | None = None,
) -> AttemptEnded:
    """An end with one artifact ``x``, ok unless ``outcome`` says otherwise."""
    return AttemptEnded(
        run,
        JobId(task, attempt),
        at,
        outcome or Outcome(True, started_at=at - 1, ended_at=at),
        encode(record_of(x=task.encode()) if record is None else record),
        MEASURED,
        {"git-info": ("json", "{}")},
    )
