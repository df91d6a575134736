"""pylint's findings are the flow's; pylint's own troubles are a notice."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from swell.authoring.pylint_check import check_with_pylint, command
from swell.errors import LintWarn


def ran(returncode: int, stdout: str = "", stderr: str = "") -> Any:
    """Stands in for subprocess.run."""

    def run(arguments: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(arguments, returncode, stdout, stderr)

    return run


def test_errors_are_told_with_the_first_line() -> None:
    output = "************* Module f\nf.py:7: undefined name 'x' (undefined-variable)\n"
    with pytest.raises(LintWarn, match="undefined name 'x'") as caught:
        check_with_pylint("f.py", ran(2, output))
    assert (caught.value.source_file, caught.value.line_no) == ("f.py", 7)
    assert "--no-pylint" in caught.value.remedy


@pytest.mark.parametrize("returncode", [0, 4, 8, 28])
def test_what_is_no_error_passes(returncode: int) -> None:
    assert check_with_pylint("f.py", ran(returncode)) == ""


@pytest.mark.parametrize("returncode", [1, 32, -9])
def test_a_pylint_that_cannot_work_is_a_notice(returncode: int) -> None:
    notice = check_with_pylint("f.py", ran(returncode, stderr="Traceback\nNo such plugin"))
    assert "could not run" in notice
    assert "No such plugin" in notice


def test_a_pylint_that_takes_too_long_is_a_notice() -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired("pylint", 120)

    assert "could not run" in check_with_pylint("f.py", run)


def test_only_errors_in_the_script_are_asked_for() -> None:
    assert command("f.py")[1:4] == ["-m", "pylint", "--errors-only"]
    assert command("f.py")[-1] == "f.py"
