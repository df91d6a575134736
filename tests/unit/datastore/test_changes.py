"""What a step changed in place is noticed, without hashing memory that nobody wrote to."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy
import pytest

from swell.datastore.artifacts import LOOK_FROM_BYTES, Artifacts
from swell.datastore.local import LocalStorage
from swell.datastore.mappings import (
    address_of,
    entries_show_written,
    read_mapped,
    scan_finds_written,
)
from swell.seams.storage import Mapped
from swell.testing.memory_storage import MemoryStorage

MAPS = b"""\
7f0000000000-7f0000200000 rw-p 00001000 fd:00 131 /store/blobs/ab/abcd
7f0000200000-7f0000300000 rw-p 00000000 00:00 0
"""


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(LocalStorage(tmp_path))


def large(seed: int = 0) -> numpy.ndarray:
    return numpy.random.default_rng(seed).random(LOOK_FROM_BYTES // 8)


def test_mappings_are_found_by_inode_and_name():
    expected = [Mapped(0x7F0000000000, 0x7F0000200000, 0x1000)]
    assert read_mapped(MAPS, 131, "abcd") == expected
    assert read_mapped(MAPS.replace(b"/abcd\n", b"/abcd (deleted)\n"), 131, "abcd") == expected
    assert read_mapped(MAPS.splitlines()[0], 131, "abcd") == expected


@pytest.mark.parametrize(
    "text",
    [
        MAPS.replace(b" 131 ", b" 132 "),
        MAPS.replace(b"/abcd\n", b"/abcd.old\n"),
        MAPS.replace(b"/abcd\n", b"/abcd/x\n"),
        b"",
    ],
    ids=["inode", "longer name", "folder", "empty"],
)
def test_mappings_of_other_files_are_not_taken_for_it(text):
    assert read_mapped(text, 131, "abcd") == []


@pytest.mark.parametrize("ask", [scan_finds_written, entries_show_written])
def test_a_page_that_was_written_to_is_found_and_one_that_was_read_is_not(tmp_path, ask):
    path = tmp_path / "abcd"
    path.write_bytes(bytes(8 << 20))
    with open(path, "rb") as file, open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
        view = memoryview(mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE))
        with open("/proc/self/maps", "rb") as maps:
            (mapped,) = read_mapped(maps.read(), path.stat().st_ino, "abcd")
        try:
            ask(pagemap.fileno(), mapped)
        except OSError as error:
            pytest.skip(f"this kernel cannot be asked so: {error}")
        assert not ask(pagemap.fileno(), mapped)
        assert sum(view[::4096]) == 0
        assert not ask(pagemap.fileno(), mapped)
        view[-1] = 1
        assert ask(pagemap.fileno(), mapped)


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
