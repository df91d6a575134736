"""Several processes on one SQLite file: none is locked out, and one that dies breaks nothing."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import sqlite3
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from swell.errors import MetadataError
from swell.metastore.sqlite import SqliteDatabase, SqliteMetastore, open_metastore
from swell.metastore.sqlite_connections import Connections
from swell.model.facts import TaskCreated
from swell.testing.stored_facts import ended, new_run

FORK = multiprocessing.get_context("fork")
DEADLINE_S = 120


def create_runs(path: Path, count: int, sender: Connection) -> None:
    """Create ``count`` runs, each with a task, and send their numbers."""
    for _ in range(count):
        store = open_metastore(path)
        run = store.create_run(new_run()).id
        store.commit([TaskCreated(run, "start", "1", 1.0), ended(run, "1")])
        store.close()
        sender.send(run.number)


def write_for_ever(path: Path, batch: int, sender: Connection) -> None:
    """Commit ``batch`` ended tasks at a time; send the run, then each batch's last task."""
    store = open_metastore(path)
    run = store.create_run(new_run()).id
    sender.send(run.number)
    for start in itertools.count(0, batch):
        tasks = [str(number) for number in range(start, start + batch)]
        created = [TaskCreated(run, "work", task, 1.0) for task in tasks]
        store.commit([*created, *(ended(run, task) for task in tasks)])
        sender.send(int(tasks[-1]))


class Writer:
    """One writing process, and what it has reported."""

    def __init__(self, what: Callable[..., None], path: Path, number: int) -> None:
        self.reports, sender = FORK.Pipe(duplex=False)
        self.process = FORK.Process(target=what, args=(path, number, sender))
        self.process.start()
        sender.close()

    def report(self) -> int:
        assert self.reports.poll(DEADLINE_S)
        number: int = self.reports.recv()
        return number

    def last_reports(self) -> list[int]:
        """What it still reports until it ends."""
        numbers = []
        with contextlib.suppress(EOFError):
            while True:
                numbers.append(self.report())
        self.process.join(DEADLINE_S)
        return numbers


def test_processes_that_start_at_once_share_one_store_and_never_a_number(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    writers = [Writer(create_runs, path, 50) for _ in range(4)]
    numbers = [number for writer in writers for number in writer.last_reports()]

    assert sorted(numbers) == list(range(1, 201))
    store = open_metastore(path)
    assert len(store.runs()) == 200
    assert all(len(store.tasks(fact.id)) == 1 for fact in store.runs())
    store.close()


@pytest.mark.parametrize("batch", [1, 400])
def test_writers_killed_in_mid_commit_lose_nothing_they_reported(
    tmp_path: Path, batch: int
) -> None:
    path = tmp_path / "m.db"
    writers = [Writer(write_for_ever, path, batch) for _ in range(2)]
    # The run's number and the ends of five batches; a sixth is under way.
    reported = [[writer.report() for _ in range(6)] for writer in writers]
    for writer in writers:
        writer.process.kill()
    for writer, numbers in zip(writers, reported, strict=True):
        numbers += writer.last_reports()

    store = open_metastore(path)
    by_number = {fact.id.number: fact.id for fact in store.runs()}
    for number, *ends in reported:
        tasks = store.tasks(by_number[number])
        assert len(tasks) % batch == 0
        assert len(tasks) > ends[-1]
        assert all(fact.ok for fact in tasks)
        assert len(store.records(by_number[number])) == len(tasks)
    assert store.create_run(new_run()).id.number == 3
    store.close()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def test_a_reader_sees_commits_of_a_run_at_work_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    writer = Writer(write_for_ever, path, 100)
    assert [writer.report(), writer.report()] == [1, 99]
    reader = open_metastore(path, read_only=True)
    (run,) = reader.runs()
    counts = [len(reader.tasks(run.id)) for _ in range(10)]
    writer.process.kill()
    writer.last_reports()
    reader.close()
    assert counts == sorted(counts)
    assert counts[0] >= 100
    assert all(count % 100 == 0 for count in counts)


def test_a_forked_child_uses_connections_of_its_own(tmp_path: Path) -> None:
    store = open_metastore(tmp_path / "m.db")
    run = store.create_run(new_run()).id
    child = os.fork()
    if child == 0:
        code = 1
        try:
            store.commit([TaskCreated(run, "start", "1", 1.0), ended(run, "1")])
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0
    store.commit([TaskCreated(run, "start", "2", 2.0)])
    assert [fact.created.task for fact in store.tasks(run)] == ["2", "1"]
    store.close()


class BusyAtFirst:
    """Connects to a database that is locked the first ``times`` times it is written."""

    def __init__(self, times: int) -> None:
        self.left = times

    def connect(self, *given: object, **also: object) -> sqlite3.Connection:
        return sqlite3.connect(*given, factory=self.make, **also)  # type: ignore[call-overload,no-any-return]

    @property
    def make(self) -> type[sqlite3.Connection]:
        outer = self

        class Locked(sqlite3.Connection):
            def execute(self, sql: str, *given: object) -> sqlite3.Cursor:  # type: ignore[override]
                if sql == "BEGIN IMMEDIATE" and outer.left > 0:
                    outer.left -= 1
                    raise sqlite3.OperationalError("database is locked")
                return super().execute(sql, *given)  # type: ignore[arg-type]

        return Locked


@pytest.fixture
def locked_store(tmp_path: Path) -> Callable[[int], SqliteMetastore]:
    """A store that is locked so many times; its clock moves as it sleeps."""
    open_metastore(tmp_path / "m.db").close()

    def make(times: int) -> SqliteMetastore:
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        busy = BusyAtFirst(times)
        connections = Connections(tmp_path / "m.db", read_only=False, connect=busy.connect)
        path = str(tmp_path / "m.db")
        database = SqliteDatabase(path, lambda: now[0], connections, sleep=sleep)
        database.open(read_only=False, journal="wal")
        return SqliteMetastore(database)

    return make


def test_a_lock_that_goes_away_is_waited_for(
    locked_store: Callable[[int], SqliteMetastore],
) -> None:
    store = locked_store(20)
    assert store.create_run(new_run()).id.number == 1
    store.close()


def test_a_lock_that_stays_is_an_error_that_trying_again_can_help(
    locked_store: Callable[[int], SqliteMetastore],
) -> None:
    store = locked_store(100_000)
    with pytest.raises(MetadataError, match=r"held by another process.*fuser") as caught:
        store.create_run(new_run())
    assert caught.value.retryable
    store.close()
