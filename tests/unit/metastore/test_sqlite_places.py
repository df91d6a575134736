"""SQLite files that are damaged, foreign, newer, read-only, or have no room: clear errors."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from swell.errors import MetadataError, SwellError
from swell.metastore.sqlite import open_metastore
from swell.model.facts import TaskCreated
from swell.model.ids import RunId
from swell.testing.stored_facts import ended, new_run

NOBODY = 65534


def filled(path: Path) -> Path:
    store = open_metastore(path)
    run = store.create_run(new_run()).id
    store.commit([TaskCreated(run, "start", "1", 1.0), ended(run, "1")])
    store.close()
    return path


def test_a_number_is_not_given_again_after_its_run_was_deleted(tmp_path: Path) -> None:
    path = filled(tmp_path / "m.db")
    db = sqlite3.connect(path)
    with db:
        db.execute("DELETE FROM runs")
    db.close()
    store = open_metastore(path)
    assert store.create_run(new_run()).id == RunId("SumFlow", 2)
    store.close()


def test_a_commit_is_synced_to_the_disk_and_readers_are_not_blocked(tmp_path: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def connect(*given: object, **also: object) -> sqlite3.Connection:
        opened.append(sqlite3.connect(*given, **also))  # type: ignore[call-overload]
        return opened[-1]

    store = open_metastore(tmp_path / "m.db", connect=connect)
    assert opened[0].execute("PRAGMA synchronous").fetchone() == (2,)
    assert opened[0].execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_on_a_network_file_system_the_rollback_journal_is_used_and_the_user_warned(
    tmp_path: Path,
) -> None:
    path = filled(tmp_path / "m.db")
    store = open_metastore(path, mounts=lambda: "srv:/ / nfs4 rw 0 0")
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    db.close()
    (warning,) = store.warnings
    assert "nfs4" in warning
    assert "PostgreSQL" in warning
    assert len(store.runs()) == 1
    store.close()


def test_a_local_place_brings_no_warning(tmp_path: Path) -> None:
    store = open_metastore(tmp_path / "m.db", mounts=lambda: "/dev/sda / ext4 rw 0 0")
    assert store.warnings == ()
    store.close()


def test_a_newer_database_names_both_layouts_and_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = filled(tmp_path / "m.db")
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=7")
    db.close()
    for read_only in (True, False):
        with pytest.raises(MetadataError, match=r"layout 7.*up to 1\. Upgrade swell"):
            open_metastore(path, read_only=read_only)


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    db = sqlite3.connect(path)
    with db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(MetadataError, match="of another program"):
        open_metastore(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_named_with_a_remedy_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(MetadataError, match=f"{path}.*damaged.*mv") as caught:
        open_metastore(path)
    assert not caught.value.retryable
    assert path.read_bytes().startswith(b"not a database")


def test_damage_within_the_file_is_told_when_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    store = open_metastore(path)
    run = store.create_run(new_run()).id
    tasks = [str(number) for number in range(2000)]
    store.commit([TaskCreated(run, "work", task, 1.0, path_text="x" * 50) for task in tasks])
    store.close()
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40_000] = b"\xff" * 40_000
    path.write_bytes(data)

    damaged = open_metastore(path)
    with pytest.raises(MetadataError, match=r"damaged.*\.recover"):
        damaged.tasks(run)
    damaged.close()


def test_an_empty_file_becomes_a_store_but_not_by_reading(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    path.touch()
    with pytest.raises(MetadataError, match="Run a flow"):
        open_metastore(path, read_only=True)
    store = open_metastore(path)
    assert store.runs() == []
    store.close()


def test_a_missing_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match=r"folder .*nowhere exists"):
        open_metastore(tmp_path / "nowhere" / "m.db")
    with pytest.raises(MetadataError, match="cannot be opened"):
        open_metastore(tmp_path / "m.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


def limited_to(pages: int) -> Callable[..., sqlite3.Connection]:
    """SQLite that finds its disk full past ``pages`` pages."""

    def connect(*given: object, **also: object) -> sqlite3.Connection:
        connection = sqlite3.connect(*given, **also)  # type: ignore[call-overload]
        connection.execute(f"PRAGMA max_page_count={pages}")
        return connection  # type: ignore[no-any-return]

    return connect


def test_a_database_that_is_removed_under_a_run_is_told_at_the_next_commit(
    tmp_path: Path,
) -> None:
    store = open_metastore(tmp_path / "m.db")
    run = store.create_run(new_run()).id
    (tmp_path / "m.db").unlink()

    with pytest.raises(MetadataError, match="was removed while it was in use"):
        store.commit([TaskCreated(run, "start", "1", 1.0)])
    store.close()


def test_a_full_disk_is_told_and_keeps_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    store = open_metastore(path, connect=limited_to(40))
    run = store.create_run(new_run()).id
    kept = 0

    def fill() -> None:
        nonlocal kept
        for number in range(1000):
            store.commit([TaskCreated(run, "work", str(number), 1.0, path_text="x" * 500)])
            kept += 1

    with pytest.raises(MetadataError, match="no room left") as caught:
        fill()
    assert caught.value.retryable
    assert len(store.tasks(run)) == kept > 0
    store.close()

    again = open_metastore(path)
    assert len(again.tasks(run)) == kept
    again.close()


def said_by_nobody(path: Path, *, read_only: bool) -> list[str]:
    """What a forked process, whose user may write nothing here, reads, then is told."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=read_as_nobody, args=(path, read_only, sender))
    process.start()
    sender.close()
    assert receiver.poll(60)
    said: list[str] = receiver.recv()
    process.join(60)
    return said


def read_as_nobody(path: Path, read_only: bool, sender: Connection) -> None:
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    said = []
    try:
        store = open_metastore(path, read_only=read_only)
        runs = store.runs()
        said.append(f"{[str(run.id) for run in runs]} {len(store.tasks(runs[-1].id))}")
        store.change_tags(runs[0].id, add=["mine"])
    except SwellError as error:
        said.append(str(error))
    sender.send(said)


@pytest.fixture
def shut_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that nobody may write in, reachable by everybody."""
    folder = tmp_path_factory.mktemp("owned")
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid() and parent.name.startswith(
            ("owned", "pytest-", "popen-")
        ):
            parent.chmod(0o755)
    return folder


def test_a_store_of_somebody_else_can_be_read_but_not_changed(shut_folder: Path) -> None:
    path = filled(shut_folder / "m.db")
    path.chmod(0o444)
    shut_folder.chmod(0o555)
    read, told = said_by_nobody(path, read_only=True)
    assert read == "['SumFlow/1'] 1"
    assert told.startswith(f"The metadata database {path} cannot be")
    assert "write" in told


def test_a_store_of_somebody_else_can_be_read_while_a_run_writes(shut_folder: Path) -> None:
    path = filled(shut_folder / "m.db")
    store = open_metastore(path)
    store.create_run(new_run())
    said = said_by_nobody(path, read_only=True)
    store.close()
    assert said[0] == "['SumFlow/2', 'SumFlow/1'] 1"


def test_a_store_left_by_a_killed_run_of_somebody_else_is_not_read_half(shut_folder: Path) -> None:
    path = filled(shut_folder / "m.db")
    store = open_metastore(path)
    store.create_run(new_run())
    log = Path(f"{path}-wal").read_bytes()
    store.close()
    Path(f"{path}-wal").write_bytes(log)
    shut_folder.chmod(0o555)
    (told,) = said_by_nobody(path, read_only=True)
    assert "left by a run that was killed" in told


def test_a_store_in_a_place_that_cannot_be_written_is_a_clear_error(shut_folder: Path) -> None:
    shut_folder.chmod(0o555)
    (told,) = said_by_nobody(shut_folder / "m.db", read_only=False)
    assert "cannot be opened" in told
    assert f"Check that the folder {shut_folder} exists and that you may read and write" in told
