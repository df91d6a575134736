"""Where a fork looks for modules, and when a new process is needed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from swell.bootstrap.twin import fork_twin, needs_new_process, paths_of

OWN = ["/usr/lib/python311.zip", "/usr/lib/python3.11", "/usr/lib/python3.11/site-packages"]


def test_modules_are_looked_for_beside_the_script_then_in_pythonpath_then_in_pythons_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()

    found = paths_of("flows/flow.py", "/layer:relative", OWN)

    assert found == [f"{tmp_path}/flows", "/layer", f"{tmp_path}/relative", *OWN]


def test_a_folder_that_is_named_twice_stands_once_at_its_first_place() -> None:
    assert paths_of("/code/flow.py", f"/layer:{OWN[1]}:/layer", OWN) == [
        "/code", "/layer", OWN[1], OWN[0], OWN[2],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "is_needed"),
    [
        ({"SWELL_USER": "ada"}, False),
        ({"PYTHONPATH": "/layer"}, False),
        ({"LANG": "C.UTF-8"}, False),
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"PYTHONHASHSEED": "0"}, True),
        ({"LD_PRELOAD": "/lib/jemalloc.so"}, True),
    ],
)
def test_a_new_process_is_needed_for_what_is_read_at_its_start(
    given: dict[str, str], is_needed: bool
) -> None:
    assert needs_new_process({"LANG": "C.UTF-8", "PYTHONPATH": "/app"}, given) is is_needed


def test_an_interpreter_with_other_options_is_not_forked() -> None:
    """Children of the flow's process would get them too."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from swell.bootstrap.twin import fork_twin\n"
        "print(fork_twin())"
    )
    source = os.path.dirname(os.path.dirname(os.path.dirname(fork_twin.__code__.co_filename)))

    import subprocess

    said = subprocess.check_output([sys.executable, "-I", "-c", code, source])
    assert said == b"None\n"
