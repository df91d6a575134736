"""Blobs are deleted when they are old and nothing refers to them, and only then."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from swell.datastore.blob_format import storage_key
from swell.datastore.blobs import Blobs
from swell.datastore.cache import CachedStorage
from swell.datastore.files import File
from swell.datastore.local import LocalStorage
from swell.datastore.object_sweep import MARKS
from swell.gc.leftovers import RunFolders
from swell.gc.sweep import Cleaner, Freed, Ground
from swell.model.facts import TaskCreated
from swell.testing.fake_clock import FakeClock
from swell.testing.stored_facts import new_run
from tests.unit.gc.stepped import HOUR_S, MemoryBucket, Turns

KEY = "blobs/ab/abcdef"
DAY_S = 24 * HOUR_S


def cleaner_of(metastore, storage, folder: Path, **also) -> Cleaner:
    given = {"grace_s": DAY_S, "clock": time.time, **also}
    goes_on = given.pop("goes_on", lambda run: False)
    folders = RunFolders(str(folder / "logs"), str(folder / "scratch"))
    return Cleaner(metastore, [Ground(None, storage)], folders, goes_on, **given)


def age(storage: LocalStorage, key: str, hours: float) -> None:
    """Make a value look as if it was written so long ago."""
    at = time.time() - hours * HOUR_S
    os.utime(Path(storage.url) / key, (at, at))


def swept(cleaner: Cleaner) -> Freed:
    (found,) = cleaner.look()
    return cleaner.sweep(found)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "blobs")


def test_what_nothing_refers_to_goes_when_it_is_older_than_the_grace(
    metastore, make_run, storage, tmp_path
):
    blobs = Blobs(storage)
    used, young, old = (blobs.save_raw(name * 100) for name in (b"u", b"y", b"o"))
    make_run("A", used)
    for key, hours in ((used, 1000), (young, 23.9), (old, 24.1)):
        age(storage, storage_key(key), hours)
    cleaner = cleaner_of(metastore, storage, tmp_path)
    (found,) = cleaner.look()
    assert [entry.key for entry in found.old] == [storage_key(old)]
    assert [entry.key for entry in found.young] == [storage_key(young)]
    assert swept(cleaner) == Freed(1, found.old[0].size)
    assert blobs.has(used)
    assert blobs.has(young)
    assert not blobs.has(old)


def test_nothing_goes_that_was_written_since_a_run_began_that_goes_on(metastore, storage, tmp_path):
    began = time.time() - 5 * DAY_S
    run = metastore.create_run(new_run("A", began)).id
    metastore.commit([TaskCreated(run, "start", "1", began)])
    before, since = (Blobs(storage).save_raw(name * 100) for name in (b"b", b"s"))
    age(storage, storage_key(before), 6 * 24)
    age(storage, storage_key(since), 4 * 24)
    assert swept(cleaner_of(metastore, storage, tmp_path, goes_on=lambda run: True)).blobs == 1
    assert Blobs(storage).has(since)
    assert swept(cleaner_of(metastore, storage, tmp_path)).blobs == 1


def test_what_was_stored_again_between_the_look_and_the_deletion_stays(
    metastore, storage, tmp_path
):
    key = Blobs(storage).save_raw(b"x" * 100)
    age(storage, storage_key(key), 100)
    cleaner = cleaner_of(metastore, storage, tmp_path)
    (found,) = cleaner.look()
    assert len(found.old) == 1
    assert Blobs(storage).save_raw(b"x" * 100) == key
    assert cleaner.sweep(found) == Freed(0, 0)
    assert Blobs(storage).has(key)


def test_what_was_referred_to_between_the_look_and_the_deletion_stays(
    metastore, make_run, storage, tmp_path
):
    key = Blobs(storage).save_raw(b"x" * 100)
    age(storage, storage_key(key), 100)
    cleaner = cleaner_of(metastore, storage, tmp_path)
    (found,) = cleaner.look()
    make_run("A", key)
    assert cleaner.sweep(found) == Freed(0, 0)


def test_every_way_to_store_what_is_there_makes_it_young(storage, tmp_path):
    blobs, content = Blobs(storage), os.urandom(17 << 20)
    (tmp_path / "file").write_bytes(content)
    key = blobs.save_raw(content)
    other = Blobs(LocalStorage(tmp_path / "other"))
    other.save_raw(content)

    def loaded() -> File:
        file = File(tmp_path / "file")
        file._kept_in(blobs)
        return File._stored_as(file._content(), blobs)

    from_store = loaded()
    ways = {
        "large bytes": lambda: blobs.save_raw(content),
        "a file": lambda: File(tmp_path / "file")._kept_in(blobs),
        "a copy from another store": lambda: blobs.copy_from(other, key),
        "a file that was loaded": lambda: from_store._kept_in(blobs),
    }
    for name, way in ways.items():
        age(storage, storage_key(key), 100)
        way()
        assert storage.delete_older([storage_key(key)], time.time() - HOUR_S) == [], name


def test_drafts_of_processes_that_live_and_young_ones_stay(storage):
    folder = Path(storage.scratch_folder())
    with_pid = {"old-dead": 2**22 + 1, "young-dead": 2**22 + 1, "old-alive": os.getpid()}
    for name, pid in with_pid.items():
        path = folder / f"{pid}-{name}"
        path.write_bytes(b"x")
        if name.startswith("old"):
            os.utime(path, (1.0, 1.0))
    assert storage.delete_drafts(time.time() - DAY_S) == 1
    left = {path.name.partition("-")[2] for path in folder.iterdir()}
    assert left == {"young-dead", "old-alive"}


# --- at the very same moment -------------------------------------------------------------


def delete_for_ever(root: str, before: float, stop) -> None:
    while not stop.is_set():
        LocalStorage(root).delete_older([KEY], before)


def test_a_value_written_again_while_it_is_being_deleted_is_there_afterwards(storage):
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    before = time.time() - 1
    storage.write(KEY, [b"x"])
    sweepers = [
        context.Process(target=delete_for_ever, args=(storage.url, before, stop)) for _ in range(2)
    ]
    for sweeper in sweepers:
        sweeper.start()
    path = Path(storage.url) / KEY
    deleted = 0
    try:
        for _ in range(1500):
            try:
                os.utime(path, (1.0, 1.0))
            except FileNotFoundError:
                pass
            deleted += storage.write(KEY, [b"x"])
            assert path.exists()
    finally:
        stop.set()
        for sweeper in sweepers:
            sweeper.join(60)
    assert deleted > 10


@pytest.mark.parametrize("seed", range(150))
def test_a_value_written_again_in_a_bucket_while_it_is_deleted_is_there_afterwards(seed):
    turns, clock = Turns(seed), FakeClock(1e9)
    bucket = MemoryBucket(turns, clock)
    storage = CachedStorage(bucket, None, clock, lambda seconds: turns.step())
    bucket.values[KEY] = (b"x", clock() - 2 * DAY_S)
    turns.add("writer", lambda: storage.write(KEY, [b"x"]))
    for number in range(2):
        turns.add(f"sweeper {number}", lambda: storage.delete_older([KEY], clock() - DAY_S))
    assert turns.run(10_000, lambda: clock.advance(0.01)) < 10_000
    assert KEY in bucket.values
    assert list(bucket.list(MARKS)) == []


@pytest.mark.parametrize("seed", range(150))
def test_a_value_found_just_written_anew_is_there_whatever_becomes_of_its_writer(seed):
    turns, clock = Turns(seed), FakeClock(1e9)
    bucket = MemoryBucket(turns, clock)
    storage = CachedStorage(bucket, None, clock, lambda seconds: turns.step())
    bucket.values[KEY] = (b"x", clock() - 2 * DAY_S)
    relied_on = []

    def dies_after_its_upload() -> None:
        bucket.upload(KEY, [b"x"])

    def writes() -> None:
        storage.write(KEY, [b"x"])
        relied_on.append(KEY)

    turns.add("dying", dies_after_its_upload)
    turns.add("writer", writes)
    turns.add("sweeper", lambda: storage.delete_older([KEY], clock() - DAY_S))

    def after() -> None:
        clock.advance(0.01)
        assert all(key in bucket.values for key in relied_on)

    assert turns.run(10_000, after) < 10_000
    assert relied_on


def test_a_mark_of_a_sweep_that_died_holds_writers_up_for_a_while_only():
    turns, clock = Turns(0), FakeClock(1e9)
    bucket = MemoryBucket(turns, clock)
    bucket.values[KEY] = (b"x", clock() - 2 * DAY_S)
    bucket.values[f"{MARKS}dead"] = (b"", clock() - 1501)
    waits = []
    CachedStorage(bucket, None, clock, waits.append).write(KEY, [b"x"])
    assert waits == []
    assert bucket.values[KEY][1] == clock()
