"""`package` beside a script, and real layers that a bare Python can import."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from swell.errors import ComputeError
from swell.package.layers import make_layers
from swell.package.requirements import Wanted
from swell.package.uv import target_of

SCRIPT = """
from swell import FlowSpec, step, pypi, pypi_base
import mine

@pypi_base(packages={"polars": ""})
class AFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @pypi(packages={"tabulate": "0.9.0"})
    @step
    def end(self):
        pass

if __name__ == "__main__":
    AFlow()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "flow.py").write_text(SCRIPT)
    (folder / "mine.py").write_text("X = 1\n")
    (folder / "table.csv").write_text("a,b\n")
    (folder / ".env").write_text("SECRET=1\n")
    return folder


def flow(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "flow.py", *arguments],
        cwd=folder,
        env={**os.environ, "SWELL_CACHE": str(folder.parent / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_info_says_how_much_travels_and_which_packages_each_step_gets(project):
    (project / "requirements.txt").write_text("pandas>=2\n")
    done = flow(project, "package", "info")
    assert done.returncode == 0, done.stderr
    assert "2 files" in done.stdout
    assert "start: pandas>=2, polars (requirements.txt and @pypi)" in done.stdout
    assert "end: pandas>=2, polars, tabulate==0.9.0" in done.stdout
    assert "package list" in done.stderr


def test_list_shows_files_with_their_sizes_and_suffixes_add_more(project):
    assert [line.split() for line in flow(project, "package", "list").stdout.splitlines()[1:]] == [
        [str(len(SCRIPT)), "B", "flow.py"],
        ["6", "B", "mine.py"],
    ]
    wider = flow(project, "--package-suffixes", ".csv", "package", "list").stdout
    assert "table.csv" in wider
    assert ".env" not in flow(project, "--package-suffixes", "csv,env", "package", "list").stdout


def test_save_writes_a_zip_from_which_the_flow_runs(project, tmp_path):
    done = flow(project, "package", "save", str(tmp_path / "out.zip"))
    assert (done.returncode, done.stdout) == (0, "")
    there = tmp_path / "there"
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(there)
    assert flow(there, "check").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["package", "save", "/nowhere/x.zip"], {}, "cannot be written"),
        (["--package-suffixes", "*.csv", "package", "list"], {}, "no ending of file names"),
        (["package", "list"], {"SWELL_PACKAGE_MAX_MB": "much"}, "Give a number of MB"),
        (["package", "list"], {"SWELL_PACKAGE_MAX_MB": "0.0001"}, ".swellignore"),
        (["package", "list"], {"SWELL_PACKAGE_INCLUDE": "modles"}, "nothing like it"),
    ],
)
def test_what_is_wrong_is_said_with_a_remedy(project, monkeypatch, arguments, environment, said):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = flow(project, *arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_layers_from_the_registry_are_all_that_a_bare_python_needs(tmp_path):
    wanted = Wanted(("tabulate==0.9.0",), "@pypi")
    try:
        layers = make_layers(wanted, target_of(None), str(tmp_path / "cache"))
    except ComputeError as error:
        pytest.skip(f"needs the package registry: {error}")
    folders = []
    for layer in layers:
        folders.append(str(tmp_path / layer.sha256))
        with zipfile.ZipFile(layer.path) as archive:
            archive.extractall(folders[-1])
    done = subprocess.run(
        [bare_python(), "-S", "-c", BARE],
        env={"PYTHONPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0.9.0", *[folders[1]] * 6, folders[2]]


BARE = """
import swell, msgspec, obstore, blake3, zstandard, cloudpickle, click, tabulate
import swell.session.attempt, swell.datastore.object_store, swell.session.run
print(tabulate.__version__)
for module in (msgspec, obstore, blake3, zstandard, cloudpickle, click, swell):
    print(module.__file__.rpartition("/" + module.__name__ + "/")[0])
"""


def bare_python() -> str:
    """The interpreter under the environment's own: it has no packages with -S."""
    return os.path.realpath(sys.executable)
