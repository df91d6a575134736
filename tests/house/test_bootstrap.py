"""What runs in a container needs the standard library only, of any Python from 3.8 on."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOM = "src/swell/bootstrap"
OLDEST = (3, 8)


@pytest.fixture
def modules(root: Path) -> list[Path]:
    return sorted((root / ROOM).glob("*.py"))


def test_the_bootstrap_imports_the_standard_library_and_itself_only(modules: list[Path]) -> None:
    foreign = set()
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            else:
                continue
            foreign |= {
                f"{path.name}: {name}"
                for name in names
                if name.partition(".")[0] not in sys.stdlib_module_names
                and not name.startswith("swell.bootstrap.")
            }
    assert foreign == set()


def test_the_bootstrap_is_written_in_the_oldest_pythons_syntax(modules: list[Path]) -> None:
    for path in modules:
        ast.parse(path.read_text(), str(path), feature_version=OLDEST)


def test_the_bootstrap_uses_no_type_at_run_time_that_the_oldest_python_cannot_subscript(
    modules: list[Path],
) -> None:
    used = [
        f"{path.name}:{node.lineno}"
        for path in modules
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript)
    ]
    assert used == []


@pytest.mark.parametrize("version", ["3.8", "3.10", "3.13"])
def test_other_pythons_run_the_bootstrap_where_they_are_installed(
    version: str, root: Path, tmp_path: Path
) -> None:
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-V"], capture_output=True).returncode:
        pytest.skip(f"Python {version} is not installed.")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from swell.bootstrap.supervisor import main\n"
        "sys.exit(main())"
    )
    from swell.bootstrap.loading import bootstrap_zip

    archive = tmp_path / "bootstrap.zip"
    archive.write_bytes(bootstrap_zip()[0])

    done = subprocess.run([python, "-ISc", code, archive], capture_output=True, env={})

    assert done.returncode == 78
    assert b"AWS_BATCH_JOB_ID is not set" in done.stderr
