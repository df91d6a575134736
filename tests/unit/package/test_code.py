"""What goes into a code package, and that it is the same for the same files."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swell.errors import FlowError, StoreError
from swell.package.archive import read_listing
from swell.package.code import CodePackage, make_code_package
from swell.package.collect import collect
from tests.unit.package.conftest import LONG_AGO, fill, git


def names(package: CodePackage) -> set[str]:
    return {packed.name for packed in read_listing(package.path)}


# --- which files -----------------------------------------------------------------------------


def test_python_files_beside_the_script_travel_and_others_when_asked_for(tmp_path, pack):
    here = fill(tmp_path / "p", {"flow.py": "", "a/b.py": "", "t.csv": "", "m.bin": ""})
    assert names(pack(here / "flow.py")) == {"flow.py", "a/b.py"}
    assert names(pack(here / "flow.py", suffixes=(".csv",))) == {"flow.py", "a/b.py", "t.csv"}


def test_hidden_files_and_what_machines_make_never_travel(tmp_path, pack):
    files = {
        "flow.py": "",
        ".env": "SECRET=1",
        ".secret.py": "",
        ".git2/x.py": "",
        "__pycache__/x.py": "",
        "node_modules/x.py": "",
        "venv/pyvenv.cfg": "",
        "venv/lib/x.py": "",
    }
    here = fill(tmp_path / "p", files)
    package = pack(here / "flow.py", suffixes=("env",), include=("*", ".env"))
    assert names(package) >= {"flow.py"}
    assert not any(".env" in name or "secret" in name or "git2" in name for name in names(package))
    assert names(pack(here / "flow.py")) == {"flow.py"}


def test_in_a_repository_git_says_what_travels(tmp_path, pack):
    files = {
        "flow.py": "",
        "kept.py": "",
        "new.py": "",
        "made/x.py": "",
        ".gitignore": "made/\ngone.py",
        "gone.py": "",
        "deleted.py": "",
        "out/flow.py": "",
        "above.py": "",
    }
    here = fill(tmp_path / "p", files)
    git(here, "init", "-q")
    git(here, "add", "flow.py", "kept.py", "deleted.py", ".gitignore")
    git(here, "commit", "-q", "-m", "x")
    (here / "deleted.py").unlink()
    package = pack(here / "flow.py")
    assert package.by_git
    assert names(package) == {"flow.py", "kept.py", "new.py", "out/flow.py", "above.py"}
    assert names(pack(here / "out/flow.py")) == {"flow.py"}


def test_a_script_that_git_ignores_travels_with_its_folder(tmp_path, pack):
    here = fill(tmp_path / "p", {".gitignore": "try/", "try/flow.py": "", "try/a.py": ""})
    git(here, "init", "-q")
    package = pack(here / "try/flow.py")
    assert not package.by_git
    assert names(package) == {"flow.py", "a.py"}


def test_a_repository_inside_the_repository_travels_by_its_own_rules(tmp_path, pack):
    files = {"flow.py": "", "sub/a.py": "", "sub/b.py": "", "sub/.gitignore": "b.py"}
    here = fill(tmp_path / "p", files)
    git(here / "sub", "init", "-q")
    git(here, "init", "-q")
    assert names(pack(here / "flow.py")) == {"flow.py", "sub/a.py"}


@pytest.mark.parametrize("in_git", [True, False])
def test_swellignore_leaves_out_also_what_git_tracks(tmp_path, pack, in_git):
    files = {"flow.py": "", "old/a.py": "", "old/b.py": "", "c.py": ""}
    here = fill(tmp_path / "p", {**files, ".swellignore": "old/\n"})
    if in_git:
        git(here, "init", "-q")
        git(here, "add", ".")
    assert names(pack(here / "flow.py")) == {"flow.py", "c.py"}


def test_what_is_included_by_name_travels_though_git_ignores_it(tmp_path, pack):
    files = {"flow.py": "", ".gitignore": "m\n", "m/w.bin": "1", "m/.key": "", "c/a.yaml": ""}
    here = fill(tmp_path / "p", files)
    git(here, "init", "-q")
    package = pack(here / "flow.py", include=("m", "c/*.yaml"))
    assert names(package) == {"flow.py", "m/w.bin", "c/a.yaml"}


@pytest.mark.parametrize("pattern", ["no/*.yaml", "../up.py", "/etc/hosts"])
def test_an_include_that_finds_nothing_or_leads_elsewhere_is_refused(tmp_path, pack, pattern):
    here = fill(tmp_path / "p", {"flow.py": ""})
    with pytest.raises(FlowError, match="SWELL_PACKAGE_INCLUDE"):
        pack(here / "flow.py", include=(pattern,))


@pytest.mark.parametrize("in_git", [True, False])
def test_links_travel_as_what_they_point_at_and_circles_end(tmp_path, pack, in_git):
    fill(tmp_path / "other", {"lib.py": "L = 1", "deep/x.py": ""})
    here = fill(tmp_path / "p", {"flow.py": "", "d/a.py": ""})
    (here / "linked.py").symlink_to(tmp_path / "other/lib.py")
    (here / "folder").symlink_to(tmp_path / "other")
    (here / "d/up").symlink_to(here)
    (here / "broken.py").symlink_to(here / "nothing.py")
    if in_git:
        git(here, "init", "-q")
    package = pack(here / "flow.py")
    expected = {"flow.py", "d/a.py", "linked.py", "folder/lib.py", "folder/deep/x.py"}
    assert names(package) == expected
    with zipfile.ZipFile(package.path) as archive:
        assert archive.read("linked.py") == b"L = 1"


def test_too_large_a_package_names_what_is_large_and_how_to_leave_it_out(tmp_path, pack):
    here = fill(tmp_path / "p", {"flow.py": "", "big.csv": "x" * 9000, "small.csv": ""})
    with pytest.raises(FlowError) as caught:
        pack(here / "flow.py", suffixes=(".csv",), most_bytes=5000)
    assert "big.csv" in caught.value.message
    assert ".swellignore" in caught.value.remedy


def test_a_name_that_is_not_utf8_is_refused_in_words(tmp_path, pack):
    here = fill(tmp_path / "p", {"flow.py": ""})
    (here / os.fsdecode(b"caf\xe9.py")).write_text("")
    with pytest.raises(FlowError, match="not UTF-8"):
        pack(here / "flow.py")


def test_a_cache_that_cannot_be_written_is_a_store_error_with_its_path(tmp_path):
    here = fill(tmp_path / "p", {"flow.py": "", "file": ""})
    with pytest.raises(StoreError, match="file"):
        make_code_package(str(here / "flow.py"), modules={}, cache_folder=str(here / "file"))


TREES = st.dictionaries(
    st.sampled_from(["a.py", "b.py", "d/a.py", "d/b.txt", "d/e/c.py", "e/a.py", "e/.gitignore"]),
    st.sampled_from(["a.py\n", "/a.py\n*.txt\n", "e/\n!a.py\n", ""]),
    min_size=1,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES, ignored=st.sampled_from(["", "d/", "*.py\n!b.py", "/e/*\n!e/a.py", "a.py"]))
def test_without_git_the_same_files_are_found_as_with_it(tmp_path_factory, tree, ignored):
    here = fill(tmp_path_factory.mktemp("p"), {**tree, ".gitignore": ignored})
    without = collect(str(here), run=_no_git)
    git(here, "init", "-q")
    with_git = collect(str(here))
    assert with_git.by_git
    assert not without.by_git
    assert set(with_git.files) == set(without.files)


def _no_git(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
    raise FileNotFoundError("git")


# --- the same bytes --------------------------------------------------------------------------

CONTENTS = st.dictionaries(
    st.from_regex(r"[a-c]{1,2}(/[a-c]{1,2}\d)?\.py", fullmatch=True),
    st.text(max_size=20),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=CONTENTS, data=st.data())
def test_the_same_files_give_the_same_hash_and_another_byte_another(
    tmp_path_factory, files: dict[str, str], data: st.DataObject
) -> None:
    def packed(contents: list[tuple[str, str]], at: int) -> CodePackage:
        here = tmp_path_factory.mktemp("p")
        for name, text in [("flow.py", ""), *contents]:
            path = here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            os.utime(path, (at, at))
        cache = tmp_path_factory.mktemp("cache")
        return make_code_package(str(here / "flow.py"), modules={}, cache_folder=str(cache))

    one = packed(list(files.items()), LONG_AGO)
    other = packed(data.draw(st.permutations(list(files.items()))), LONG_AGO + 86_400)
    assert one.sha256 == other.sha256
    changed = data.draw(st.sampled_from(sorted(files)))
    third = packed(list({**files, changed: files[changed] + "!"}.items()), LONG_AGO)
    assert third.sha256 != one.sha256


def test_a_program_stays_executable(tmp_path, pack):
    here = fill(tmp_path / "p", {"flow.py": "", "run.sh": "", "plain.sh": ""})
    (here / "run.sh").chmod(0o700)
    package = pack(here / "flow.py", suffixes=(".sh",))
    with zipfile.ZipFile(package.path) as archive:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
    assert modes == {"flow.py": 0o644, "run.sh": 0o755, "plain.sh": 0o644}


# --- the second time -------------------------------------------------------------------------


def test_what_did_not_change_is_not_packed_again(tmp_path, pack):
    here = fill(tmp_path / "p", {"flow.py": "", "a.py": "A = 1"})
    first = pack(here / "flow.py")
    made = os.stat(first.path).st_ino
    assert pack(here / "flow.py") == first
    assert os.stat(first.path).st_ino == made


def test_a_changed_file_of_the_same_size_and_time_is_noticed(tmp_path, pack):
    here = fill(tmp_path / "p", {"flow.py": "", "a.py": "A = 1"})
    first = pack(here / "flow.py")
    fill(here, {"a.py": "A = 2"})
    assert pack(here / "flow.py").sha256 != first.sha256


def test_files_that_were_just_written_are_read_again(tmp_path, pack):
    here = fill(tmp_path / "p", {"flow.py": ""})
    (here / "a.py").write_text("A = 1")
    pack(here / "flow.py")
    assert not list((tmp_path / "cache/packages/known").glob("*"))


def test_a_package_that_was_cleaned_away_is_made_again(tmp_path, pack):
    here = fill(tmp_path / "p", {"flow.py": ""})
    first = pack(here / "flow.py")
    Path(first.path).unlink()
    assert pack(here / "flow.py") == first
    assert Path(first.path).exists()


def test_what_was_not_used_for_a_month_is_forgotten_when_something_new_is_made(tmp_path, pack):
    here = fill(tmp_path / "p", {"flow.py": ""})
    old = pack(here / "flow.py")
    os.utime(old.path, (LONG_AGO, LONG_AGO))
    fill(here, {"b.py": ""})
    new = pack(here / "flow.py")
    assert not Path(old.path).exists()
    assert Path(new.path).exists()
