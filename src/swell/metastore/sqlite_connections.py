"""Connections to one SQLite file: opening, lending to threads, and errors in plain words."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from swell.errors import MetadataError

Connect = Callable[..., sqlite3.Connection]
"""``sqlite3.connect`` or something in its place."""

BUSY_S = 0.2
"""How long SQLite itself waits for another process before it says 'locked'.

It asks after 1, 2, 5 … ms, but past 0.2 s only ten times a second: a process that writes
without pause then keeps all others out. Asking anew starts at 1 ms again.
"""


def is_busy(error: sqlite3.Error) -> bool:
    """Another process has the database just now."""
    return "is locked" in str(error)


def metadata_error(path: str, error: sqlite3.Error) -> MetadataError:
    """``error`` in words of the user's situation; ``retryable`` where waiting can help."""
    text = str(error)
    for part, cause, remedy, retryable in _SITUATIONS:
        if part in text:
            found = MetadataError(
                f"The metadata database {path} {cause} ({text}).",
                remedy=remedy.format(path=path, folder=os.path.dirname(path)),
            )
            found.retryable = retryable
            return found
    return MetadataError(
        f"The metadata database {path} cannot be used: {text}.",
        remedy=f"Check that {os.path.dirname(path)} exists and is on a healthy disk.",
    )


_SITUATIONS = (
    (
        "is locked",
        "is held by another process",
        "Wait for that process, or find it with 'fuser {path}'.",
        True,
    ),
    (
        "readonly database",
        "cannot be written",
        "Get write permission for {path} and its folder, or use another store.",
        False,
    ),
    (
        "unable to open",
        "cannot be opened",
        "Check that the folder {folder} exists and that you may read and write in it.",
        False,
    ),
    (
        "is full",
        "has no room left on its disk",
        "Free space under {folder}, then run 'resume': what was reported done is stored.",
        True,
    ),
    (
        "not a database",
        "is not a database: the file is damaged",
        "Put a backup in its place, or move it away ('mv {path} {path}.damaged') to start afresh.",
        False,
    ),
    (
        "malformed",
        "is damaged",
        "Put a backup in its place, or save what can be read with "
        "'sqlite3 {path} .recover | sqlite3 recovered.db'.",
        False,
    ),
    (
        "disk I/O error",
        "cannot be read or written by the operating system",
        "Check the disk under {folder} and its free space.",
        True,
    ),
)


class Connections:
    """Lends connections to threads; each is used by one thread at a time.

    ``read_only`` never creates the file and opens it for reading; a writing connection
    is then made only when one is asked for.
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool, connect: Connect) -> None:
        self._path = os.fspath(path)
        self._read_only = read_only
        self._connect = connect
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._idle_readers: list[sqlite3.Connection] = []
        self._idle_writers: list[sqlite3.Connection] = []
        self._writing = threading.Lock()

    @property
    def writing(self) -> threading.Lock:
        """Threads of this process queue here instead of waiting in SQLite's busy loop."""
        self._forget_after_fork()
        return self._writing

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with."""
        if not self._read_only:
            with self.writer() as connection:
                yield connection
            return
        self._forget_after_fork()
        with self._lent(self._idle_readers, self._open_reader) as connection:
            yield connection

    @contextmanager
    def writer(self) -> Iterator[sqlite3.Connection]:
        """A connection to read and write with."""
        self._forget_after_fork()
        with self._lent(self._idle_writers, self._open_writer) as connection:
            yield connection

    def close(self) -> None:
        """Close what is not lent."""
        with self._lock:
            idle = self._idle_readers + self._idle_writers
            self._idle_readers.clear()
            self._idle_writers.clear()
        for connection in idle:
            connection.close()

    def _forget_after_fork(self) -> None:
        # sqlite.org/howtocorrupt.html 2.6: a connection must not be carried over a fork.
        if self._pid != os.getpid():
            self._reset()

    @contextmanager
    def _lent(
        self,
        idle: list[sqlite3.Connection],
        open_connection: Callable[[], tuple[sqlite3.Connection, bool]],
    ) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = idle.pop() if idle else None
        is_reusable = True
        if connection is None:
            connection, is_reusable = open_connection()
        try:
            yield connection
        except sqlite3.Error as error:
            is_reusable = is_reusable and is_busy(error)
            raise
        finally:
            if is_reusable and not connection.in_transaction:
                with self._lock:
                    idle.append(connection)
            else:
                connection.close()

    def _open_writer(self) -> tuple[sqlite3.Connection, bool]:
        mode = "rw" if self._read_only else "rwc"
        connection = self._open(f"mode={mode}")
        # FULL: a commit is on the disk when it returns, not merely safe from corruption.
        connection.execute("PRAGMA synchronous=FULL")
        return connection, True

    def _open_reader(self) -> tuple[sqlite3.Connection, bool]:
        connection = self._open("mode=ro")
        try:
            connection.execute("PRAGMA schema_version")
        except sqlite3.OperationalError as error:
            connection.close()
            if "unable to open" not in str(error) and "readonly" not in str(error):
                raise
            return self._open_where_nothing_may_be_written(error), False
        return connection, True

    def _open_where_nothing_may_be_written(
        self, error: sqlite3.OperationalError
    ) -> sqlite3.Connection:
        """WAL needs a file of shared memory; in a folder that cannot be written, and with
        no run at work, the database is whole by itself and can be read as immutable."""
        wal = f"{self._path}-wal"
        if not os.path.isfile(self._path) or not os.access(self._path, os.R_OK):
            raise error
        if os.path.exists(wal) and os.path.getsize(wal) > 0:
            raise MetadataError(
                f"The metadata database {self._path} was left by a run that was killed, "
                "and its folder may not be written by you.",
                remedy="Ask its owner to run 'swell runs' there once.",
            )
        return self._open("mode=ro&immutable=1")

    def _open(self, options: str) -> sqlite3.Connection:
        return self._connect(
            f"file:{_uri_path(self._path)}?{options}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )


def _uri_path(path: str) -> str:
    """``path`` with what a URI filename gives a meaning to escaped (sqlite.org/uri.html)."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
