"""Blobs: one format, proven by its key; damage is found and named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from swell.datastore.blob_format import CHUNK_BYTES, PAGE_BYTES, RAW, ZSTD, storage_key
from swell.datastore.blob_writer import serialized_key
from swell.datastore.blobs import Blobs
from swell.datastore.local import LocalStorage
from swell.datastore.serializers import Serialized
from swell.errors import DataMissing, StoreError
from swell.testing.memory_storage import MemoryStorage


def serialized(stream: bytes, *buffers: bytes) -> Serialized:
    views = tuple(map(memoryview, buffers))
    return Serialized((stream,), views, len(stream) + sum(map(len, buffers)))


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def blobs(storage) -> Blobs:
    return Blobs(storage)


@given(stream=st.binary(max_size=300), buffers=st.lists(st.binary(max_size=9000), max_size=4))
def test_stream_and_buffers_come_back_under_a_key_known_before(stream, buffers):
    blobs = Blobs(MemoryStorage())
    value = serialized(stream, *buffers)
    key = blobs.save(value)
    assert key == serialized_key(value)
    blob = blobs.open(key)
    assert [bytes(section) for section in blob.sections()] == [stream, *buffers]
    assert blob.table.size == value.size
    assert blob.table.encoding == "pickle"
    blob.verify()


def test_the_key_of_plain_bytes_is_their_blake3(blobs):
    assert blobs.save_raw(b"hello") == blake3(b"hello").hexdigest()


def test_large_content_is_cut_into_chunks_and_streamed_into_a_file(tmp_path):
    storage = LocalStorage(tmp_path)
    blobs = Blobs(storage)
    data = os.urandom(CHUNK_BYTES + 12_345)
    value = serialized(b"stream", data)
    key = blobs.save(value)
    blob = blobs.open(key)
    assert key == serialized_key(value)
    assert [len(section.chunks) for section in blob.table.sections] == [1, 2]
    assert blob.table.sections[1].offset % PAGE_BYTES == 0
    assert blob.section(1) == data
    assert blob.read(1, CHUNK_BYTES - 5, 10) == data[CHUNK_BYTES - 5 : CHUNK_BYTES + 5]
    blob.verify()
    assert Blobs(MemoryStorage()).save(value) == key


def test_a_blob_of_unknown_sizes_has_the_key_of_one_of_known_sizes(tmp_path):
    for storage in (LocalStorage(tmp_path), MemoryStorage()):
        blobs = Blobs(storage)
        with blobs.writer("pickle") as writer:
            writer.begin()
            writer.append([b"str", b"eam"])
            writer.begin()
            for _ in range(10):
                writer.append([b"x" * 1000])
            key = writer.finish()
        assert key == serialized_key(serialized(b"stream", b"x" * 10_000))
        assert bytes(blobs.open(key).section(1)) == b"x" * 10_000


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    storage = LocalStorage(tmp_path)

    def fail() -> None:
        with Blobs(storage).writer("pickle") as writer:
            writer.begin()
            writer.append([b"x"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(storage.list("")) == []


def test_the_local_store_compresses_only_what_shrinks_eightfold(tmp_path):
    storage = LocalStorage(tmp_path)
    blobs = Blobs(storage)
    zeros, noise = bytes(20_000_000), os.urandom(2_000_000)
    twofold = bytes(b & 15 for b in noise)
    key = blobs.save(serialized(b"s", zeros, noise, twofold))
    blob = blobs.open(key)
    assert [section.codec for section in blob.table.sections] == [RAW, ZSTD, RAW, RAW]
    assert [bytes(section) for section in blob.sections()[1:]] == [zeros, noise, twofold]
    assert blob.table.file_size < 4_100_000
    blob.verify()


def test_other_stores_compress_what_shrinks_by_half(storage, blobs):
    twofold = bytes(b & 3 for b in os.urandom(500_000))
    blob = blobs.open(blobs.save(serialized(b"s", twofold)))
    assert blob.table.sections[1].codec == ZSTD
    assert bytes(blob.section(1)) == twofold


def test_the_same_content_has_one_key_compressed_or_not(tmp_path):
    twofold = serialized(b"s", bytes(b & 3 for b in os.urandom(500_000)))
    assert Blobs(LocalStorage(tmp_path)).save(twofold) == Blobs(MemoryStorage()).save(twofold)


def test_a_missing_blob_is_named(blobs):
    with pytest.raises(DataMissing, match="f" * 64):
        blobs.open("f" * 64)


def test_a_blob_cut_anywhere_is_damaged_and_named(storage, blobs):
    key = blobs.save(serialized(b"stream", b"x" * 5000))
    whole = bytes(storage.read(storage_key(key)))
    for size in [*range(0, 300, 7), 4096, 5000, len(whole) - 1]:
        storage.damage(storage_key(key), whole[:size])
        with pytest.raises(StoreError, match=key):
            blobs.open(key)
    storage.damage(storage_key(key), whole + b"x")
    with pytest.raises(StoreError, match=key):
        blobs.open(key)


def test_a_flipped_bit_in_the_head_is_found_when_it_is_opened(storage, blobs):
    key = blobs.save(serialized(b"stream", b"x" * 5000))
    whole = bytes(storage.read(storage_key(key)))
    head = blobs.open(key).table.sections[0].offset
    for at in range(0, head - 63, 5):
        broken = bytearray(whole)
        broken[at] ^= 4
        storage.damage(storage_key(key), bytes(broken))
        with pytest.raises(StoreError):
            blobs.open(key)


def test_a_flipped_bit_in_the_content_is_found_by_verify(storage, blobs):
    key = blobs.save(serialized(b"stream", os.urandom(5000)))
    broken = bytearray(storage.read(storage_key(key)))
    broken[-100] ^= 1
    storage.damage(storage_key(key), bytes(broken))
    with pytest.raises(StoreError, match=f"{key}.*chunk 0 of section 1"):
        blobs.open(key).verify()


def test_a_blob_under_the_key_of_another_is_refused(storage, blobs):
    one, other = blobs.save_raw(b"one"), blobs.save_raw(b"two")
    storage.damage(storage_key(one), bytes(storage.read(storage_key(other))))
    with pytest.raises(StoreError, match=one):
        blobs.open(one)


def test_a_newer_format_is_told_apart_from_damage(storage, blobs):
    key = blobs.save_raw(b"one")
    newer = bytearray(storage.read(storage_key(key)))
    newer[8] = 2
    storage.damage(storage_key(key), bytes(newer))
    with pytest.raises(StoreError, match="format 2") as caught:
        blobs.open(key)
    assert "Update" in caught.value.remedy


def test_a_blob_that_a_power_cut_emptied_is_written_again(tmp_path):
    storage = LocalStorage(tmp_path)
    blobs = Blobs(storage)
    key = blobs.save_raw(b"precious" * 1000)
    path = Path(tmp_path, storage_key(key))
    path.chmod(0o600)
    path.write_bytes(b"")
    assert blobs.save_raw(b"precious" * 1000) == key
    assert bytes(blobs.open(key).section(0)) == b"precious" * 1000


def test_many_processes_that_save_the_same_value_leave_one_whole_blob(tmp_path):
    value = serialized(b"stream", os.urandom(CHUNK_BYTES + 1))
    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            Blobs(LocalStorage(tmp_path)).save(value)
            os._exit(0)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
    storage = LocalStorage(tmp_path)
    (entry,) = storage.list("")
    assert entry.key == storage_key(serialized_key(value))
    Blobs(storage).open(serialized_key(value)).verify()
    assert os.listdir(tmp_path / ".drafts") == []
