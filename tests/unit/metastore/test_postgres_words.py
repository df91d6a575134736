"""Addresses without passwords, what PostgreSQL says in our words, and how long is waited."""

from __future__ import annotations

import pytest

from swell.metastore.postgres_address import connection_url, is_postgres, public_address
from swell.metastore.postgres_errors import last_words, metadata_error, trouble_of

psycopg = pytest.importorskip("psycopg")

REFUSED = (
    'connection failed: connection to server at "10.0.0.1", port 5432 failed: Connection refused\n'
    "\tIs the server running on that host and accepting TCP/IP connections?"
)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://ann:pw@host/db", "postgresql://ann@host/db"),
        ("postgres://ann:p%40w@host:5433/db", "postgresql://ann@host:5433/db"),
        ("postgresql@postgresql://ann:pw@host/db", "postgresql://ann@host/db"),
        (
            "postgresql://host/db?password=pw&sslmode=require",
            "postgresql://host/db?sslmode=require",
        ),
        ("postgresql://:pw@host/db", "postgresql://host/db"),
        ("postgresql://ann:p:w@one:1,two:2/db", "postgresql://ann@one:1,two:2/db"),
        ("postgresql:///db?host=/run/pg", "postgresql:///db?host=/run/pg"),
        ("postgresql://ann:pw@[::1]:5/db", "postgresql://ann@[::1]:5/db"),
        ("postgresql://ann:p#w@host/db", "postgresql://ann@host/db"),
        ("postgresql://ann:p/w?x@host/db", "postgresql://ann@host/db"),
    ],
)
def test_an_address_is_shown_without_its_password(given: str, shown: str) -> None:
    assert is_postgres(given)
    assert public_address(given) == shown
    assert public_address(shown) == shown
    assert connection_url(given) == given.removeprefix("postgresql@")


@pytest.mark.parametrize("other", ["local", "sqlite@/x/metadata.db", "/a/folder", "s3://b/p"])
def test_other_addresses_are_not_postgres(other: str) -> None:
    assert not is_postgres(other)


@pytest.mark.parametrize(
    ("state", "passes"),
    [
        *((state, True) for state in ("08006", "57P01", "57P03", "53300", "53100", "40P01")),
        *((state, False) for state in ("28P01", "3D000", "42501", "25006", "22021", "42P01")),
    ],
)
def test_what_passes_is_waited_for_and_what_does_not_is_told(state: str, passes: bool) -> None:
    assert trouble_of("anything", state, is_lost=False).passes is passes


def test_a_server_that_speaks_another_language_counts_as_away() -> None:
    trouble = trouble_of("FATAL: Das Datenbanksystem fährt hoch", None, is_lost=True)
    assert trouble.passes


def test_an_error_ends_with_what_the_driver_said_last() -> None:
    error = metadata_error("postgresql://h/d", trouble_of(REFUSED, None, is_lost=True), REFUSED)
    assert error.retryable
    assert error.message == (
        "The metadata database postgresql://h/d does not answer (Connection refused)."
    )
    assert last_words("") == "no reason given"
