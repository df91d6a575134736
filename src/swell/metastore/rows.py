"""Facts to rows of the metadata tables and back; pure, for any SQL database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from swell.model.cause import Cause
from swell.model.facts import (
    AttemptEnded,
    AttemptFact,
    AttemptStarted,
    Fact,
    RunEnded,
    RunFact,
    RunStatus,
    RunTaken,
    TaskCreated,
    TaskFact,
)
from swell.model.ids import JobId, RunId
from swell.model.record import Usage
from swell.model.wire import decode_outcome, encode

Row = Sequence[Any]
"""A row as a database driver gives and takes it."""


class _Detail(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What is said of a task's creation beside step, id and time; JSON in the database."""

    parents: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    rounds: tuple[int, ...] = ()
    path_text: str = ""
    stack_text: tuple[str, ...] = ()
    origin_task: str | None = None
    gang_size: int | None = None
    gang_control: bool = False


_NO_DETAIL = _Detail()
_encode_json = msgspec.json.Encoder().encode
_decode_detail = msgspec.json.Decoder(_Detail).decode
_decode_metadata = msgspec.json.Decoder(dict[str, tuple[str, str]]).decode


class Batch(msgspec.Struct):
    """Rows of one run to be written in one transaction.

    A task's attempts are keyed by (task, attempt), so that start and end of an attempt
    in one batch are one row: started_at, pid, note, then what its end says.
    """

    tasks: list[Row]
    attempts: dict[JobId, Row]
    ended: RunEnded | None = None
    taken: RunTaken | None = None


_NOT_STARTED = (None, None, None)
_NOT_ENDED = (None,) * 10


def batches(facts: Iterable[Fact]) -> dict[RunId, Batch]:
    """The facts of each run as rows, in their order, an attempt's facts as one row."""
    found: dict[RunId, Batch] = {}
    for fact in facts:
        batch = found.get(fact.run)
        if batch is None:
            batch = found[fact.run] = Batch([], {})
        if isinstance(fact, AttemptEnded):
            start = batch.attempts.get(fact.job, _NOT_STARTED)[:3]
            batch.attempts[fact.job] = (*start, *_end_row(fact))
        elif isinstance(fact, AttemptStarted):
            end = batch.attempts.get(fact.job, (*_NOT_STARTED, *_NOT_ENDED))[3:]
            batch.attempts[fact.job] = (fact.at, fact.pid, fact.note or None, *end)
        elif isinstance(fact, TaskCreated):
            batch.tasks.append((fact.task, fact.step, fact.created_at, _detail_text(fact)))
        elif isinstance(fact, RunTaken):
            batch.taken = fact
        else:
            batch.ended = fact
    return found


def _end_row(fact: AttemptEnded) -> Row:
    outcome, usage = fact.outcome, fact.usage
    return (
        fact.at,
        outcome.ok,
        outcome.caught,
        outcome.cause.value,
        usage.peak_memory_mb,
        usage.cpu_s,
        usage.how or None,
        _encode_json(fact.metadata).decode() if fact.metadata else None,
        # With all that was measured in it: a new kind of measurement needs no new column.
        encode(msgspec.structs.replace(outcome, used=usage)),
        fact.record,
    )


def _detail_text(fact: TaskCreated) -> str | None:
    detail = _Detail(
        fact.parents,
        fact.indices,
        fact.rounds,
        fact.path_text,
        fact.stack_text,
        fact.origin_task,
        fact.gang_size,
        fact.gang_control,
    )
    return None if detail == _NO_DETAIL else _encode_json(detail).decode()


# In SQL the name of the user who asks, unless it is quoted.
RUN_COLUMNS = (
    'flow, number, "user", created_at, script, status, origin_run, finished_at, heartbeat_at, '
    "host, pid, graph"
)


def run_fact(row: Row, system_tags: frozenset[str], user_tags: frozenset[str]) -> RunFact:
    """From a row of ``RUN_COLUMNS``."""
    return RunFact(
        id=RunId(row[0], row[1]),
        user=row[2],
        created_at=row[3],
        script=row[4],
        system_tags=system_tags,
        user_tags=user_tags,
        status=RunStatus(row[5]),
        origin_run=row[6],
        finished_at=row[7],
        heartbeat_at=row[8],
        host=row[9],
        pid=row[10],
        graph=bytes(row[11]),
    )


TASK_COLUMNS = (
    "t.step, t.task, t.created_at, t.detail, "
    "a.attempt, a.started_at, a.ended_at, a.ok, a.caught, a.cause"
)


def task_fact(run: RunId, row: Row) -> TaskFact:
    """From a row of ``TASK_COLUMNS``."""
    step, task, created_at, text, attempt, started_at, ended_at, ok, caught, cause = row
    detail = _decode_detail(text) if text else _NO_DETAIL
    created = TaskCreated(
        run,
        step,
        task,
        created_at,
        detail.parents,
        detail.indices,
        detail.rounds,
        detail.path_text,
        detail.stack_text,
        detail.origin_task,
        detail.gang_size,
        detail.gang_control,
    )
    return TaskFact(
        created,
        attempt,
        started_at,
        ended_at,
        None if ok is None else bool(ok),
        bool(caught),
        None if cause is None else Cause(cause),
    )


ATTEMPT_COLUMNS = (
    "t.step, a.task, a.attempt, a.started_at, a.pid, a.ended_at, a.outcome, "
    "a.peak_memory_mb, a.cpu_s, a.measured_by, a.metadata"
)


def attempt_fact(run: RunId, row: Row) -> AttemptFact:
    """From a row of ``ATTEMPT_COLUMNS``."""
    outcome = None if row[6] is None else decode_outcome(bytes(row[6]))
    # Earlier versions measured three things, which have columns of their own.
    usage = Usage(row[7], row[8], row[9] or "")
    if outcome is not None:
        usage = usage.completed(outcome.used)
        outcome = msgspec.structs.replace(outcome, used=Usage())
    return AttemptFact(
        run=run,
        step=row[0],
        job=JobId(row[1], row[2]),
        started_at=row[3],
        pid=row[4],
        ended_at=row[5],
        outcome=outcome,
        usage=usage,
        metadata=_decode_metadata(row[10]) if row[10] else {},
    )


def task_order(task: str) -> tuple[int, int]:
    """A task id's place in order of creation: '12' before '12_node_3' before '13'."""
    number, _, node = task.partition("_node_")
    try:
        return int(number), int(node or 0)
    except ValueError:
        return 0, 0


def newest_first(tasks: Iterable[TaskFact]) -> list[TaskFact]:
    """By creation time, then by id."""
    return sorted(
        tasks,
        key=lambda fact: (fact.created.created_at, *task_order(fact.created.task)),
        reverse=True,
    )
