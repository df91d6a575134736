"""The bucket of a real S3 server as a Storage."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from swell.datastore.object_access import access_from
from swell.datastore.object_address import parse_address
from swell.datastore.object_store import PART_BYTES, ObjectStorage
from swell.package.layers import Layer
from swell.package.upload import Uploads
from swell.seams.storage import Storage
from swell.settings import load_settings
from swell.testing.storage_contract import StorageContract


def open_s3(url: str) -> ObjectStorage:
    return ObjectStorage(parse_address(url), access_from(load_settings()))


class TestObjectStorage(StorageContract):
    @pytest.fixture
    def storage(self, s3_url: str) -> ObjectStorage:
        return open_s3(s3_url)

    def test_keys_are_listed_in_order_with_their_sizes(self, storage: Storage) -> None:
        # SeaweedFS lists by folder: unlike S3 it gives 'a/1' before 'a.b'.
        keys = ["a/1", "a/2/x", "ab", "a/10", "b", "a/3z"]
        for size, key in enumerate(keys):
            storage.write(key, [b"x" * size])
        assert [entry.key for entry in storage.list("")] == sorted(keys)
        assert {e.key: e.size for e in storage.list("")} == {k: n for n, k in enumerate(keys)}


@pytest.fixture
def storage(s3_url: str) -> ObjectStorage:
    return open_s3(s3_url)


def test_a_value_of_many_parts_is_read_whole_and_in_parts(storage: ObjectStorage) -> None:
    data = os.urandom(PART_BYTES * 2 + 12_345)
    view = memoryview(data)
    assert storage.write("large", [view[:5], view[5:20_000_000], view[20_000_000:]]) is True
    assert storage.read("large") == data
    start, length = PART_BYTES - 7, PART_BYTES + 20
    assert storage.read("large", start, length) == data[start : start + length]
    assert storage.write("large", [bytes(PART_BYTES)]) is False


def test_a_listing_of_more_than_one_page_is_complete(storage: ObjectStorage) -> None:
    from swell.datastore.spread import spread

    keys = [f"many/{number:05d}" for number in range(1_203)]
    for _ in spread(lambda key: storage.write(key, [b"."]), keys, 8):
        pass
    assert [entry.key for entry in storage.list("many/")] == keys
    storage.delete(keys)
    assert list(storage.list("many/")) == []


def test_a_process_forked_from_one_that_used_the_store_can_use_it(storage: ObjectStorage) -> None:
    storage.write("k", [b"seen by the child"])
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write_end, bytes(storage.read("k")))
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as answer:
        assert answer.read() == b"seen by the child"
    os.waitpid(child, 0)
    assert bytes(storage.read("k")) == b"seen by the child"


@pytest.mark.parametrize("size", [1000, 20_000_000])
def test_a_package_is_brought_into_the_bucket_once(
    storage: ObjectStorage, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)
    (tmp_path / "a.zip").write_bytes(content)
    package = Layer("swell", str(tmp_path / "a.zip"), hashlib.sha256(content).hexdigest(), size, 1)
    stored = Uploads(storage).layer(package)
    assert bytes(storage.read(stored.key)) == content
    (tmp_path / "a.zip").unlink()
    assert Uploads(storage).layer(package) == stored
