"""The tables of the metadata database and the steps from one layout to the next."""

from __future__ import annotations

APPLICATION_ID = 0x5377656C
"""'Swel' in SQLite's header: tells our database from somebody else's."""

LAYOUT = 1
"""The layout this version writes; kept in ``PRAGMA user_version``."""

# Tags have a table of their own because runs are asked for by tag. ``flows`` remembers
# the last number given, so that a deleted run's number is not given again. Records stand
# last in their rows: SQLite then reads the columns before them without reading the record.
_LAYOUT_1 = (
    "CREATE TABLE store (id TEXT NOT NULL, made_at REAL NOT NULL)",
    "CREATE TABLE flows (name TEXT PRIMARY KEY, last_number INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        flow TEXT NOT NULL,
        number INTEGER NOT NULL,
        user TEXT NOT NULL,
        created_at REAL NOT NULL,
        script TEXT NOT NULL,
        status TEXT NOT NULL,
        origin_run INTEGER,
        finished_at REAL,
        heartbeat_at REAL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        graph BLOB NOT NULL,
        UNIQUE (flow, number)
    )""",
    "CREATE INDEX runs_by_time ON runs (created_at, id)",
    "CREATE INDEX runs_of_flow_by_time ON runs (flow, created_at, id)",
    """CREATE TABLE run_tags (
        run INTEGER NOT NULL,
        tag TEXT NOT NULL,
        is_system INTEGER NOT NULL,
        PRIMARY KEY (run, tag, is_system)
    ) WITHOUT ROWID""",
    """CREATE TABLE tasks (
        run INTEGER NOT NULL,
        task TEXT NOT NULL,
        step TEXT NOT NULL,
        created_at REAL NOT NULL,
        detail TEXT,
        UNIQUE (run, task)
    )""",
    "CREATE INDEX tasks_of_step ON tasks (run, step, created_at)",
    """CREATE TABLE attempts (
        run INTEGER NOT NULL,
        task TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        started_at REAL,
        pid INTEGER,
        note TEXT,
        ended_at REAL,
        ok INTEGER,
        caught INTEGER,
        cause TEXT,
        peak_memory_mb REAL,
        cpu_s REAL,
        measured_by TEXT,
        metadata TEXT,
        outcome BLOB,
        record BLOB,
        UNIQUE (run, task, attempt)
    )""",
)

STEPS_TO: tuple[tuple[str, ...], ...] = (_LAYOUT_1,)
"""``STEPS_TO[n - 1]`` turns layout n - 1 into layout n; layout 0 is an empty database."""
