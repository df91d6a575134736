"""How long an outage of PostgreSQL is waited for, and what the user is told meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swell.errors import MetadataError
from swell.metastore.postgres import PostgresDatabase

psycopg = pytest.importorskip("psycopg")

LOST = "server closed the connection unexpectedly"


class Failing:
    """In the place of connections: fails so many times, then answers."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        self.left = times
        self.error = error or psycopg.OperationalError(LOST)

    def changing(self, change: Callable[[Any], Any]) -> Any:
        if self.left > 0:
            self.left -= 1
            raise self.error
        return change(None)


class Waiter:
    """A database over ``Failing``; its clock moves as it sleeps."""

    def __init__(self, failing: Failing, *, is_open: bool = True) -> None:
        self.at = 0.0
        self.failing = failing
        self.waits: list[float] = []
        self.said: list[str] = []
        self.patience_s = 60.0
        self.database = PostgresDatabase(
            "postgresql://h/d",
            failing,  # type: ignore[arg-type]  # stands in for Connections
            patience_s=lambda: self.patience_s,
            tell=self.said.append,
            sleep=self.sleep,
            now=lambda: self.at,
            is_open=is_open,
        )

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds

    def write(self) -> str:
        return self.database.changing(lambda db: "written")


def test_a_connection_that_was_closed_is_replaced_without_a_word() -> None:
    waiter = Waiter(Failing(1))
    assert waiter.write() == "written"
    assert waiter.said == []


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_is_over() -> None:
    waiter = Waiter(Failing(9))
    assert waiter.write() == "written"
    begun, over = waiter.said
    assert "does not answer" in begun
    assert "up to 60 s" in begun
    assert "answers again" in over


def test_waits_grow_and_differ_from_driver_to_driver() -> None:
    one, other = Waiter(Failing(12)), Waiter(Failing(12))
    one.write()
    other.write()
    assert one.waits != other.waits
    assert one.waits[0] < 0.1
    assert max(one.waits) <= 5.0
    assert one.waits[8] > one.waits[2]


def test_after_the_patience_it_is_an_error_that_trying_again_can_help() -> None:
    waiter = Waiter(Failing(10_000))
    with pytest.raises(MetadataError, match="does not answer") as caught:
        waiter.write()
    assert caught.value.retryable
    assert 50 < waiter.at <= 60


def test_patience_that_shrinks_in_mid_wait_counts_at_once() -> None:
    waiter = Waiter(Failing(10_000))
    waiter.patience_s = 600.0

    def hurry(seconds: float) -> None:
        waiter.at += seconds
        waiter.patience_s = 1.0 if waiter.at > 20 else 600.0

    waiter.database._sleep = hurry
    with pytest.raises(MetadataError):
        waiter.write()
    assert waiter.at < 40


def test_after_patience_has_run_out_once_nobody_waits_anew_until_the_database_is_back() -> None:
    waiter = Waiter(Failing(10_000))
    with pytest.raises(MetadataError):
        waiter.write()
    with pytest.raises(MetadataError):
        waiter.write()
    assert waiter.at <= waiter.patience_s

    waiter.failing.left = 0
    waiter.at += 1000
    assert waiter.write() == "written"
    waiter.failing.left = 5
    assert waiter.write() == "written"
    assert len(waiter.said) == 4


def test_before_the_store_is_open_only_a_server_that_is_there_is_waited_for() -> None:
    refused = Waiter(Failing(1), is_open=False)
    with pytest.raises(MetadataError):
        refused.write()
    assert refused.waits == []
    starting = psycopg.OperationalError("FATAL:  the database system is starting up")
    assert Waiter(Failing(5, starting), is_open=False).write() == "written"


def test_what_waiting_cannot_help_is_told_at_once() -> None:
    waiter = Waiter(Failing(1, psycopg.errors.InsufficientPrivilege("permission denied")))
    with pytest.raises(MetadataError, match="may not be used so"):
        waiter.write()
    assert waiter.waits == []
