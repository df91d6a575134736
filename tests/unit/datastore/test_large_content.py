"""Large content: hashed and packed beside writing, never in memory twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from blake3 import blake3

from swell.datastore import chunk_work
from swell.datastore.blob_format import CHUNK_BYTES, RAW, ZSTD, storage_key
from swell.datastore.blob_writer import THREADS_FROM_BYTES, serialized_key
from swell.datastore.blobs import Blobs
from swell.datastore.local import LocalStorage
from swell.datastore.serializers import Serialized, serialize
from swell.errors import StoreError
from swell.testing.memory_storage import MemoryStorage

SIZE = THREADS_FROM_BYTES + 2 * CHUNK_BYTES + 12_345


@pytest.fixture(scope="module")
def random_bytes():
    """What cannot be packed; made for this file's tests alone, as it is large."""
    return numpy.random.default_rng(0).integers(0, 256, SIZE, "u1")


@pytest.fixture(scope="module")
def repeating():
    """What can be packed."""
    return numpy.tile(numpy.arange(500, dtype="u2"), SIZE // 1000)


def serialized(*buffers: memoryview) -> Serialized:
    return Serialized((b"stream",), buffers, 6 + sum(map(len, buffers)))


def test_a_whole_chunk_of_zeros_is_known_by_its_hash():
    assert blake3(bytes(CHUNK_BYTES)).digest() == chunk_work.ZEROS


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_content_has_one_key_however_many_threads_hash_it(
    tmp_path, monkeypatch, cores, random_bytes, repeating
):
    monkeypatch.setattr(chunk_work, "cores", lambda: cores)
    value = serialized(
        memoryview(random_bytes), memoryview(b"x" * 100), memoryview(repeating.view("u1"))
    )
    blobs = Blobs(LocalStorage(tmp_path))
    key = blobs.save(value)
    assert key == serialized_key(value) == Blobs(MemoryStorage()).save(value)
    blob = blobs.open(key)
    assert [section.codec for section in blob.table.sections] == [RAW, RAW, RAW, ZSTD]
    stream, random, small, lines = blob.sections()
    assert (bytes(stream), bytes(small)) == (b"stream", b"x" * 100)
    assert numpy.array_equal(numpy.frombuffer(random, "u1"), random_bytes)
    assert numpy.array_equal(numpy.frombuffer(lines, "u2"), repeating)
    blob.verify()


@pytest.mark.parametrize(
    ("make", "share"),
    [
        (lambda: numpy.zeros(SIZE, "u1"), 0.01),
        (lambda: numpy.tile(numpy.arange(1000.0), SIZE // 8000), 0.02),
    ],
    ids=["zeros", "pattern"],
)
def test_what_repeats_takes_little_room_and_comes_back(tmp_path, make, share):
    array = make()
    storage = LocalStorage(tmp_path)
    blobs = Blobs(storage)
    blob = blobs.open(blobs.save(serialize(array)))
    assert sum(entry.size for entry in storage.list("blobs/")) < share * array.nbytes
    assert numpy.array_equal(numpy.frombuffer(blob.section(1), array.dtype), array)
    start = 3 * CHUNK_BYTES - 10
    assert bytes(blob.read(1, start, 20)) == array.view("u1")[start : start + 20].tobytes()
    assert b"".join(blob.pieces(1)) == array.tobytes()


def test_an_array_in_slices_has_the_key_of_its_copy(tmp_path, random_bytes):
    array = random_bytes[: SIZE // 1000 * 1000].reshape(-1, 1000)[:, ::2]
    copy = numpy.ascontiguousarray(array)
    blobs = Blobs(LocalStorage(tmp_path))
    blob = blobs.open(blobs.save(serialize(array)))
    assert blob.section(1) == copy.reshape(-1).data
    hashes = [chunk.hash for chunk in blob.table.sections[1].chunks]
    whole = blobs.open(blobs.save(serialize(copy)))
    assert hashes == [chunk.hash for chunk in whole.table.sections[1].chunks]


def test_damage_in_a_packed_chunk_is_told(tmp_path, repeating):
    storage = LocalStorage(tmp_path)
    blobs = Blobs(storage)
    key = blobs.save(serialize(repeating))
    path = tmp_path / storage_key(key)
    offset = blobs.open(key).table.sections[1].offset
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 64)
    with pytest.raises(StoreError, match="damaged"):
        blobs.open(key).sections()


class _Full:
    """A storage whose disk is full after some chunks."""

    def __init__(self, storage: LocalStorage) -> None:
        self._storage = storage
        self.url = storage.url

    def draft(self):
        draft = self._storage.draft()
        written = 0
        write = draft.write

        def failing(buffers):
            nonlocal written
            written += sum(map(len, buffers))
            if written > 3 * CHUNK_BYTES:
                raise StoreError("The disk is full.")
            write(buffers)

        draft.write = failing
        return draft


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(tmp_path, random_bytes):
    storage = LocalStorage(tmp_path)
    with pytest.raises(StoreError, match="full"):
        Blobs(_Full(storage)).save(serialize(random_bytes))
    assert list(storage.list("blobs/")) == []
    assert os.listdir(tmp_path / ".drafts") == []


SAVE = """
import sys, numpy
from swell.datastore.artifacts import Artifacts
from swell.datastore.local import LocalStorage

def peak_mb():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024

artifacts = Artifacts(LocalStorage(sys.argv[1]))
kind = sys.argv[2]
data = numpy.random.default_rng(0).random(MB * 125_000)
if kind == "strided":
    data = data.reshape(-1, 1000)[:, ::2]
elif kind == "fortran":
    data = data.reshape(-1, 1000).T[::2]
elif kind == "dates":
    data = data.view("M8[s]")
elif kind == "bytes":
    data = [data.tobytes(), 1]
elif kind == "file":
    from swell import File
    data.tofile(sys.argv[1] + ".bin")
    data = File(sys.argv[1] + ".bin")
before = peak_mb()
ref = artifacts.save({"x": data})["x"]
print(peak_mb() - before)
before = peak_mb()
loaded = artifacts.load(ref)
print(peak_mb() - before)
"""
MB = 200


@pytest.mark.parametrize("kind", ["plain", "strided", "fortran", "dates", "bytes", "file"])
def test_saving_takes_no_second_copy_and_loading_none_where_it_maps(tmp_path: Path, kind):
    command = [sys.executable, "-c", SAVE.replace("MB", str(MB)), str(tmp_path / "store"), kind]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    saving, loading = map(float, ended.stdout.split())
    # A few chunks that are on their way, and the modules that saving loads.
    assert saving < MB / 3
    assert loading < MB / 8 or kind == "bytes"
