"""Packages are unpacked with permissions and links, and never out of their folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from swell.bootstrap.folders import cache_folder
from swell.bootstrap.manifest import Package
from swell.bootstrap.packages import unpack, unpacked
from swell.bootstrap.place import Refused
from tests.e2e.bootstrap_stage import zipped

LINK = 0o120777


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "unpacked"


def unpack_files(folder: Path, files: dict[str, str], modes: dict[str, int]) -> None:
    archive = folder.parent / "archive.zip"
    archive.write_bytes(zipped(files, modes))
    unpack(str(archive), str(folder))


def test_programs_stay_executable_and_links_stay_links(folder: Path) -> None:
    files = {"bin/tool": "#!/bin/sh\n", "plain": "text", "bin/link": "../plain"}

    unpack_files(folder, files, {"bin/tool": 0o100755, "bin/link": LINK})

    assert os.access(folder / "bin/tool", os.X_OK)
    assert not os.access(folder / "plain", os.X_OK)
    assert (folder / "bin/link").is_symlink()
    assert (folder / "bin/link").read_text() == "text"


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/passwd"])
def test_a_link_that_leads_out_of_its_package_is_refused(folder: Path, target: str) -> None:
    with pytest.raises(Refused, match="leads out of its package"):
        unpack_files(folder, {"a/link": target}, {"a/link": LINK})


def test_a_name_that_leads_out_of_the_folder_does_not(folder: Path) -> None:
    unpack_files(folder, {"../outside": "x"}, {})

    assert not (folder.parent / "outside").exists()
    assert (folder / "outside").exists()


def test_what_is_no_zip_file_is_told(folder: Path) -> None:
    archive = folder.parent / "archive.zip"
    archive.write_bytes(b"something else")

    with pytest.raises(Refused, match=r"archive\.zip is no zip file"):
        unpack(str(archive), str(folder))


def test_a_layer_that_another_attempt_unpacked_meanwhile_is_taken_as_it_is(tmp_path: Path) -> None:
    data = zipped({"one.py": "x"}, {})
    package = Package("layers/a.zip", hashlib.sha256(data).hexdigest(), len(data))

    class Racing:
        """While this attempt fetches, another one unpacks and takes the zip file away."""

        def read(self, key: str, sink: Callable[[bytes], None], limit_s: float) -> None:
            sink(data)
            (tmp_path / package.sha256).mkdir()
            next(tmp_path.glob("*.zip.*")).unlink()

    assert unpacked(Racing(), package, str(tmp_path)) == str(tmp_path / package.sha256)


def test_the_default_cache_is_for_this_user_alone(tmp_path: Path) -> None:
    made = cache_folder({"TMPDIR": str(tmp_path)})

    assert os.stat(made).st_mode & 0o777 == 0o700
    assert cache_folder({"TMPDIR": str(tmp_path)}) == made


def test_a_cache_that_somebody_else_put_there_is_not_used(tmp_path: Path) -> None:
    (tmp_path / f"swell-cache-{os.getuid()}").symlink_to(tmp_path)

    with pytest.raises(PermissionError, match="belongs to somebody else"):
        cache_folder({"TMPDIR": str(tmp_path)})


def test_a_shared_cache_that_cannot_be_made_is_done_without(tmp_path):
    (tmp_path / "file").touch()
    wanted = {"TMPDIR": str(tmp_path), "SWELL_LAYER_CACHE": str(tmp_path / "file" / "shared")}
    assert cache_folder(wanted) == cache_folder({"TMPDIR": str(tmp_path)})
    wanted["SWELL_LAYER_CACHE"] = str(tmp_path / "shared")
    assert cache_folder(wanted) == str(tmp_path / "shared")
