"""With SWELL_VERIFY=1 what is on the disk is hashed before a process first uses it."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from swell.datastore.artifacts import Artifacts
from swell.datastore.blob_format import CHUNK_BYTES, storage_key
from swell.datastore.blobs import Blobs
from swell.datastore.cache import BlobCache
from swell.datastore.checked import CheckedStorage
from swell.datastore.files import File
from swell.datastore.local import LocalStorage
from swell.errors import DataDamaged


def spoil(root: Path, key: str, at: int) -> None:
    """Flip one bit of a stored Blob."""
    path = root / storage_key(key)
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.seek(at, 2 if at < 0 else 0)
        old = file.read(1)
        file.seek(at, 2 if at < 0 else 0)
        file.write(bytes([old[0] ^ 1]))


@pytest.mark.parametrize("content", ["noise", "zeros"])
def test_a_damaged_array_is_refused_at_its_first_load_only_where_asked_for(tmp_path, content):
    value = numpy.zeros(3_000_000) if content == "zeros" else numpy.random.default_rng(1).random(
        3_000_000
    )  # fmt: skip
    ref = Artifacts(LocalStorage(tmp_path)).save({"x": value})["x"]
    good = Artifacts(CheckedStorage(tmp_path)).load(ref)
    assert (good == value).all()
    spoil(tmp_path, ref.key or "", -100)
    with pytest.raises(DataDamaged, match=str(ref.key)):
        Artifacts(CheckedStorage(tmp_path)).load(ref)
    if content == "noise":
        assert not (Artifacts(LocalStorage(tmp_path)).load(ref) == value).all()


def test_only_the_chunks_that_are_read_are_hashed(tmp_path):
    data = numpy.random.default_rng(1).bytes(2 * CHUNK_BYTES)
    key = Blobs(LocalStorage(tmp_path)).save_raw(data)
    spoil(tmp_path, key, -5)
    blob = Blobs(CheckedStorage(tmp_path)).open(key)
    assert blob.read(0, 100, 50) == data[100:150]
    with pytest.raises(DataDamaged, match="chunk 1 of section 0"):
        blob.read(0, CHUNK_BYTES - 10, 20)
    with pytest.raises(DataDamaged):
        blob.section(0)


def test_a_file_is_hashed_before_it_is_copied_out(tmp_path):
    (tmp_path / "file").write_bytes(b"plain" * 100_000)
    blobs = Blobs(LocalStorage(tmp_path / "store"))
    stored = File(tmp_path / "file")._kept_in(blobs)
    spoil(tmp_path / "store", stored.key, -5)
    with pytest.raises(DataDamaged):
        _ = File._stored_as(stored, Blobs(CheckedStorage(tmp_path / "store"))).path


def test_a_large_damaged_file_of_the_cache_is_dropped(tmp_path):
    data = numpy.random.default_rng(1).bytes(5_000_000)
    cache = BlobCache(str(tmp_path), 10**9, verifies=True)
    key = Blobs(LocalStorage(tmp_path)).save_raw(data)
    assert cache.open(key) is not None
    spoil(tmp_path, key, -5)
    assert BlobCache(str(tmp_path), 10**9).open(key) is not None
    assert BlobCache(str(tmp_path), 10**9, verifies=True).open(key) is None
