"""The tables in PostgreSQL, in a schema of their own, and the steps from one layout to the next."""

from __future__ import annotations

SCHEMA = "swell"
"""All tables stand in it, so that a database may serve other programs as well."""

LAYOUT = 1
"""The layout this version writes; kept in ``store.layout``."""

MIGRATION_LOCK = 0x5377656C
"""Key of the advisory lock ('Swel') that is held while the layout changes."""

# The same tables as in SQLite, where ``rowid`` is there by itself: the order of arrival.
_LAYOUT_1 = (
    """CREATE TABLE store (
        id TEXT NOT NULL,
        made_at DOUBLE PRECISION NOT NULL,
        layout INTEGER NOT NULL
    )""",
    "CREATE TABLE flows (name TEXT PRIMARY KEY, last_number INTEGER NOT NULL)",
    """CREATE TABLE runs (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        flow TEXT NOT NULL,
        number INTEGER NOT NULL,
        "user" TEXT NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        script TEXT NOT NULL,
        status TEXT NOT NULL,
        origin_run INTEGER,
        finished_at DOUBLE PRECISION,
        heartbeat_at DOUBLE PRECISION,
        host TEXT NOT NULL,
        pid BIGINT NOT NULL,
        graph BYTEA NOT NULL,
        UNIQUE (flow, number)
    )""",
    "CREATE INDEX runs_by_time ON runs (created_at, id)",
    "CREATE INDEX runs_of_flow_by_time ON runs (flow, created_at, id)",
    """CREATE TABLE run_tags (
        run BIGINT NOT NULL,
        tag TEXT NOT NULL,
        is_system SMALLINT NOT NULL,
        PRIMARY KEY (run, tag, is_system)
    )""",
    """CREATE TABLE tasks (
        rowid BIGINT GENERATED ALWAYS AS IDENTITY,
        run BIGINT NOT NULL,
        task TEXT NOT NULL,
        step TEXT NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        detail TEXT,
        PRIMARY KEY (run, task)
    )""",
    "CREATE INDEX tasks_of_step ON tasks (run, step, created_at)",
    """CREATE TABLE attempts (
        rowid BIGINT GENERATED ALWAYS AS IDENTITY,
        run BIGINT NOT NULL,
        task TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        started_at DOUBLE PRECISION,
        pid BIGINT,
        note TEXT,
        ended_at DOUBLE PRECISION,
        ok BOOLEAN,
        caught BOOLEAN,
        cause TEXT,
        peak_memory_mb DOUBLE PRECISION,
        cpu_s DOUBLE PRECISION,
        measured_by TEXT,
        metadata TEXT,
        outcome BYTEA,
        record BYTEA,
        PRIMARY KEY (run, task, attempt)
    )""",
)

STEPS_TO: tuple[tuple[str, ...], ...] = (_LAYOUT_1,)
"""``STEPS_TO[n - 1]`` turns layout n - 1 into layout n; layout 0 is a database without ours."""
