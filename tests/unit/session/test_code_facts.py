"""What a run keeps of its code: the script's text, and versions by the names of folders."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from swell.session.code_facts import package_versions, script_text


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    for name in ("Some_Lib-2.1.dist-info", "scikit_learn-1.9.dist-info", "old-3-py3.9.egg-info"):
        (folder / name).mkdir(parents=True)
    (folder / "unrelated-1.0.dist-info").mkdir()
    return folder


def module(name: str, **fields: object) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(fields)
    return made


def test_versions_are_those_of_what_is_loaded_or_named_in_the_script(site: Path) -> None:
    text = "import os, old.part as o\n\ndef f():\n    from sklearn.svm import SVC\n"

    found = package_versions(text, {"some_lib": module("some_lib")}, [str(site)])

    assert found == {"old": "3", "scikit-learn": "1.9", "some-lib": "2.1"}


def test_a_package_that_left_no_folder_is_told_by_its_own_words(site: Path) -> None:
    loaded = {
        "spoken": module("spoken", __version__="7.0"),
        "silent": module("silent"),
        "odd": module("odd", __version__=(1, 2)),
        "spoken.part": module("spoken.part", __version__="8"),
        "broken": None,
    }

    assert package_versions("", loaded, [str(site)]) == {"spoken": "7.0"}


def test_modules_of_python_itself_have_no_version() -> None:
    assert package_versions("import re, json\n", {"re": sys.modules["re"]}, []) == {}


def test_the_first_folder_on_the_path_counts_and_missing_ones_do_not(
    site: Path, tmp_path: Path
) -> None:
    first = tmp_path / "other" / "site-packages"
    (first / "old-9.dist-info").mkdir(parents=True)
    paths = [str(tmp_path / "gone" / "site-packages"), str(first), str(site)]

    assert package_versions("import old", {}, paths) == {"old": "9"}


def test_a_script_that_cannot_be_read_has_no_text(tmp_path: Path) -> None:
    script = tmp_path / "flow.py"
    script.write_bytes(b"x = '\xff'\n")

    assert script_text(str(script)) == "x = '\N{REPLACEMENT CHARACTER}'\n"
    assert script_text(str(tmp_path / "gone.py")) is None
    assert script_text(None) is None
