"""Zip files come into the store once."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from swell.errors import StoreError
from swell.package.upload import Stored, Uploads
from swell.testing.memory_storage import MemoryStorage


class Zip(NamedTuple):
    path: str
    sha256: str
    size: int


class CountingStorage(MemoryStorage):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def write(self, key, buffers):
        self.asked.append(f"write {key}")
        return super().write(key, buffers)

    def list(self, prefix, after=""):
        self.asked.append(f"list {prefix}")
        return super().list(prefix, after)


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"zipped")
    return Zip(str(path), "ab12", 6)


def test_a_package_lies_under_its_hash_and_is_written_once(package):
    storage = CountingStorage()
    uploads = Uploads(storage)
    stored = Stored("code/ab12.zip", "ab12", 6)
    assert uploads.code(package) == stored
    assert bytes(storage.read("code/ab12.zip")) == b"zipped"
    storage.asked.clear()
    assert uploads.code(package) == stored
    assert storage.asked == []


def test_what_another_run_brought_is_not_sent_again(package):
    storage = CountingStorage()
    Uploads(storage).layer(package)
    storage.asked.clear()
    assert Uploads(storage).layer(package).key == "layers/ab12.zip"
    assert storage.asked == ["list layers/ab12.zip"]


def test_a_bucket_that_was_emptied_between_two_runs_is_filled_again(package):
    storage = CountingStorage()
    Uploads(storage).layer(package)
    storage.delete(["layers/ab12.zip"])
    Uploads(storage).layer(package)
    assert bytes(storage.read("layers/ab12.zip")) == b"zipped"


def test_an_upload_that_failed_is_not_remembered(package):
    class Away(CountingStorage):
        def write(self, key, buffers):
            raise StoreError("away")

    storage = Away()
    uploads = Uploads(storage)
    for _ in range(2):
        with pytest.raises(StoreError):
            uploads.code(package)
    assert storage.asked == ["list code/ab12.zip"] * 2


def test_large_uploads_are_told(package):
    said: list[str] = []
    uploads = Uploads(CountingStorage(), said.append)
    uploads.code(package)
    assert said == []
    uploads.layer(package._replace(size=25_000_000))
    assert said == ["Uploading 25 MB to memory://test, once."]
