"""Which layout a PostgreSQL database has, and bringing it to the one of this version."""

from __future__ import annotations

import os

from swell.errors import MetadataError
from swell.metastore.database import Transaction
from swell.metastore.postgres_schema import LAYOUT, MIGRATION_LOCK, SCHEMA, STEPS_TO


def is_current(db: Transaction, address: str) -> bool:
    """False for a database without our tables or with an older layout.

    Raises MetadataError for a newer layout and for a schema of another program.
    """
    return _checked_layout(db, address) == LAYOUT


def bring_up_to_date(db: Transaction, address: str, now: float) -> None:
    """Within a transaction: take the steps that are missing, give a new store its id."""
    db.execute("SELECT pg_advisory_xact_lock(?)", (MIGRATION_LOCK,))
    # Asked again here: another process may have been first.
    layout = _checked_layout(db, address)
    # Not CREATE … IF NOT EXISTS, which asks for the right even where nothing is to be made.
    if not db.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (SCHEMA,)).fetchall():
        db.execute(f"CREATE SCHEMA {SCHEMA}")
    for statements in STEPS_TO[layout:]:
        for statement in statements:
            db.execute(statement)
    if layout == 0:
        db.execute(
            "INSERT INTO store (id, made_at, layout) VALUES (?, ?, ?)",
            (os.urandom(6).hex(), now, LAYOUT),
        )
    else:
        db.execute("UPDATE store SET layout = ?", (LAYOUT,))


def _checked_layout(db: Transaction, address: str) -> int:
    # Asked of the catalogue itself: what to_regclass remembers may be older than the lock.
    sql = (
        "SELECT relname FROM pg_class WHERE relnamespace = "
        "(SELECT oid FROM pg_namespace WHERE nspname = ?)"
    )
    names = {name for (name,) in db.execute(sql, (SCHEMA,))}
    if "store" in names:
        layout: int = db.execute(f"SELECT layout FROM {SCHEMA}.store").fetchone()[0]
        if layout > LAYOUT:
            raise MetadataError(
                f"The metadata database {address} has layout {layout}, made by a newer swell; "
                f"this one knows layouts up to {LAYOUT}.",
                remedy="Upgrade swell ('pip install --upgrade swell').",
            )
        return layout
    if names:
        raise MetadataError(
            f"In {address} the schema '{SCHEMA}' holds tables of another program.",
            remedy="Name another database in SWELL_METADATA.",
        )
    return 0
