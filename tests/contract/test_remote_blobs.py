"""Blobs in a bucket: checked as they are read, kept in a cache, written once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy
import pytest

from swell.datastore.artifacts import Artifacts
from swell.datastore.blob_format import CHUNK_BYTES, ZSTD, storage_key
from swell.datastore.blobs import Blobs
from swell.datastore.cache import BlobCache, CachedStorage
from swell.datastore.files import File
from swell.datastore.items import load_item, store_items
from swell.datastore.local import LocalStorage
from swell.datastore.object_access import access_from
from swell.datastore.object_address import parse_address
from swell.datastore.object_store import ObjectStorage, Span
from swell.datastore.remote_blobs import RemoteBlob
from swell.errors import DataMissing, StoreError
from swell.session.datastores import Datastores
from swell.session.task_store import TaskStore
from swell.settings import load_settings
from swell.testing.storage_contract import StorageContract


class Counting(ObjectStorage):
    """Notes every request that reads."""

    def __init__(self, url: str) -> None:
        super().__init__(parse_address(url), access_from(load_settings()))
        self.reads: list[str] = []

    def read_head(self, key, start, length):
        self.reads.append("head")
        return super().read_head(key, start, length)

    def read_span(self, key: str, span: Span) -> memoryview:
        self.reads.append("span")
        return super().read_span(key, span)


@pytest.fixture
def bucket(s3_url: str) -> Counting:
    return Counting(s3_url)


@pytest.fixture
def cache(tmp_path: Path) -> BlobCache:
    return BlobCache(str(tmp_path / "cache"), 1_000_000_000)


@pytest.fixture
def storage(bucket: Counting, cache: BlobCache) -> CachedStorage:
    return CachedStorage(bucket, cache)


class TestCachedStorage(StorageContract):
    test_keys_are_listed_in_order_with_their_sizes = None  # see test_storage_s3


def kept_files(tmp_path: Path) -> list[Path]:
    """The content in the cache."""
    folders = (tmp_path / "cache" / name for name in ("blobs", "chunks"))
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def spoil(bucket: ObjectStorage, key: str, at: int) -> None:
    """Flip one bit of a Blob in the bucket."""
    data = bytearray(bucket.read(storage_key(key)))
    data[at] ^= 1
    bucket.upload(storage_key(key), [bytes(data)])


@pytest.mark.parametrize("limit", [0, 1_000_000_000])
def test_values_of_all_sizes_come_back_with_and_without_a_cache(bucket, tmp_path, limit):
    storage = CachedStorage(bucket, BlobCache(str(tmp_path), limit) if limit else None)
    artifacts = Artifacts(storage, home=storage)
    random = numpy.random.default_rng(1)
    values = {
        "text": "x" * 100_000,
        "small": random.random(20_000),
        "large": random.random(5_000_000),
        "zeros": numpy.zeros(5_000_000),
        "nested": {"a": [random.random(30_000), numpy.zeros(0)], "b": random.random((300, 500)).T},
    }
    refs = artifacts.save(values)
    assert all(ref.store == bucket.url for ref in refs.values())
    for name, ref in refs.items():
        numpy.testing.assert_equal(artifacts.load(ref), values[name])
        numpy.testing.assert_equal(artifacts.load(ref), values[name])


def test_a_blob_that_was_read_is_not_asked_for_again(bucket, storage):
    key = Blobs(storage).save_raw(os.urandom(3_000_000))
    first = bytes(Blobs(storage).open(key).section(0))
    asked = len(bucket.reads)
    assert asked > 0
    assert bytes(Blobs(storage).open(key).section(0)) == first
    assert len(bucket.reads) == asked


def test_a_small_blob_costs_one_request(bucket, storage):
    key = Blobs(storage).save_raw(os.urandom(100_000))
    Blobs(storage).open(key).section(0)
    assert bucket.reads == ["head"]


def test_what_is_read_may_be_written_to_and_the_cache_stays_as_it_was(storage):
    data = os.urandom(3_000_000)
    key = Blobs(storage).save_raw(data)
    for _ in range(2):
        view = Blobs(storage).open(key).section(0)
        assert view == data
        view[0] = view[0] ^ 1


def test_what_shrinks_by_half_is_compressed_in_the_bucket_and_not_in_the_cache(storage, tmp_path):
    data = (os.urandom(500) + bytes(500)) * 3_000
    key = Blobs(storage).save_raw(data)
    blob = Blobs(storage).open(key)
    assert isinstance(blob, RemoteBlob)
    assert blob.table.sections[0].codec == ZSTD
    assert blob.section(0) == data
    (file,) = kept_files(tmp_path)
    assert file.stat().st_size > len(data)


@pytest.mark.parametrize("size", [1_000, 100_000, 40_000_000])
def test_a_flipped_bit_in_the_bucket_is_refused_and_never_kept(bucket, storage, tmp_path, size):
    key = Blobs(storage).save_raw(os.urandom(size))
    spoil(bucket, key, bucket.size(storage_key(key)) - 5)
    with pytest.raises(StoreError, match=rf"Blob {key} in .* is damaged"):
        Blobs(storage).open(key).section(0)
    with pytest.raises(StoreError, match="is damaged"):
        Blobs(storage).open(key).verify()
    assert kept_files(tmp_path) == []


def test_a_blob_cut_short_in_the_bucket_is_refused(bucket, storage):
    key = Blobs(storage).save_raw(os.urandom(500_000))
    bucket.upload(storage_key(key), [bucket.read(storage_key(key), 0, 400_000)])
    with pytest.raises(StoreError, match="bytes long, not 400,000"):
        Blobs(storage).open(key)


def test_another_blob_under_the_key_is_refused(bucket, storage):
    one, other = (Blobs(storage).save_raw(bytes([n]) * 50_000) for n in (1, 2))
    bucket.upload(storage_key(one), [bucket.read(storage_key(other))])
    with pytest.raises(StoreError, match=f"its table is that of {other}"):
        Blobs(storage).open(one)


def test_a_blob_that_is_not_there_is_named(storage):
    with pytest.raises(DataMissing, match="SWELL_DATASTORE"):
        Blobs(storage).open("ab" * 32)


@pytest.mark.parametrize("size", [1_000, 4_000_000])
def test_a_cache_file_cut_short_is_dropped_and_fetched_again(storage, tmp_path, size):
    data = os.urandom(size)
    key = Blobs(storage).save_raw(data)
    assert Blobs(storage).open(key).section(0) == data
    (file,) = kept_files(tmp_path)
    file.chmod(0o600)
    os.truncate(file, file.stat().st_size - 100)
    assert Blobs(storage).open(key).section(0) == data
    (file,) = kept_files(tmp_path)


def test_a_flipped_bit_in_a_small_cache_file_is_noticed(storage, tmp_path):
    data = os.urandom(50_000)
    key = Blobs(storage).save_raw(data)
    Blobs(storage).open(key).section(0)
    (file,) = kept_files(tmp_path)
    spoiled = bytearray(file.read_bytes())
    spoiled[-1] ^= 1
    file.chmod(0o600)
    file.write_bytes(spoiled)
    assert Blobs(storage).open(key).section(0) == data


def test_the_cache_drops_what_was_not_used_for_longest(bucket, tmp_path):
    cache = BlobCache(str(tmp_path / "cache"), 10_000_000)
    storage = CachedStorage(bucket, cache)
    keys = [Blobs(storage).save_raw(os.urandom(2_000_000)) for _ in range(7)]
    for age, key in enumerate(keys):
        Blobs(storage).open(key).section(0)
        os.utime(tmp_path / "cache" / storage_key(key), (1_000_000 + age, 1_000_000 + age))
    assert cache.open(keys[0]) is not None or len(kept_files(tmp_path)) < 7
    cache.sweep()
    left = kept_files(tmp_path)
    assert sum(file.stat().st_size for file in left) <= 10_000_000
    assert keys[6] in {file.name for file in left}
    assert keys[1] not in {file.name for file in left}


def test_a_cache_that_cannot_be_written_is_done_without(bucket, tmp_path):
    (tmp_path / "file").write_text("")
    storage = CachedStorage(bucket, BlobCache(str(tmp_path / "file"), 1_000_000_000))
    data = os.urandom(3_000_000)
    key = Blobs(storage).save_raw(data)
    assert Blobs(storage).open(key).section(0) == data


def test_of_many_that_want_one_large_blob_one_fetches_it(bucket, storage):
    data = os.urandom(3 * CHUNK_BYTES)
    key = Blobs(storage).save_raw(data)
    right: list[bool] = []

    def read() -> None:
        right.append(Blobs(storage).open(key).section(0) == data)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 4
    assert bucket.reads.count("span") == 3


def test_one_item_of_a_large_foreach_is_read_without_the_others(bucket, storage):
    items = [os.urandom(1_000_000) for _ in range(50)]
    stored = store_items(storage, items, 100)
    bucket.reads.clear()
    assert load_item(storage, stored.items.ref(20)) == items[20]
    assert bucket.reads.count("span") <= 3
    asked = len(bucket.reads)
    assert load_item(storage, stored.items.ref(20)) == items[20]
    assert bucket.reads[asked:] == []


def test_an_item_in_a_damaged_chunk_is_refused(bucket, storage):
    items = [os.urandom(1_000_000) for _ in range(50)]
    stored = store_items(storage, items, 100)
    spoil(bucket, stored.items.key or "", 20_500_000)
    with pytest.raises(StoreError, match="is damaged"):
        load_item(storage, stored.items.ref(20))
    assert load_item(storage, stored.items.ref(45)) == items[45]


def test_content_that_is_there_is_not_sent_again(bucket, storage):
    data = os.urandom(200_000)
    key = Blobs(storage).save_raw(data)
    before = bucket.entry(storage_key(key))
    assert Blobs(storage).save_raw(data) == key
    assert bucket.entry(storage_key(key)) == before


@pytest.mark.parametrize("size", [100, 200_000, 40_000_000])
@pytest.mark.parametrize("limit", [0, 1_000_000_000])
def test_files_are_stored_in_the_bucket_and_read_from_it(bucket, tmp_path, size, limit):
    data = os.urandom(size)
    (tmp_path / "model.bin").write_bytes(data)
    storage = CachedStorage(bucket, BlobCache(str(tmp_path / "c"), limit) if limit else None)
    artifacts = Artifacts(storage, home=LocalStorage(tmp_path / "home"))
    ref = artifacts.save({"model": File(tmp_path / "model.bin")})["model"]
    assert ref.store == bucket.url
    found = artifacts.load(ref)
    assert Path(found.path).read_bytes() == data
    assert found.read_range(size - 50, 50) == data[-50:]
    assert not (tmp_path / "home").exists()


def test_files_among_small_foreach_items_are_found_in_the_bucket(s3_url, tmp_path, monkeypatch):
    monkeypatch.setenv("SWELL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "f").write_bytes(b"x" * 100)
    stores = Datastores(str(tmp_path / "home"), s3_url, load_settings(), None)
    store = TaskStore(stores, "flow.py")
    stored = store.store_items([File(tmp_path / "f"), 2], 10, "items")
    item = store.load_item(stored.items.ref(0))
    assert Path(item.path).read_bytes() == b"x" * 100


def test_values_of_many_inputs_are_read_side_by_side(storage):
    artifacts = Artifacts(storage, home=storage)
    refs = [artifacts.save({"x": bytes([n]) * 50_000})["x"] for n in range(40)]
    assert artifacts.load_many(refs) == [bytes([n]) * 50_000 for n in range(40)]
