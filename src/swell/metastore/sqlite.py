"""The metadata store in one SQLite file, shared by threads and processes of one machine."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from swell.errors import MetadataError
from swell.metastore import sqlite_layout as layout
from swell.metastore.database import Insert, Transaction
from swell.metastore.filesystems import network_file_system, read_mounts
from swell.metastore.sql import SqlMetastore
from swell.metastore.sqlite_connections import Connect, Connections, is_busy, metadata_error
from swell.model.facts import Fact
from swell.seams.clock import Clock

_T = TypeVar("_T")

_PATIENCE_S = 60.0
"""How long a change waits for other processes, in all."""


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
    connections = Connections(file, read_only=read_only, connect=connect)
    database = SqliteDatabase(file, clock, connections)
    database.open(read_only=read_only, journal="wal" if network is None else "delete")
    return SqliteMetastore(database, warnings=() if network is None else (_slow(file, network),))


class SqliteMetastore(SqlMetastore):
    """Fills ``seams.metastore.Metastore``. Use ``open_metastore``."""

    def __init__(self, database: SqliteDatabase, *, warnings: tuple[str, ...] = ()) -> None:
        super().__init__(database, warnings=warnings)
        self._path = database.path

    def commit(self, facts: Sequence[Fact]) -> None:
        super().commit(facts)
        if not os.path.exists(self._path):
            # The open file takes commits for ever; with its name gone nobody reads them.
            raise MetadataError(
                f"The metadata database {self._path} was removed while it was in use.",
                remedy="Put it back if you can; runs that had begun before are lost with it.",
            )


class SqliteDatabase:
    """Fills ``sql.Database``."""

    row_lock = ""
    """None is needed: one transaction at a time changes the file."""

    def __init__(
        self,
        path: str,
        clock: Clock,
        connections: Connections,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = path
        self._clock = clock
        self._connections = connections
        self._sleep = sleep

    @property
    def address(self) -> str:
        return f"sqlite@{self.path}"

    def open(self, *, read_only: bool, journal: str) -> None:
        """Check the layout, bring it up to date unless ``read_only``."""
        is_current = self._reading(lambda db: layout.is_current(db, self.path))
        if not is_current and read_only:
            raise MetadataError(
                f"{self.path} is not a metadata database of this swell, or an empty one.",
                remedy="Run a flow in this store first.",
            )
        if not read_only:
            self._patiently(lambda db: layout.set_journal(db, journal))
        if not is_current:
            self._writing(lambda db: layout.bring_up_to_date(db, self.path, self._clock()))

    def asking(self, question: Callable[[Transaction], _T]) -> _T:
        """One question, answered from one state of the database."""
        return self._reading(lambda db: question(SqliteTransaction(db)))

    def changing(self, change: Callable[[Transaction], _T]) -> _T:
        """``change`` in one transaction, durable on return; called again if others interfere."""
        return self._writing(lambda db: change(SqliteTransaction(db)))

    def close(self) -> None:
        """Close connections."""
        self._connections.close()

    def _reading(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        def ask(db: sqlite3.Connection) -> _T:
            with _transaction(db, "BEGIN"):
                return question(db)

        return self._patiently(ask, read=True)

    def _writing(self, change: Callable[[sqlite3.Connection], _T]) -> _T:
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
                    raise metadata_error(self.path, error) from error
            self._sleep(wait_s * random.uniform(0.5, 1.5))
            wait_s = min(wait_s * 2, 0.05)


def _slow(path: str, network: str) -> str:
    return (
        f"{path} is on a network file system ({network}), where SQLite is slow "
        "and runs from several machines are not safe. Put .swell on a local disk, or keep "
        "metadata in PostgreSQL (SWELL_METADATA)."
    )


class SqliteTransaction:
    """Fills ``sql.Transaction``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.execute = db.execute
        self._db = db

    def insert(self, insert: Insert, given: Sequence[Sequence[Any]], /) -> None:
        """Write rows."""
        self._db.executemany(insert.sql, given)


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
