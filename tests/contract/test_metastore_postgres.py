"""PostgreSQL keeps the promises of a metadata store."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import sqlite3
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest

from swell.metastore import schema
from swell.metastore.postgres import open_metastore
from swell.metastore.postgres_connections import Connections
from swell.model.facts import AttemptStarted, Fact, TaskCreated
from swell.model.ids import JobId
from swell.seams.metastore import Metastore
from swell.testing.metastore_contract import MetadataContract
from swell.testing.stored_facts import ended, new_run
from tests.servers.postgres import PostgresServer


class TestPostgres(MetadataContract):
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Metastore]:
        store = open_metastore(postgres_url)
        yield store
        store.close()

    @pytest.fixture
    def reopen(self, postgres_url: str) -> Callable[[], Metastore]:
        return lambda: open_metastore(postgres_url)


FORK = multiprocessing.get_context("fork")
DEADLINE_S = 60


def create_runs(url: str, count: int, sender: Connection) -> None:
    """Create ``count`` runs, each with a task, and send their numbers and the store's id."""
    for _ in range(count):
        store = open_metastore(url)
        run = store.create_run(new_run()).id
        store.commit([TaskCreated(run, "start", "1", 1.0), ended(run, "1")])
        sender.send((run.number, store.store_id))
        store.close()


def write_for_ever(url: str, batch: int, sender: Connection) -> None:
    """Commit ``batch`` ended tasks at a time; send the last task of each."""
    store = open_metastore(url)
    run = store.create_run(new_run()).id
    for start in itertools.count(0, batch):
        tasks = [str(number) for number in range(start, start + batch)]
        created = [TaskCreated(run, "work", task, 1.0) for task in tasks]
        store.commit([*created, *(ended(run, task) for task in tasks)])
        sender.send(int(tasks[-1]))


def received(reports: Connection) -> Any:
    assert reports.poll(DEADLINE_S)
    return reports.recv()


def test_processes_that_start_at_once_on_an_empty_database_make_one_store_and_share_no_number(
    postgres_url: str,
) -> None:
    pipes = [FORK.Pipe(duplex=False) for _ in range(3)]
    writers = [FORK.Process(target=create_runs, args=(postgres_url, 8, end)) for _, end in pipes]
    for writer in writers:
        writer.start()
    reported = [received(reports) for reports, _ in pipes for _ in range(8)]
    for writer in writers:
        writer.join(DEADLINE_S)

    assert sorted(number for number, _ in reported) == list(range(1, 25))
    assert len({store_id for _, store_id in reported}) == 1
    store = open_metastore(postgres_url)
    assert all(len(store.tasks(fact.id)) == 1 for fact in store.runs())
    store.close()


@pytest.mark.parametrize("batch", [1, 400])
def test_a_writer_killed_in_mid_commit_loses_nothing_it_reported(
    postgres_url: str, batch: int
) -> None:
    reports, sender = FORK.Pipe(duplex=False)
    writer = FORK.Process(target=write_for_ever, args=(postgres_url, batch, sender))
    writer.start()
    sender.close()
    last = [received(reports) for _ in range(4)][-1]
    writer.kill()
    writer.join(DEADLINE_S)
    with contextlib.suppress(EOFError):
        while True:
            last = received(reports)

    store = open_metastore(postgres_url)
    (run,) = store.runs()
    tasks = store.tasks(run.id)
    assert len(tasks) % batch == 0
    assert len(tasks) > last
    assert all(fact.ok for fact in tasks)
    assert len(store.records(run.id)) == len(tasks)
    assert store.create_run(new_run()).id.number == 2
    store.close()


def test_a_forked_child_uses_connections_of_its_own(postgres_url: str) -> None:
    store = open_metastore(postgres_url)
    run = store.create_run(new_run()).id
    child = os.fork()
    if child == 0:
        code = 1
        try:
            store.commit([TaskCreated(run, "start", "1", 1.0), ended(run, "1")])
            store.close()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0
    store.commit([TaskCreated(run, "start", "2", 2.0)])
    assert [fact.created.task for fact in store.tasks(run)] == ["2", "1"]
    store.close()


def test_thousands_of_facts_in_one_commit_are_stored_once(postgres_url: str) -> None:
    store = open_metastore(postgres_url)
    run = store.create_run(new_run()).id
    tasks = [str(number) for number in range(3000)]
    facts: list[Fact] = [TaskCreated(run, "work", task, 1.0) for task in tasks]
    store.commit(facts)
    store.commit([*facts, *(AttemptStarted(run, JobId(task, 0), 2.0, 7) for task in tasks)])
    store.commit([*facts, *(ended(run, task) for task in tasks)])

    attempts = store.attempts(run)
    assert len(attempts) == len(store.tasks(run)) == 3000
    assert {(fact.pid, fact.started_at, fact.ended_at) for fact in attempts} == {(7, 2.0, 1003.0)}
    assert len(store.encoded_records(run, tasks)) == 3000
    store.close()


def test_commits_are_durable_though_the_server_is_set_to_be_faster(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    postgres_server.ask(f"ALTER DATABASE {name} SET synchronous_commit = off")
    connections = Connections(postgres_url)
    seen = connections.changing(lambda db: db.execute("SHOW synchronous_commit").fetchone()[0])
    assert seen == "on"
    connections.close()


def test_the_tables_are_those_of_sqlite(postgres_server: PostgresServer, postgres_url: str) -> None:
    open_metastore(postgres_url).close()
    rows = postgres_server.ask(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'swell'",
        postgres_url,
    )
    lite = sqlite3.connect(":memory:")
    for statement in itertools.chain(*schema.STEPS_TO):
        lite.execute(statement)
    tables = [name for (name,) in lite.execute("SELECT name FROM sqlite_master WHERE type='table'")]
    columns = {
        (table, column[1])
        for table in tables
        if not table.startswith("sqlite_")
        for column in lite.execute(f"PRAGMA table_info({table})")
    }
    lite.close()
    ours = {("store", "layout"), ("tasks", "rowid"), ("attempts", "rowid")}
    assert set(rows) == columns | ours
