"""The metadata store in a PostgreSQL database: one history for a team."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from swell.errors import MetadataError
from swell.metastore import postgres_layout as layout
from swell.metastore.database import Transaction
from swell.metastore.postgres_address import connection_url, is_password_misread, public_address
from swell.metastore.postgres_connections import Connections, load_driver
from swell.metastore.postgres_errors import (
    Trouble,
    last_words,
    metadata_error,
    trouble_of,
)
from swell.metastore.sql import SqlMetastore
from swell.seams.clock import Clock

_T = TypeVar("_T")

Patience = Callable[[], float]
"""How many seconds a database that does not answer is waited for; asked again and again."""

_AT_OPEN_S = 20.0
"""How long one is waited for that is starting, or has no connection to spare just now."""

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 5.0

Tell = Callable[[str], None]
"""Takes a sentence for the user; called from any thread."""


def open_metastore(
    address: str,
    clock: Clock = time.time,
    *,
    read_only: bool = False,
    patience_s: Patience = lambda: 600.0,
    tell: Tell = lambda text: None,
) -> SqlMetastore:
    """Open the database at ``address``, a URL; our tables are made if there are none.

    ``read_only`` neither makes nor upgrades them; ``change_tags`` still tries. ``tell`` is
    called when an outage of more than an instant begins and when it is over. Raises
    MetadataError, also for a driver that is not installed.
    """
    load_driver()
    if is_password_misread(address):
        raise MetadataError(
            f"The password in the URL {public_address(address)} has characters with a meaning "
            "in URLs.",
            remedy="Write '/' in it as %2F, '?' as %3F and '@' as %40, or set PGPASSWORD.",
        )
    database = PostgresDatabase(
        public_address(address),
        Connections(connection_url(address)),
        patience_s=patience_s,
        tell=tell,
    )
    try:
        database.open(clock, read_only=read_only)
    except BaseException:
        database.close()
        raise
    return SqlMetastore(database)


class PostgresDatabase:
    """Fills ``sql.Database``; waits out what passes, as long as ``patience_s`` says."""

    row_lock = " FOR NO KEY UPDATE"

    def __init__(
        self,
        address: str,
        connections: Connections,
        *,
        patience_s: Patience = lambda: 600.0,
        tell: Tell = lambda text: None,
        sleep: Callable[[float], None] = time.sleep,
        now: Clock = time.monotonic,
        is_open: bool = False,
    ) -> None:
        self._address = address
        self._connections = connections
        self._patience_s = patience_s
        self._sleep = sleep
        self._now = now
        self._outage = Outage(address, tell)
        self._is_open = is_open

    @property
    def address(self) -> str:
        return self._address

    def open(self, clock: Clock, *, read_only: bool) -> None:
        """Check the layout, bring it up to date unless ``read_only``."""
        is_current = self.asking(lambda db: layout.is_current(db, self._address))
        if not is_current and read_only:
            raise MetadataError(
                f"There is no run yet in {self._address}, or it is of an older swell.",
                remedy="Run a flow with this database first.",
            )
        if not is_current:
            self.changing(lambda db: layout.bring_up_to_date(db, self._address, clock()))
        self._is_open = True

    def asking(self, question: Callable[[Transaction], _T]) -> _T:
        """One question, answered from one state of the database."""
        return self._patiently(lambda: self._connections.asking(question))

    def changing(self, change: Callable[[Transaction], _T]) -> _T:
        """``change`` in one transaction, durable on return; called again after an outage,
        also when the commit may have gone through before it."""
        return self._patiently(lambda: self._connections.changing(change))

    def close(self) -> None:
        """Close connections."""
        self._connections.close()

    def _patiently(self, act: Callable[[], _T]) -> _T:
        driver = load_driver()
        failed_at: float | None = None
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                answer = act()
            except driver.Error as error:
                is_lost = isinstance(error, driver.OperationalError)
                trouble = trouble_of(str(error), error.sqlstate, is_lost=is_lost)
                now = self._now()
                failed_at = now if failed_at is None else failed_at
                # An outage has one end for all calls: after it nobody waits anew.
                since = self._outage.since(failed_at)
                if not self._may_wait(trouble, now + wait_s - since):
                    raise metadata_error(self._address, trouble, str(error)) from error
                if wait_s > _FIRST_WAIT_S:
                    # The first new try tells a closed connection from an outage.
                    self._outage.begins(trouble, str(error), now, self._patience_s())
            else:
                self._outage.ends(self._now())
                return answer
            # Full jitter on the upper half: many drivers lose one server at one moment.
            self._sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _may_wait(self, trouble: Trouble, waited_s: float) -> bool:
        """Before the store is open only a server that is there is waited for: a mistyped
        host should be told at once."""
        if self._is_open:
            return trouble.passes and waited_s < self._patience_s()
        return trouble.is_load and waited_s < min(_AT_OPEN_S, self._patience_s())


class Outage:
    """The time in which the database does not answer, one for all threads; the user is told
    once that it is waited for, and once that it is back."""

    def __init__(self, address: str, tell: Tell) -> None:
        self._address = address
        self._tell = tell
        self._lock = threading.Lock()
        self._began_at: float | None = None

    def since(self, failed_at: float) -> float:
        """When it began; ``failed_at`` where this failure is its first."""
        began_at = self._began_at
        return failed_at if began_at is None else min(began_at, failed_at)

    def begins(self, trouble: Trouble, text: str, now: float, patience_s: float) -> None:
        """From any thread; told for the first alone."""
        with self._lock:
            if self._began_at is not None:
                return
            self._began_at = now
        self._tell(
            f"The metadata database {self._address} {trouble.cause} ({last_words(text)}). "
            f"Waiting for it, up to {_minutes(patience_s)}; nothing is lost meanwhile."
        )

    def ends(self, now: float) -> None:
        """A thread got its answer."""
        if self._began_at is None:
            return
        with self._lock:
            began, self._began_at = self._began_at, None
        if began is not None:
            self._tell(f"The metadata database answers again, after {now - began:.0f} s; going on.")


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
