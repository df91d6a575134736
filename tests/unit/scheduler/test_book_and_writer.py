"""Records kept in memory while they are needed; facts committed in groups and in order."""

from __future__ import annotations

import queue
from collections.abc import Collection, Sequence

import pytest

from swell.errors import MetadataError, StoreError
from swell.model.facts import Fact, TaskCreated
from swell.model.ids import RunId
from swell.scheduler.book import RecordBook
from swell.scheduler.writer import Entry, FactWriter, WriteFailed, Written

RUN = RunId("F", 1)


class Reads:
    """The store as the book sees it."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, tasks: Sequence[str]) -> list[bytes]:
        self.asked.append(list(tasks))
        return [f"stored {task}".encode() for task in tasks]


def test_a_record_that_is_not_committed_yet_is_never_dropped() -> None:
    reads = Reads()
    book = RecordBook(reads, kept_bytes=10)
    for task in ("1", "2", "3"):
        book.put(task, task.encode() * 100)
    book.committed(["2"])

    assert book.get(["1", "3"]) == [b"1" * 100, b"3" * 100]
    assert reads.asked == []


def test_committed_records_are_dropped_oldest_first_and_read_again_in_one_query() -> None:
    reads = Reads()
    book = RecordBook(reads, kept_bytes=250)
    for task in ("1", "2", "3", "4"):
        book.put(task, task.encode() * 100)
    book.committed(["1", "2", "3", "4"])

    assert book.get(["4", "1", "3", "2"]) == [b"4" * 100, b"stored 1", b"3" * 100, b"stored 2"]
    assert reads.asked == [["1", "2"]]


class Store:
    """A metadata store that keeps the groups it was given, or refuses them."""

    def __init__(self, order: list[str], error: Exception | None = None) -> None:
        self.groups: list[list[Fact]] = []
        self._order = order
        self._error = error

    def commit(self, facts: Sequence[Fact]) -> None:
        self._order.append("commit")
        if self._error is not None:
            raise self._error
        self.groups.append(list(facts))

    def heartbeat(self, run: RunId, at: float) -> None:
        self._order.append(f"beat {at}")


class WriterAtWork:
    """A writer at work on a fake store."""

    def __init__(self, error: Exception | None = None, sync_error: Exception | None = None) -> None:
        self.order: list[str] = []
        self.store = Store(self.order, error)
        self.reports: queue.SimpleQueue[Written | WriteFailed] = queue.SimpleQueue()

        def sync(keys: Collection[str]) -> None:
            self.order.append(f"sync {sorted(keys)}")
            if sync_error is not None:
                raise sync_error

        self.writer = FactWriter(RUN, self.store, sync, self.reports.put)  # type: ignore[arg-type]
        self.writer.start()


def entry(number: int, *, blobs: tuple[str, ...] = ()) -> Entry:
    task = str(number)
    return Entry((TaskCreated(RUN, "s", task, 1.0),), blobs=blobs, tasks=(task,))


def test_entries_are_committed_in_order_and_in_few_groups() -> None:
    at_work = WriterAtWork()
    for number in range(500):
        at_work.writer.put(entry(number))

    at_work.writer.close()

    facts = [fact for group in at_work.store.groups for fact in group]
    assert [fact.task for fact in facts if isinstance(fact, TaskCreated)] == [
        str(number) for number in range(500)
    ]
    assert len(at_work.store.groups) < 100


def test_blobs_are_durable_before_the_facts_that_name_them() -> None:
    at_work = WriterAtWork()
    at_work.writer.put(entry(1, blobs=("b", "a")))

    at_work.writer.close()

    assert at_work.order == ["sync ['a', 'b']", "commit"]


def test_what_was_put_is_durable_after_a_flush() -> None:
    at_work = WriterAtWork()
    at_work.writer.put(entry(1))

    at_work.writer.flush()

    assert len(at_work.store.groups) == 1
    assert at_work.reports.get(timeout=10) == Written((), ("1",))
    at_work.writer.close()


@pytest.mark.parametrize("failing", ["commit", "sync"])
def test_a_store_that_fails_is_told_once_and_gets_no_more_facts(failing: str) -> None:
    full = MetadataError("It is full.") if failing == "commit" else None
    at_work = WriterAtWork(full, StoreError("It is full.") if failing == "sync" else None)
    at_work.writer.put(entry(1, blobs=("a",)))
    at_work.writer.flush()
    at_work.writer.put(entry(2))

    at_work.writer.close()

    assert isinstance(at_work.reports.get(timeout=10), WriteFailed)
    assert at_work.reports.empty()
    assert at_work.store.groups == []


def test_a_heartbeat_says_that_the_driver_lives() -> None:
    at_work = WriterAtWork()
    at_work.writer.beat(12.5)

    at_work.writer.close()

    assert at_work.order == ["beat 12.5"]
