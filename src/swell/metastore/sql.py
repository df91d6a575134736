"""The metadata store over any SQL database: what SQLite and PostgreSQL have in common.

Statements are written so that both understand them; ``?`` stands for a value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from swell.errors import DataMissing, MetadataError
from swell.metastore import rows
from swell.metastore.database import Database, Insert, Transaction, marks
from swell.metastore.removal import refuse_in_use, refuse_without_origin
from swell.metastore.tags import changed_tags
from swell.model.facts import (
    AttemptFact,
    Fact,
    Left,
    NewRun,
    RunEnded,
    RunFact,
    RunStatus,
    RunTaken,
    StepFact,
    StoredRecord,
    TaskFact,
)
from swell.model.ids import JobId, RunId
from swell.model.wire import decode_outcome, decode_record

_T = TypeVar("_T")

_AT_ONCE = 500
"""Values in one query; SQLite takes at least 999."""
_PAGE = 1000
"""Attempts whose Records are read at once."""


_TASKS = Insert("tasks", ("run", "task", "step", "created_at", "detail"))
_TAGS = Insert("run_tags", ("run", "tag", "is_system"))
_ATTEMPT_FACTS = (
    *("started_at", "pid", "note", "ended_at", "ok", "caught", "cause"),
    *("peak_memory_mb", "cpu_s", "measured_by", "metadata", "outcome", "record"),
)
_ATTEMPTS = Insert(
    "attempts",
    ("run", "task", "attempt", *_ATTEMPT_FACTS),
    "ON CONFLICT (run, task, attempt) DO UPDATE SET "
    + ", ".join(f"{name} = COALESCE(excluded.{name}, attempts.{name})" for name in _ATTEMPT_FACTS),
)
# By the key: a page begins where the last one ended, whatever was added meanwhile.
_LEFT = (
    "SELECT t.step, a.task, a.attempt, a.record, a.outcome FROM runs r "
    "JOIN attempts a ON a.run = r.id LEFT JOIN tasks t ON t.run = a.run AND t.task = a.task "
    "WHERE r.flow = ? AND r.number = ? AND a.ended_at IS NOT NULL "
    f"AND (a.task, a.attempt) > (?, ?) ORDER BY a.task, a.attempt LIMIT {_PAGE}"
)
_LATEST_ATTEMPT = "(SELECT MAX(attempt) FROM attempts WHERE run = t.run AND task = t.task)"
_LATEST_ENDED = (
    "(SELECT MAX(attempt) FROM attempts "
    "WHERE run = t.run AND task = t.task AND ended_at IS NOT NULL)"
)


class SqlMetastore:
    """Fills ``seams.metastore.Metastore`` over a ``Database`` whose layout is current."""

    def __init__(self, database: Database, *, warnings: tuple[str, ...] = ()) -> None:
        self._database = database
        self._warnings = warnings
        self._store_id = ""

    @property
    def store_id(self) -> str:
        if not self._store_id:
            self._store_id = self._database.asking(
                lambda db: str(db.execute("SELECT id FROM store").fetchone()[0])
            )
        return self._store_id

    @property
    def address(self) -> str:
        return self._database.address

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should be told once about this place."""
        return self._warnings

    def create_run(self, new: NewRun) -> RunFact:
        is_again = False

        def create(db: Transaction) -> RunId:
            nonlocal is_again
            # Keeps all others off this flow's number until the end of the transaction.
            db.execute(
                "INSERT INTO flows (name, last_number) VALUES (?, 0) "
                "ON CONFLICT (name) DO UPDATE SET last_number = flows.last_number",
                (new.flow,),
            )
            if is_again and (made := _already_made(db, new)) is not None:
                return made
            is_again = True
            refuse_without_origin(db, new)
            return _insert_run(db, new)

        return _fact_of_new(self._database.changing(create), new)

    def delete_run(self, run: RunId, *, dead: Collection[RunFact] = ()) -> bool:
        def delete(db: Transaction) -> bool:
            # As create_run does: no run that resumes this one begins meanwhile.
            db.execute("UPDATE flows SET last_number = last_number WHERE name = ?", (run.flow,))
            found = db.execute("SELECT id FROM runs WHERE flow = ? AND number = ?", run).fetchone()
            if found is None:
                return False
            refuse_in_use(db, run, {fact.id: fact.heartbeat_at for fact in dead})
            for table in ("attempts", "tasks", "run_tags"):
                db.execute(f"DELETE FROM {table} WHERE run = ?", (found[0],))
            db.execute("DELETE FROM runs WHERE id = ?", (found[0],))
            return True

        return self._database.changing(delete)

    def commit(self, facts: Sequence[Fact]) -> None:
        found = rows.batches(facts)
        if not found:
            return

        def write(db: Transaction) -> None:
            for run, batch in found.items():
                key = self._locked(db, run)
                if batch.tasks:
                    db.insert(_TASKS, [(key, *row) for row in batch.tasks])
                if batch.attempts:
                    attempts = batch.attempts.items()
                    attempt_rows = [(key, job.task, job.attempt, *row) for job, row in attempts]
                    db.insert(_ATTEMPTS, attempt_rows)
                if batch.taken is not None:
                    _take_run(db, key, batch.taken)
                if batch.ended is not None:
                    _end_run(db, key, batch.ended)

        self._database.changing(write)

    def heartbeat(self, run: RunId, at: float) -> None:
        self._database.changing(
            lambda db: db.execute(
                "UPDATE runs SET heartbeat_at = ? "
                "WHERE id = ? AND (heartbeat_at IS NULL OR heartbeat_at < ?)",
                (at, self._key(db, run), at),
            )
        )

    def flows(self) -> list[str]:
        sql = "SELECT flow FROM runs GROUP BY flow ORDER BY MAX(created_at) DESC, MAX(id) DESC"
        return self._database.asking(lambda db: [row[0] for row in db.execute(sql)])

    def runs(
        self, flow: str | None = None, *, tags: Collection[str] = (), limit: int | None = None
    ) -> list[RunFact]:
        conditions = [] if flow is None else ["flow = ?"]
        # A tag such as user:<name> stands on most runs, so each run is asked for its tags
        # in order of time, rather than each tag for its runs.
        conditions += ["EXISTS (SELECT 1 FROM run_tags WHERE run = runs.id AND tag = ?)"] * len(
            tags
        )
        given: list[object] = [*([] if flow is None else [flow]), *tags]
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        where += "ORDER BY created_at DESC, id DESC"
        if limit is not None:
            where += " LIMIT ?"
            given.append(limit)
        return self._database.asking(lambda db: _run_facts(db, where, given))

    def run(self, run: RunId) -> RunFact | None:
        facts = self._database.asking(
            lambda db: _run_facts(db, "WHERE flow = ? AND number = ?", run)
        )
        return facts[0] if facts else None

    def steps(self, run: RunId) -> list[StepFact]:
        sql = (
            "SELECT step, MIN(created_at), COUNT(*), MAX(rowid) FROM tasks WHERE run = ? "
            "GROUP BY step ORDER BY 2 DESC, 4 DESC"
        )
        return self._database.asking(
            lambda db: [
                StepFact(run, name, created_at, tasks)
                for name, created_at, tasks, _ in self._of_run(db, run, sql)
            ]
        )

    def tasks(self, run: RunId, step: str | None = None, task: str | None = None) -> list[TaskFact]:
        where, given = _of_step_or_task(step, task)
        sql = (
            f"SELECT {rows.TASK_COLUMNS} FROM tasks t LEFT JOIN attempts a "
            f"ON a.run = t.run AND a.task = t.task AND a.attempt = {_LATEST_ATTEMPT} "
            f"WHERE t.run = ?{where}"
        )
        return self._database.asking(
            lambda db: rows.newest_first(
                rows.task_fact(run, row) for row in self._of_run(db, run, sql, *given)
            )
        )

    def attempts(
        self, run: RunId, step: str | None = None, task: str | None = None
    ) -> list[AttemptFact]:
        where, given = _of_step_or_task(step, task)
        sql = (
            f"SELECT {rows.ATTEMPT_COLUMNS} FROM tasks t "
            f"JOIN attempts a ON a.run = t.run AND a.task = t.task WHERE t.run = ?{where} "
            "ORDER BY COALESCE(a.started_at, a.ended_at), a.rowid"
        )
        return self._database.asking(
            lambda db: [rows.attempt_fact(run, row) for row in self._of_run(db, run, sql, *given)]
        )

    def records(
        self,
        run: RunId,
        *,
        step: str | None = None,
        tasks: Collection[str] | None = None,
        attempt: int | None = None,
    ) -> list[StoredRecord]:
        chosen = _LATEST_ENDED if attempt is None else "?"
        sql = (
            "SELECT t.step, a.task, a.attempt, a.record FROM tasks t JOIN attempts a "
            f"ON a.run = t.run AND a.task = t.task AND a.attempt = {chosen} "
            "WHERE a.record IS NOT NULL AND t.run = ?"
        )
        before = () if attempt is None else (attempt,)
        of_step, step_given = _of_step_or_task(step, None)

        def read(db: Transaction) -> Iterator[rows.Row]:
            given = (*before, self._key(db, run), *step_given)
            if tasks is None:
                yield from db.execute(f"{sql}{of_step} ORDER BY t.rowid", given)
                return
            for some in _in_blocks(tasks):
                of_tasks = f" AND t.task IN ({marks(some)})"
                yield from db.execute(f"{sql}{of_step}{of_tasks}", (*given, *some))

        return self._database.asking(
            lambda db: [
                StoredRecord(name, JobId(task, number), decode_record(data))
                for name, task, number, data in read(db)
            ]
        )

    def encoded_records(self, run: RunId, tasks: Sequence[str]) -> list[bytes]:
        def read(db: Transaction) -> dict[str, bytes]:
            key = self._key(db, run)
            found: dict[str, bytes] = {}
            for some in _in_blocks(dict.fromkeys(tasks)):
                # Ascending, so that the latest of a task's records is the one kept.
                sql = (
                    "SELECT task, record FROM attempts WHERE run = ? AND record IS NOT NULL "
                    f"AND task IN ({marks(some)}) ORDER BY attempt"
                )
                found.update((task, bytes(data)) for task, data in db.execute(sql, (key, *some)))
            return found

        found = self._database.asking(read)
        for task in tasks:
            if task not in found:
                raise DataMissing(
                    f"Task {task} of run {run} has left no record of artifacts.",
                    remedy="It has not ended yet, or its run was cut short: 'resume' runs it.",
                )
        return [found[task] for task in tasks]

    def left_by(self, run: RunId) -> Iterator[Left]:
        last: tuple[str, int] = ("", -1)
        while True:
            page = self._database.asking(_asked_all(_LEFT, (*run, *last)))
            for step, task, attempt, record, outcome in page:
                transition = decode_outcome(bytes(outcome)).transition
                yield Left(
                    step or "",
                    JobId(task, attempt),
                    decode_record(bytes(record)),
                    None if transition is None else transition.split,
                )
            if len(page) < _PAGE:
                return
            last = (page[-1][1], page[-1][2])

    def change_tags(
        self, run: RunId, *, add: Collection[str] = (), remove: Collection[str] = ()
    ) -> frozenset[str]:
        def change(db: Transaction) -> frozenset[str]:
            key = self._locked(db, run)
            sql = "SELECT tag FROM run_tags WHERE run = ? AND is_system = 0"
            before = frozenset(row[0] for row in db.execute(sql, (key,)))
            after = changed_tags(before, add=add, remove=remove)
            for gone in _in_blocks(before - after):
                db.execute(
                    "DELETE FROM run_tags WHERE run = ? AND is_system = 0 "
                    f"AND tag IN ({marks(gone)})",
                    (key, *gone),
                )
            db.insert(_TAGS, [(key, tag, 0) for tag in after - before])
            return after

        return self._database.changing(change)

    def close(self) -> None:
        self._database.close()

    def _key(self, db: Transaction, run: RunId, lock: str = "") -> int:
        sql = f"SELECT id FROM runs WHERE flow = ? AND number = ?{lock}"
        row = db.execute(sql, run).fetchone()
        if row is None:
            raise MetadataError(
                f"The metadata database {self.address} has no run {run}.",
                remedy="It was deleted meanwhile, or belongs to another store: see 'swell runs'.",
            )
        key: int = row[0]
        return key

    def _locked(self, db: Transaction, run: RunId) -> int:
        return self._key(db, run, self._database.row_lock)

    def _of_run(self, db: Transaction, run: RunId, sql: str, *given: object) -> Iterable[rows.Row]:
        return db.execute(sql, (self._key(db, run), *given))


def _asked_all(sql: str, given: Sequence[object]) -> Callable[[Transaction], list[rows.Row]]:
    return lambda db: db.execute(sql, given).fetchall()


def _already_made(db: Transaction, new: NewRun) -> RunId | None:
    """The run that an earlier try made, whose answer was lost."""
    row = db.execute(
        "SELECT number FROM runs WHERE flow = ? AND created_at = ? AND host = ? AND pid = ? "
        'AND "user" = ? ORDER BY number DESC LIMIT 1',
        (new.flow, new.created_at, new.host, new.pid, new.user),
    ).fetchone()
    return None if row is None else RunId(new.flow, row[0])


def _insert_run(db: Transaction, new: NewRun) -> RunId:
    db.execute("UPDATE flows SET last_number = last_number + 1 WHERE name = ?", (new.flow,))
    found = db.execute("SELECT last_number FROM flows WHERE name = ?", (new.flow,))
    run = RunId(new.flow, found.fetchone()[0])
    db.execute(
        f"INSERT INTO runs ({rows.RUN_COLUMNS}) VALUES ({','.join('?' * 12)})",
        (
            *run,
            new.user,
            new.created_at,
            new.script,
            RunStatus.RUNNING.value,
            new.origin_run,
            None,
            new.created_at,
            new.host,
            new.pid,
            new.graph,
        ),
    )
    (key,) = db.execute("SELECT id FROM runs WHERE flow = ? AND number = ?", run).fetchone()
    tags = [(key, tag, 1) for tag in new.system_tags]
    tags += [(key, tag, 0) for tag in new.user_tags]
    db.insert(_TAGS, tags)
    return run


def _fact_of_new(run: RunId, new: NewRun) -> RunFact:
    return RunFact(
        id=run,
        user=new.user,
        created_at=new.created_at,
        script=new.script,
        system_tags=frozenset(new.system_tags),
        user_tags=frozenset(new.user_tags),
        status=RunStatus.RUNNING,
        origin_run=new.origin_run,
        heartbeat_at=new.created_at,
        host=new.host,
        pid=new.pid,
        graph=new.graph,
    )


def _end_run(db: Transaction, key: int, fact: RunEnded) -> None:
    db.execute(
        "UPDATE runs SET status = ?, finished_at = ? WHERE id = ?",
        (fact.status.value, None if fact.status is RunStatus.DETACHED else fact.at, key),
    )


def _take_run(db: Transaction, key: int, fact: RunTaken) -> None:
    db.execute(
        "UPDATE runs SET status = ?, finished_at = NULL, heartbeat_at = ?, host = ?, pid = ? "
        "WHERE id = ?",
        (RunStatus.RUNNING.value, fact.at, fact.host, fact.pid, key),
    )


def _of_step_or_task(step: str | None, task: str | None) -> tuple[str, tuple[str, ...]]:
    given = {"step": step, "task": task}
    chosen = {name: value for name, value in given.items() if value is not None}
    return "".join(f" AND t.{name} = ?" for name in chosen), tuple(chosen.values())


def _run_facts(db: Transaction, where: str, given: Sequence[object]) -> list[RunFact]:
    found = db.execute(f"SELECT id, {rows.RUN_COLUMNS} FROM runs {where}", given).fetchall()
    system: dict[int, set[str]] = {row[0]: set() for row in found}
    user: dict[int, set[str]] = {row[0]: set() for row in found}
    for some in _in_blocks(system):
        sql = f"SELECT run, tag, is_system FROM run_tags WHERE run IN ({marks(some)})"
        for key, tag, is_system in db.execute(sql, some):
            (system if is_system else user)[key].add(tag)
    return [rows.run_fact(row, frozenset(system[key]), frozenset(user[key])) for key, *row in found]


def _in_blocks(values: Iterable[_T]) -> Iterator[list[_T]]:
    """``values`` in lists short enough for one query."""
    wanted = list(values)
    for start in range(0, len(wanted), _AT_ONCE):
        yield wanted[start : start + _AT_ONCE]
