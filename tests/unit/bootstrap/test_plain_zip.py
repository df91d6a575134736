"""Plain zip files are read without zipfile; whatever is not plain is left to it."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from swell.bootstrap.plain_zip import plain_files, write_files
from swell.bootstrap.sweeping import remove_tree
from swell.package.archive import Member, write_archive
from tests.e2e.bootstrap_stage import zipped


def test_what_is_packed_here_is_written_there(tmp_path: Path) -> None:
    members = [
        Member("flow.py", "", 5, False, b"print"),
        Member("tools/run.sh", "", 4, True, b"#!\n" * 4000),
        Member("tools/deep/größe.txt", "", 0, False, b""),
    ]
    write_archive(str(tmp_path / "code.zip"), members)
    folder = tmp_path / "code"

    files = plain_files((tmp_path / "code.zip").read_bytes())

    assert files is not None
    write_files(files, str(folder))
    for member in members:
        assert (folder / member.name).read_bytes() == member.content
        assert os.access(folder / member.name, os.X_OK) == member.is_executable
    assert sum(len(names) for _, _, names in os.walk(folder)) == len(members)


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../b", "folder/", "a//b", "."])
def test_other_names_are_left_to_zipfile(name: str) -> None:
    assert plain_files(zipped({name: "x"})) is None


def test_links_and_damaged_archives_are_left_to_zipfile() -> None:
    data = zipped({"one": "x" * 1000})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("one", "x")
        archive.comment = b""

    assert plain_files(zipped({"link": "one"}, {"link": 0o120777})) is None
    assert plain_files(buffer.getvalue()) is None
    assert plain_files(data[:-1]) is None
    assert plain_files(data[10:]) is None
    assert plain_files(b"") is None
    assert plain_files(data) is not None


def test_a_folder_is_removed_with_its_links_and_not_what_they_lead_to(tmp_path: Path) -> None:
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    (kept / "inner").mkdir(parents=True)
    (kept / "inner" / "file").write_text("x")
    (gone / "deep" / "deeper").mkdir(parents=True)
    (gone / "deep" / "file").write_text("x")
    (gone / "deep" / "link").symlink_to(kept / "inner")
    (gone / "broken").symlink_to("nowhere")

    remove_tree(str(gone))

    assert not gone.exists()
    assert (kept / "inner" / "file").exists()
