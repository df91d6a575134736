"""File and Folder: stored by content, read in parts or by path; bad input in one sentence."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell import File, Folder
from swell.datastore.artifacts import Artifacts
from swell.datastore.blobs import Blobs
from swell.datastore.file_content import OpenFile
from swell.datastore.items import load_item, store_items
from swell.datastore.local import LocalStorage
from swell.errors import StoreError
from swell.testing.memory_storage import MemoryStorage

CONTENT = os.urandom(3_000_000)
TEXT = b"the same line again and again\n" * 2_000_000


@pytest.fixture(params=["local", "memory"])
def storage(request, tmp_path: Path) -> LocalStorage | MemoryStorage:
    return LocalStorage(tmp_path / "store") if request.param == "local" else MemoryStorage()


@pytest.fixture
def artifacts(storage) -> Artifacts:
    return Artifacts(storage)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    (folder / "plots").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a.txt").write_text("a")
    (folder / "plots" / "b.bin").write_bytes(CONTENT)
    (folder / "plots" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "plots" / "run.sh").chmod(0o750)
    (folder / "link.txt").symlink_to("a.txt")
    return folder


def roundtrip(artifacts: Artifacts, value: object) -> object:
    ref = artifacts.save({"x": value})["x"]
    loaded = artifacts.load(ref)
    assert not artifacts.changed(ref, loaded)
    return loaded


def test_a_file_comes_back_by_path_by_range_and_as_an_open_file(artifacts, model):
    file = roundtrip(artifacts, File(model))
    model.write_bytes(b"something else")
    assert isinstance(file, File)
    assert (file.name, file.size) == ("model.bin", len(CONTENT))
    assert file.read_range(1000, 5) == CONTENT[1000:1005]
    assert file.read_range(len(CONTENT) - 3, 100) == CONTENT[-3:]
    assert file.read_range(len(CONTENT) + 5, 100) == b""
    with file.open() as opened:
        assert opened.read(10) == CONTENT[:10]
        opened.seek(-10, os.SEEK_END)
        assert opened.read() == CONTENT[-10:]
        assert opened.seek(5) == opened.tell() == 5
    with open(file, "rb") as opened:
        assert opened.read() == CONTENT
    assert os.path.basename(file.path) == "model.bin"
    assert stat.S_IMODE(os.stat(file.path).st_mode) & 0o222 == 0
    assert file.path == file.path


def test_a_file_is_what_it_was_before_it_is_stored(model):
    file = File(model)
    assert (file.name, file.size, file.path) == ("model.bin", len(CONTENT), str(model))
    assert file.read_range(5, 5) == CONTENT[5:10]
    with file.open() as opened:
        assert opened.read() == CONTENT


def test_equal_files_are_stored_once_and_their_key_is_that_of_their_bytes(
    artifacts, storage, model
):
    copy = model.with_name("copy.bin")
    copy.write_bytes(CONTENT)
    refs = artifacts.save({"one": File(model), "other": [File(copy), "beside"]})
    assert refs["one"].files == refs["other"].files == (artifacts.save_raw(CONTENT),)
    assert len(list(storage.list("blobs/"))) == 1
    assert refs["one"].type == "swell.File"
    assert refs["one"].preview == "File('model.bin', 3,000,000 bytes)"


def test_a_file_that_packs_well_is_packed_and_read_in_parts(artifacts, storage, tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(TEXT)
    file = roundtrip(artifacts, File(path))
    assert sum(entry.size for entry in storage.list("blobs/")) < len(TEXT) / 50
    assert file.read_range(20_000_000, 40) == TEXT[20_000_000:20_000_040]
    assert Path(file.path).read_bytes() == TEXT


def test_an_empty_file_comes_back(artifacts, tmp_path):
    (tmp_path / "empty").touch()
    file = roundtrip(artifacts, File(tmp_path / "empty"))
    assert (file.size, file.read_range(0, 10)) == (0, b"")
    assert Path(file.path).read_bytes() == b""


def test_a_moved_file_is_gone_from_its_place_and_in_the_store(artifacts, model):
    file = File(model, move=True)
    loaded = roundtrip(artifacts, file)
    assert not model.exists()
    assert loaded.read_range(0, 9) == CONTENT[:9]
    assert Path(file.path).read_bytes() == CONTENT


def test_writing_to_a_file_after_it_was_stored_does_not_change_the_store(artifacts, model):
    file = roundtrip(artifacts, File(model))
    with open(model, "r+b") as opened:
        opened.write(b"XXXX")
    assert file.read_range(0, 4) == CONTENT[:4]
    assert os.stat(model).st_nlink == 1


def test_a_stored_file_is_handed_on_by_reference(artifacts, storage, model):
    file = roundtrip(artifacts, File(model))
    before = list(storage.list("blobs/"))
    ref = artifacts.save({"again": {"best": file}})["again"]
    assert artifacts.load(ref)["best"].read_range(0, 4) == CONTENT[:4]
    assert list(storage.list("blobs/")) == before


def test_a_stored_file_is_copied_to_another_store(artifacts, model, out, tmp_path):
    other = Artifacts(LocalStorage(tmp_path / "other"))
    value = roundtrip(artifacts, [File(model), Folder(out)])
    file, folder = roundtrip(other, value)
    assert file.read_range(0, 4) == CONTENT[:4]
    assert len(list(LocalStorage(tmp_path / "other").list("blobs/"))) == 3
    assert folder["a.txt"].read_range(0, 1) == b"a"


def test_files_can_be_the_items_of_a_foreach(storage, model):
    stored = store_items(storage, [File(model), File(model)], 10)
    assert len(set(stored.items.files)) == 1
    assert load_item(storage, stored.items.ref(1)).read_range(0, 4) == CONTENT[:4]


def test_a_folder_comes_back_with_all_that_is_in_it(artifacts, out):
    folder = roundtrip(artifacts, Folder(out))
    assert isinstance(folder, Folder)
    names = ["a.txt", "link.txt", "plots/b.bin", "plots/run.sh"]
    assert [file.name for file in folder] == names
    assert [file.name for file in Folder(out)] == names
    assert (len(folder), folder.size) == (4, 2 + len(CONTENT) + 10)
    assert folder["plots/b.bin"].read_range(7, 3) == CONTENT[7:10]
    copy = Path(folder.path)
    assert copy.name == "out"
    assert sorted(str(p.relative_to(copy)) for p in copy.rglob("*")) == sorted(
        [*names, "plots", "empty"]
    )
    assert (copy / "plots" / "b.bin").read_bytes() == CONTENT
    assert os.access(copy / "plots" / "run.sh", os.X_OK)
    with pytest.raises(KeyError, match=r"no file 'z\.txt'"):
        folder["z.txt"]


def test_an_empty_folder_comes_back(artifacts, tmp_path):
    (tmp_path / "empty").mkdir()
    folder = roundtrip(artifacts, Folder(tmp_path / "empty"))
    assert list(folder) == []
    assert os.listdir(folder.path) == []


def test_of_a_folder_only_what_changed_is_stored_again(artifacts, storage, out):
    first = artifacts.save({"x": Folder(out)})["x"]
    (out / "a.txt").write_text("changed")
    second = artifacts.save({"x": Folder(out)})["x"]
    assert len(set(first.files) & set(second.files)) == 2
    assert len(list(storage.list("blobs/"))) == len({*first.files, *second.files}) == 4


def bad_inputs(tmp_path: Path) -> Iterator[tuple[object, str]]:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "to").symlink_to(tmp_path / "folder")
    yield File(tmp_path / "missing"), "is not there"
    yield File(tmp_path / "folder"), "is a folder, and File stores a file"
    yield File(tmp_path / "dangling"), "is a link to what is not there"
    yield Folder(tmp_path / "missing"), "is not there"
    yield Folder(tmp_path / "file"), "is a file, and Folder stores a folder"
    yield Folder(tmp_path / "links"), "is a link to a folder"


def test_what_cannot_be_stored_is_told_in_one_sentence_with_a_remedy(artifacts, storage, tmp_path):
    for value, message in bad_inputs(tmp_path):
        with pytest.raises(StoreError, match=message) as caught:
            artifacts.save({"x": {"model": value}})
        assert caught.value.message.count(". ") == 0
        assert caught.value.remedy
    assert list(storage.list("blobs/")) == []


def test_a_socket_is_no_file(artifacts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with pytest.raises(StoreError, match="no regular file"):
        artifacts.save({"x": File("pipe")})
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
        with pytest.raises(StoreError, match="socket"):
            artifacts.save({"x": File("socket")})


def test_a_file_that_changes_while_it_is_stored_is_refused(model):
    with OpenFile(str(model)) as opened:
        pieces = opened.pieces()
        next(pieces)
        with open(model, "ab") as other:
            other.write(b"more")
        with pytest.raises(StoreError, match="changed while it was stored"):
            list(pieces)


def test_a_range_before_the_beginning_is_refused(model):
    with pytest.raises(ValueError, match="neither may be negative"):
        File(model).read_range(-1, 5)


def test_copies_of_dead_processes_are_cleaned_with_their_drafts(tmp_path, model):
    storage = LocalStorage(tmp_path / "store")
    file = roundtrip(Artifacts(storage), File(model))
    path = Path(file.path)
    assert tmp_path / "store" in path.parents
    assert storage.delete_drafts(before=2**40) == 0
    copy = path.parent
    copy.rename(copy.with_name(f"{2**22 + 1}-copy"))
    assert storage.delete_drafts(before=0) == 0
    assert storage.delete_drafts(before=2**40) == 1
    assert list(copy.parent.iterdir()) == []


def test_a_shared_file_is_hashed_as_it_is_in_the_store(tmp_path, model):
    storage = LocalStorage(tmp_path / "store")
    draft = storage.draft()

    class Sharing(type(draft)):
        """As on a file system that can share: what is cloned is there at once."""

        def clone(self, fd: int, size: int, offset: int) -> bool:
            os.pwrite(self._fd, os.pread(fd, size, 0), offset)
            os.lseek(self._fd, 0, os.SEEK_END)
            return True

    class SharingStorage(LocalStorage):
        def draft(self):
            made = super().draft()
            made.__class__ = Sharing
            return made

    draft.__exit__(None, None, None)
    large = tmp_path / "large.bin"
    large.write_bytes(CONTENT * 7)
    sharing = Blobs(SharingStorage(tmp_path / "store"))
    with OpenFile(str(large)) as opened:
        key = sharing.save_file(opened)
    assert key == Blobs(MemoryStorage()).save_raw(CONTENT * 7)
    blob = sharing.open(key)
    blob.verify()
    assert blob.section(0) == CONTENT * 7
