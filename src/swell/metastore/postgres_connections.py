"""Connections to one PostgreSQL database: opening, lending to threads, transactions."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from swell.errors import MetadataError
from swell.metastore.database import Answer, Insert
from swell.metastore.postgres_schema import SCHEMA

if TYPE_CHECKING:
    import psycopg

_T = TypeVar("_T")

# A server that vanished without a word is noticed within 30 s, not after TCP's two hours
# (libpq manual, 34.1.2); what the URL says wins.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
    "application_name": "swell",
}

# One round trip. All is said anew in each transaction, so that poolers that give each one
# to another server connection may stand between.
_WITH_OUR_TABLES = f"SET LOCAL search_path TO {SCHEMA}"
_BEGIN_ASKING = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_WITH_OUR_TABLES}"
_BEGIN_CHANGING = (
    f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {_WITH_OUR_TABLES}; "
    # Durable when the commit returns, also where a server was set to be faster than that.
    "SELECT set_config('synchronous_commit', 'on', true) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)


_WORTH_A_COPY = 30
"""Rows from which on COPY is faster: measured 23,000 rows/s against 1,400 to 7,000 one by one."""


def load_driver() -> Any:
    """The package psycopg. Raises MetadataError where it is not installed."""
    try:
        import psycopg
    except ImportError as error:
        raise MetadataError(
            f"Metadata in PostgreSQL needs the package psycopg, which cannot be loaded: {error}.",
            remedy="Install it with: pip install 'swell[postgres]'",
        ) from error
    return psycopg


class Connections:
    """Lends connections to threads; each is used by one thread at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        # Of the process that forked us: closing or even dropping one would end its session.
        self._of_parent: list[psycopg.Connection[Any]] = []
        self._idle: list[psycopg.Connection[Any]] = []
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._of_parent += self._idle
        self._idle = []

    def asking(self, question: Callable[[PostgresTransaction], _T]) -> _T:
        """One question, answered from one state of the database. Raises psycopg.Error."""
        with self._lent() as connection:
            return _within(connection, _BEGIN_ASKING, question)

    def changing(self, change: Callable[[PostgresTransaction], _T]) -> _T:
        """``change`` in one transaction, durable on return. Raises psycopg.Error."""
        with self._lent() as connection:
            return _within(connection, _BEGIN_CHANGING, change)

    def close(self) -> None:
        """Close what is not lent."""
        self._forget_after_fork()
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _forget_after_fork(self) -> None:
        if self._pid != os.getpid():
            self._reset()

    @contextmanager
    def _lent(self) -> Iterator[psycopg.Connection[Any]]:
        self._forget_after_fork()
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._open()
        try:
            yield connection
        finally:
            if _is_usable(connection):
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()
                # Where one is lost, the others most likely are: they went to one server.
                self.close()

    def _open(self) -> psycopg.Connection[Any]:
        driver = load_driver()
        from psycopg.conninfo import conninfo_to_dict

        given = {name: value for name, value in _DEFAULTS.items() if name not in self._url}
        try:
            options: dict[str, Any] = conninfo_to_dict(self._url, **given)
        except driver.ProgrammingError as error:
            # Some of these texts quote the URL, or the password alone.
            text = str(error)
            is_telling = "://" in text or "percent-encoded" in text
            raise driver.ProgrammingError("invalid URL" if is_telling else text) from None
        connection: psycopg.Connection[Any] = driver.connect(
            **options,
            autocommit=True,  # transactions are begun and ended by statements of ours
            prepare_threshold=None,  # poolers may not keep prepared statements
        )
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            name = connection.info.dbname
            connection.close()
            raise MetadataError(
                f"The PostgreSQL database '{name}' keeps texts as {encoding}; swell needs UTF8.",
                remedy="Make one with: createdb --encoding=UTF8 --template=template0 NAME",
            )
        return connection


class PostgresTransaction:
    """Fills ``sql.Transaction``."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, sql: str, given: Sequence[Any] = (), /) -> Answer:
        """Run one statement; ``?`` stands for a value."""
        cursor = self._connection.cursor(binary=True)
        return cursor.execute(_in_its_words(sql), given)

    def insert(self, insert: Insert, given: Sequence[Sequence[Any]], /) -> None:
        """Write rows: many by COPY beside the table, then into it in one statement."""
        with self._connection.cursor() as cursor:
            if len(given) < _WORTH_A_COPY:
                cursor.executemany(_in_its_words(insert.sql), given)
                return
            columns, beside = ", ".join(insert.columns), f"incoming_{insert.table}"
            # It stays until the session ends; its rows until the transaction does.
            cursor.execute(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {beside} ON COMMIT DELETE ROWS AS "
                f"SELECT {columns} FROM {insert.table} WITH NO DATA".encode()
            )
            with cursor.copy(f"COPY {beside} ({columns}) FROM STDIN".encode()) as copy:
                for row in given:
                    copy.write_row(row)
            cursor.execute(
                f"INSERT INTO {insert.table} ({columns}) SELECT {columns} FROM {beside} "
                f"{insert.on_conflict}".encode()
            )
            cursor.execute(f"TRUNCATE {beside}".encode())


def _in_its_words(sql: str) -> bytes:
    return sql.replace("?", "%s").encode()


def _within(
    connection: psycopg.Connection[Any], begin: str, act: Callable[[PostgresTransaction], _T]
) -> _T:
    connection.execute(begin.encode())
    try:
        answer = act(PostgresTransaction(connection))
        connection.execute(b"COMMIT")
    except BaseException:
        # Where that fails too the connection is lost, and the server rolls back by itself.
        with suppress(load_driver().Error):
            connection.execute(b"ROLLBACK")
        raise
    return answer


def _is_usable(connection: psycopg.Connection[Any]) -> bool:
    from psycopg.pq import TransactionStatus

    return not connection.closed and (connection.info.transaction_status is TransactionStatus.IDLE)
