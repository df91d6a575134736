"""What a step changed in place is noticed, without hashing memory that nobody wrote to."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from swell.datastore.artifacts import LOOK_FROM_BYTES, Artifacts
from swell.datastore.local import LocalStorage
from swell.datastore.mappings import address_of, read_untouched
from swell.seams.storage import Mapped
from swell.testing.memory_storage import MemoryStorage

SMAPS = b"""\
7f0000000000-7f0000200000 rw-p 00001000 fd:00 131 /store/blobs/ab/abcd
Size:               2048 kB
Anonymous:             0 kB
AnonHugePages:         0 kB
Swap:                  0 kB
SwapPss:               0 kB
VmFlags: rd wr mr mw me nr sd
7f0000200000-7f0000300000 rw-p 00000000 00:00 0
Anonymous:          1024 kB
Swap:                  0 kB
VmFlags: rd wr
"""
HEAD = b"7f0000000000-7f0000200000 rw-p 00000000 fd:00 131 /store/blobs/ab/abcd"


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(LocalStorage(tmp_path))


def large(seed: int = 0) -> numpy.ndarray:
    return numpy.random.default_rng(seed).random(LOOK_FROM_BYTES // 8)


def test_a_mapping_without_own_pages_is_untouched():
    expected = [Mapped(0x7F0000000000, 0x7F0000200000, 0x1000)]
    assert read_untouched(SMAPS, 131, "abcd") == expected
    deleted = SMAPS.replace(b"/abcd\n", b"/abcd (deleted)\n")
    assert read_untouched(deleted, 131, "abcd") == expected


@pytest.mark.parametrize(
    "text",
    [
        SMAPS.replace(b"Anonymous:             0 kB", b"Anonymous:             4 kB"),
        SMAPS.replace(b"Swap:                  0 kB", b"Swap:                  8 kB"),
        SMAPS.replace(b"Swap: ", b"Swop: "),
        SMAPS.replace(b" 131 ", b" 132 "),
        SMAPS.replace(b"/abcd\n", b"/abcd.old\n"),
        SMAPS.replace(b"/abcd\n", b"/abcd/x\n"),
        HEAD,
        b"",
    ],
    ids=["written", "swapped", "no count", "inode", "longer name", "folder", "cut", "empty"],
)
def test_a_mapping_that_was_written_to_or_is_not_told_of_is_not_untouched(text):
    assert read_untouched(text, 131, "abcd") == []


def test_the_store_tells_what_was_written_to(tmp_path):
    storage = LocalStorage(tmp_path)
    storage.write("blobs/ab/abcd", [bytes(4 << 20)])
    view = storage.read("blobs/ab/abcd", 4096)
    (mapped,) = storage.untouched("blobs/ab/abcd")
    assert mapped.offset + address_of(view) - mapped.start == 4096
    assert sum(view) == 0
    assert storage.untouched("blobs/ab/abcd") == [mapped]
    view[1_000_000] = 1
    assert storage.untouched("blobs/ab/abcd") == []
    assert storage.untouched("blobs/ab/missing") == ()


def test_reading_does_not_change_an_artifact_and_writing_does(artifacts):
    ref = artifacts.save({"x": large()})["x"]
    loaded = artifacts.load(ref)
    assert loaded.sum() > 0
    assert not artifacts.changed(ref, loaded)
    before = loaded[1_000_000]
    loaded[1_000_000] = -1
    assert artifacts.changed(ref, loaded)
    loaded[1_000_000] = before
    assert not artifacts.changed(ref, loaded)


@pytest.mark.parametrize("storage", ["local", "memory"])
def test_an_array_that_took_the_place_of_another_is_noticed(tmp_path, storage):
    artifacts = Artifacts(LocalStorage(tmp_path) if storage == "local" else MemoryStorage())
    ref = artifacts.save({"x": {"a": large(1), "b": large(2)}})["x"]
    loaded = artifacts.load(ref)
    assert not artifacts.changed(ref, loaded)
    loaded["a"] = loaded["a"].copy()
    assert not artifacts.changed(ref, loaded)
    loaded["a"], loaded["b"] = loaded["b"], loaded["a"]
    assert artifacts.changed(ref, loaded)
    loaded = artifacts.load(ref)
    loaded["b"] = large(3)
    assert artifacts.changed(ref, loaded)


def test_what_is_beside_an_untouched_array_is_looked_at(artifacts):
    ref = artifacts.save({"x": [large(), {"rows": 1}]})["x"]
    loaded = artifacts.load(ref)
    assert not artifacts.changed(ref, loaded)
    loaded[1]["rows"] = 2
    assert artifacts.changed(ref, loaded)


def test_a_change_in_what_was_stored_compressed_is_noticed(artifacts):
    ref = artifacts.save({"x": numpy.zeros(LOOK_FROM_BYTES)})["x"]
    loaded = artifacts.load(ref)
    assert not artifacts.changed(ref, loaded)
    loaded[-1] = 1
    assert artifacts.changed(ref, loaded)


def test_writing_never_reaches_the_store(artifacts):
    ref = artifacts.save({"x": large()})["x"]
    artifacts.load(ref)[:] = 0
    assert numpy.array_equal(artifacts.load(ref), large())
