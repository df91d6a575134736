"""The metadata store in one SQLite file, shared by threads and processes of one machine."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeVar

from swell.errors import DataMissing, MetadataError
from swell.metastore import rows
from swell.metastore import sqlite_layout as layout
from swell.metastore.filesystems import network_file_system, read_mounts
from swell.metastore.sqlite_connections import Connect, Connections, is_busy, metadata_error
from swell.metastore.tags import changed_tags
from swell.model.facts import (
    AttemptFact,
    Fact,
    NewRun,
    RunEnded,
    RunFact,
    RunStatus,
    StepFact,
    StoredRecord,
    TaskFact,
)
from swell.model.ids import JobId, RunId
from swell.model.wire import decode_record
from swell.seams.clock import Clock

_T = TypeVar("_T")

_PATIENCE_S = 60.0
"""How long a change waits for other processes, in all."""

_AT_ONCE = 500
"""Values in one query; SQLite takes at least 999."""

_INSERT_TASK = (
    "INSERT INTO tasks (run, task, step, created_at, detail) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_ATTEMPT_FACTS = (
    "started_at, pid, note, ended_at, ok, caught, cause, "
    "peak_memory_mb, cpu_s, measured_by, metadata, outcome, record"
)
_UPSERT_ATTEMPT = (
    f"INSERT INTO attempts (run, task, attempt, {_ATTEMPT_FACTS}) VALUES ({','.join('?' * 16)}) "
    "ON CONFLICT (run, task, attempt) DO UPDATE SET "
    + ", ".join(
        f"{name} = COALESCE(excluded.{name}, {name})" for name in _ATTEMPT_FACTS.split(", ")
    )
)
_LATEST_ATTEMPT = "(SELECT MAX(attempt) FROM attempts WHERE run = t.run AND task = t.task)"
_LATEST_ENDED = (
    "(SELECT MAX(attempt) FROM attempts "
    "WHERE run = t.run AND task = t.task AND ended_at IS NOT NULL)"
)


def open_metastore(
    path: str | os.PathLike[str],
    clock: Clock = time.time,
    *,
    read_only: bool = False,
    connect: Connect = sqlite3.connect,
    mounts: Callable[[], str] = read_mounts,
) -> SqliteMetastore:
    """Open the database at ``path``, made if there is none; its folder must exist.

    ``read_only`` neither creates nor upgrades it, works beside a run that writes, and on
    a store that may not be written; ``change_tags`` still tries. Raises MetadataError for
    a file that is damaged, of another program, or of a newer swell.
    """
    file = os.path.abspath(path)
    network = None if read_only else network_file_system(os.path.dirname(file), mounts)
    store = SqliteMetastore(
        file, clock, Connections(file, read_only=read_only, connect=connect), network=network
    )
    store.open(read_only=read_only)
    return store


class SqliteMetastore:
    """Fills ``seams.metastore.Metastore``. Use ``open_metastore``."""

    def __init__(
        self,
        path: str,
        clock: Clock,
        connections: Connections,
        *,
        network: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._clock = clock
        self._connections = connections
        self._network = network
        self._sleep = sleep
        self._store_id = ""

    @property
    def store_id(self) -> str:
        return self._store_id

    @property
    def address(self) -> str:
        return f"sqlite@{self._path}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should be told once about this place."""
        if self._network is None:
            return ()
        return (
            f"{self._path} is on a network file system ({self._network}), where SQLite is slow "
            "and runs from several machines are not safe. Put .swell on a local disk, or keep "
            "metadata in PostgreSQL.",
        )

    def open(self, *, read_only: bool) -> None:
        """Check the layout, bring it up to date unless ``read_only``, learn the store id."""
        is_current = self._asking(lambda db: layout.is_current(db, self._path))
        if not is_current and read_only:
            raise MetadataError(
                f"{self._path} is not a metadata database of this swell, or an empty one.",
                remedy="Run a flow in this store first.",
            )
        if not read_only:
            journal = "wal" if self._network is None else "delete"
            self._patiently(lambda db: layout.set_journal(db, journal))
        if not is_current:
            self._changing(lambda db: layout.bring_up_to_date(db, self._path, self._clock()))
        self._store_id = self._asking(layout.store_id)

    def create_run(self, new: NewRun) -> RunFact:
        def create(db: sqlite3.Connection) -> RunId:
            db.execute(
                "INSERT INTO flows VALUES (?, 1) "
                "ON CONFLICT (name) DO UPDATE SET last_number = last_number + 1",
                (new.flow,),
            )
            found = db.execute("SELECT last_number FROM flows WHERE name = ?", (new.flow,))
            run = RunId(new.flow, found.fetchone()[0])
            key = db.execute(
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
            ).lastrowid
            tags = [(key, tag, 1) for tag in new.system_tags]
            tags += [(key, tag, 0) for tag in new.user_tags]
            db.executemany("INSERT OR IGNORE INTO run_tags VALUES (?, ?, ?)", tags)
            return run

        run = self._changing(create)
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

    def commit(self, facts: Sequence[Fact]) -> None:
        found = rows.batches(facts)
        if not found:
            return

        def write(db: sqlite3.Connection) -> None:
            for run, batch in found.items():
                key = self._key(db, run)
                if batch.tasks:
                    db.executemany(_INSERT_TASK, ((key, *row) for row in batch.tasks))
                if batch.attempts:
                    db.executemany(
                        _UPSERT_ATTEMPT,
                        ((key, *job, *row) for job, row in batch.attempts.items()),
                    )
                if batch.ended is not None:
                    _end_run(db, key, batch.ended)

        self._changing(write)
        if not os.path.exists(self._path):
            # The open file takes commits for ever; with its name gone nobody reads them.
            raise MetadataError(
                f"The metadata database {self._path} was removed while it was in use.",
                remedy="Put it back if you can; runs that had begun before are lost with it.",
            )

    def heartbeat(self, run: RunId, at: float) -> None:
        self._changing(
            lambda db: db.execute(
                "UPDATE runs SET heartbeat_at = MAX(COALESCE(heartbeat_at, ?1), ?1) WHERE id = ?2",
                (at, self._key(db, run)),
            )
        )

    def flows(self) -> list[str]:
        sql = "SELECT flow FROM runs GROUP BY flow ORDER BY MAX(created_at) DESC, MAX(id) DESC"
        return self._asking(lambda db: [row[0] for row in db.execute(sql)])

    def runs(
        self, flow: str | None = None, *, tags: Collection[str] = (), limit: int | None = None
    ) -> list[RunFact]:
        conditions = ["1"] if flow is None else ["flow = ?"]
        # A tag such as user:<name> stands on most runs, so each run is asked for its tags
        # in order of time, rather than each tag for its runs.
        conditions += ["EXISTS (SELECT 1 FROM run_tags WHERE run = runs.id AND tag = ?)"] * len(
            tags
        )
        given: list[object] = [*([] if flow is None else [flow]), *tags]
        where = f"WHERE {' AND '.join(conditions)} ORDER BY created_at DESC, id DESC LIMIT ?"
        given.append(-1 if limit is None else limit)
        return self._asking(lambda db: _run_facts(db, where, given))

    def run(self, run: RunId) -> RunFact | None:
        facts = self._asking(lambda db: _run_facts(db, "WHERE flow = ? AND number = ?", run))
        return facts[0] if facts else None

    def steps(self, run: RunId) -> list[StepFact]:
        sql = (
            "SELECT step, MIN(created_at), COUNT(*), MAX(rowid) FROM tasks WHERE run = ? "
            "GROUP BY step ORDER BY 2 DESC, 4 DESC"
        )
        return self._asking(
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
        return self._asking(
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
        return self._asking(
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

        def read(db: sqlite3.Connection) -> Iterator[rows.Row]:
            given = (*before, self._key(db, run), *step_given)
            if tasks is None:
                yield from db.execute(f"{sql}{of_step} ORDER BY t.rowid", given)
                return
            wanted = list(tasks)
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                of_tasks = f" AND t.task IN ({','.join('?' * len(some))})"
                yield from db.execute(f"{sql}{of_step}{of_tasks}", (*given, *some))

        return self._asking(
            lambda db: [
                StoredRecord(name, JobId(task, number), decode_record(data))
                for name, task, number, data in read(db)
            ]
        )

    def encoded_records(self, run: RunId, tasks: Sequence[str]) -> list[bytes]:
        sql = (
            "SELECT record FROM attempts WHERE run = ? AND task = ? AND record IS NOT NULL "
            "ORDER BY attempt DESC LIMIT 1"
        )

        def read(db: sqlite3.Connection) -> list[bytes]:
            key = self._key(db, run)
            found = []
            for task in tasks:
                row = db.execute(sql, (key, task)).fetchone()
                if row is None:
                    raise DataMissing(
                        f"Task {task} of run {run} has left no record of artifacts.",
                        remedy="It has not ended yet, or its run was cut short: 'resume' runs it.",
                    )
                found.append(bytes(row[0]))
            return found

        return self._asking(read)

    def change_tags(
        self, run: RunId, *, add: Collection[str] = (), remove: Collection[str] = ()
    ) -> frozenset[str]:
        def change(db: sqlite3.Connection) -> frozenset[str]:
            key = self._key(db, run)
            sql = "SELECT tag FROM run_tags WHERE run = ? AND NOT is_system"
            before = frozenset(row[0] for row in db.execute(sql, (key,)))
            after = changed_tags(before, add=add, remove=remove)
            db.executemany(
                "DELETE FROM run_tags WHERE run = ? AND tag = ? AND NOT is_system",
                [(key, tag) for tag in before - after],
            )
            db.executemany(
                "INSERT INTO run_tags VALUES (?, ?, 0)", [(key, tag) for tag in after - before]
            )
            return after

        return self._changing(change)

    def close(self) -> None:
        self._connections.close()

    def _key(self, db: sqlite3.Connection, run: RunId) -> int:
        row = db.execute("SELECT id FROM runs WHERE flow = ? AND number = ?", run).fetchone()
        if row is None:
            raise MetadataError(
                f"The metadata database {self._path} has no run {run}.",
                remedy="It was deleted meanwhile, or belongs to another store: see 'swell runs'.",
            )
        key: int = row[0]
        return key

    def _of_run(
        self, db: sqlite3.Connection, run: RunId, sql: str, *given: object
    ) -> Iterator[rows.Row]:
        return db.execute(sql, (self._key(db, run), *given))

    def _asking(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """One question, answered from one state of the database."""

        def ask(db: sqlite3.Connection) -> _T:
            with _transaction(db, "BEGIN"):
                return question(db)

        return self._patiently(ask, read=True)

    def _changing(self, change: Callable[[sqlite3.Connection], _T]) -> _T:
        """``change`` in one transaction, durable on return; called again if others interfere."""

        def commit(db: sqlite3.Connection) -> _T:
            # IMMEDIATE: the lock is waited for here, not lost half-way through.
            with _transaction(db, "BEGIN IMMEDIATE"):
                return change(db)

        return self._patiently(commit)

    def _patiently(self, act: Callable[[sqlite3.Connection], _T], *, read: bool = False) -> _T:
        deadline = self._clock() + _PATIENCE_S
        wait_s = 0.002
        while True:
            try:
                if read:
                    with self._connections.reader() as db:
                        return act(db)
                with self._connections.writing, self._connections.writer() as db:
                    return act(db)
            except sqlite3.Error as error:
                if not is_busy(error) or self._clock() > deadline:
                    raise metadata_error(self._path, error) from error
            self._sleep(wait_s * random.uniform(0.5, 1.5))
            wait_s = min(wait_s * 2, 0.05)


class _transaction:  # noqa: N801 - reads as a word in a with statement
    """``begin`` … COMMIT, or ROLLBACK when the body or the commit fails."""

    def __init__(self, db: sqlite3.Connection, begin: str) -> None:
        self._db = db
        self._begin = begin

    def __enter__(self) -> None:
        self._db.execute(self._begin)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after some errors, a full disk among them.
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _end_run(db: sqlite3.Connection, key: int, fact: RunEnded) -> None:
    db.execute(
        "UPDATE runs SET status = ?, finished_at = ? WHERE id = ?",
        (fact.status.value, fact.at, key),
    )


def _of_step_or_task(step: str | None, task: str | None) -> tuple[str, tuple[str, ...]]:
    given = {"step": step, "task": task}
    chosen = {name: value for name, value in given.items() if value is not None}
    return "".join(f" AND t.{name} = ?" for name in chosen), tuple(chosen.values())


def _run_facts(db: sqlite3.Connection, where: str, given: Sequence[object]) -> list[RunFact]:
    found = db.execute(f"SELECT id, {rows.RUN_COLUMNS} FROM runs {where}", given).fetchall()
    facts = []
    for key, *row in found:
        tags = db.execute("SELECT tag, is_system FROM run_tags WHERE run = ?", (key,)).fetchall()
        system = frozenset(tag for tag, is_system in tags if is_system)
        user = frozenset(tag for tag, is_system in tags if not is_system)
        facts.append(rows.run_fact(row, system, user))
    return facts
