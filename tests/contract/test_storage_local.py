"""The local folder keeps the contract of a Storage, and what only files can be asked."""

from __future__ import annotations

import errno
import os
import resource
import signal
from pathlib import Path

import pytest

from swell.datastore.local import LocalStorage
from swell.datastore.os_errors import store_error
from swell.errors import DataMissing, InternalError, StoreError, StoreFull
from swell.testing.memory_storage import MemoryStorage
from swell.testing.storage_contract import StorageContract


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "store")


class TestLocalStorage(StorageContract):
    pass


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage()


def test_a_folder_is_made_at_the_first_write_only(tmp_path):
    storage = LocalStorage(tmp_path / "a" / "b")
    assert list(storage.list("")) == []
    assert not (tmp_path / "a").exists()
    storage.write("k", [b"x"])
    assert (tmp_path / "a" / "b" / "k").read_bytes() == b"x"


def test_a_draft_that_is_not_committed_leaves_nothing(storage):
    with storage.draft() as draft:
        draft.write([b"half"])
    assert list(storage.list("")) == []
    assert os.listdir(os.path.join(storage.url, ".drafts")) == []


def test_a_draft_gets_its_key_at_the_end_and_may_be_mended_before(storage):
    with storage.draft() as draft:
        draft.write([b"____", b" world"])
        draft.overwrite(0, b"good")
        assert draft.commit("a/k") is True
    assert bytes(storage.read("a/k")) == b"good world"
    with storage.draft() as draft:
        draft.write([b"late"])
        assert draft.commit("a/k") is False
    assert bytes(storage.read("a/k")) == b"good world"


def test_a_writer_killed_in_the_middle_leaves_no_key_and_disturbs_nobody(storage):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        draft = storage.draft()
        draft.write([b"x" * 100_000])
        os.write(writing, b"x")
        signal.pause()
    assert os.read(reading, 1) == b"x"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reading)
    os.close(writing)
    assert list(storage.list("")) == []
    assert storage.write("k", [b"x"]) is True
    assert storage.delete_drafts(before=0) == 0
    assert storage.delete_drafts(before=2**40) == 1
    assert os.listdir(os.path.join(storage.url, ".drafts")) == []


def test_values_survive_a_sync_and_a_missing_one_is_named(storage):
    storage.write("a/b/c", [b"x"])
    storage.sync(["a/b/c"])
    with pytest.raises(DataMissing, match="a/x"):
        storage.sync(["a/b/c", "a/x"])


def test_a_large_range_at_an_odd_place_is_mapped_right(storage):
    data = os.urandom(5_000_000)
    storage.write("k", [data])
    view = storage.read("k", 12_345, 4_000_000)
    assert view == data[12_345:4_012_345]
    view[:3] = b"abc"
    assert storage.read("k", 12_345, 3) == data[12_345:12_348]


def test_a_mapping_outlives_the_deletion_of_its_key(storage):
    storage.write("k", [b"x" * 2_000_000])
    view = storage.read("k")
    storage.delete(["k"])
    assert view[1_999_999] == ord("x")


def test_a_thousand_buffers_and_more_are_written_in_order(storage):
    buffers = [str(number).encode() for number in range(3000)]
    storage.write("k", buffers)
    assert bytes(storage.read("k")) == b"".join(buffers)


def test_a_key_that_leaves_the_folder_is_our_own_mistake(storage):
    for key in ("../x", "/x", "a//b", "", "a/.b", "ä"):
        with pytest.raises(InternalError):
            storage.read(key)


def test_a_file_where_the_folder_should_be_is_an_error_with_the_path(tmp_path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreError, match="store") as caught:
        LocalStorage(tmp_path / "store").write("k", [b"x"])
    assert caught.value.remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error_with_the_path(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="permission denied"):
        LocalStorage(tmp_path / "store").write("k", [b"x"])
    tmp_path.chmod(0o700)


def test_no_room_for_a_value_is_told_apart_and_leaves_nothing(storage):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(StoreFull) as caught:
            storage.write("k", [b"x" * 100_000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert storage.url in caught.value.message
    assert "space" in caught.value.remedy
    assert list(storage.list("")) == []
    assert os.listdir(os.path.join(storage.url, ".drafts")) == []


@pytest.mark.parametrize(
    ("code", "kind", "words", "retryable"),
    [
        (errno.ENOSPC, StoreFull, "no space", False),
        (errno.EDQUOT, StoreFull, "quota", False),
        (errno.EROFS, StoreError, "read-only", False),
        (errno.EACCES, StoreError, "permission denied", False),
        (errno.EMFILE, StoreError, "too many files", False),
        (errno.ESTALE, StoreError, "stale", True),
        (errno.EIO, StoreError, "error", True),
    ],
)
def test_every_refusal_of_the_file_system_is_one_sentence(code, kind, words, retryable):
    error = store_error(OSError(code, os.strerror(code)), "writing", "/data/x")
    assert type(error) is kind
    assert words in error.message
    assert "/data/x" in error.message
    assert error.remedy
    assert error.retryable is retryable
