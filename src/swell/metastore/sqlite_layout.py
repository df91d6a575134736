"""Which layout a SQLite file has, and bringing it to the one of this version."""

from __future__ import annotations

import os
import sqlite3

from swell.errors import MetadataError
from swell.metastore.schema import APPLICATION_ID, LAYOUT, STEPS_TO


def is_current(db: sqlite3.Connection, path: str) -> bool:
    """False for an empty database or an older layout.

    Raises MetadataError for a newer layout and for a database of another program.
    """
    return _checked_layout(db, path) == LAYOUT


def bring_up_to_date(db: sqlite3.Connection, path: str, now: float) -> None:
    """Within a transaction: take the steps that are missing, give a new store its id."""
    # Asked again here: another process may have been first.
    layout = _checked_layout(db, path)
    for statements in STEPS_TO[layout:]:
        for statement in statements:
            db.execute(statement)
    if layout == 0:
        db.execute("INSERT INTO store VALUES (?, ?)", (os.urandom(6).hex(), now))
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={LAYOUT}")


def set_journal(db: sqlite3.Connection, journal: str) -> None:
    """'wal' or 'delete'; nothing is written where it is so already."""
    if db.execute("PRAGMA journal_mode").fetchone()[0] != journal:
        db.execute(f"PRAGMA journal_mode={journal}")


def _checked_layout(db: sqlite3.Connection, path: str) -> int:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    layout: int = db.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION_ID:
        if layout > LAYOUT:
            raise MetadataError(
                f"The metadata database {path} has layout {layout}, made by a newer swell; "
                f"this one knows layouts up to {LAYOUT}.",
                remedy="Upgrade swell ('pip install --upgrade swell').",
            )
        return layout
    tables = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
    if application or layout or tables:
        raise MetadataError(
            f"{path} is a SQLite database of another program.",
            remedy="Move it away, or choose another folder for the store.",
        )
    return 0
