"""What a script imports of the user's own comes along from wherever it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from swell.package.archive import read_listing
from tests.unit.package.conftest import fill, git

PACKING = """
import json, sys
from swell.package.code import make_code_package
sys.modules["__main__"].__file__ = sys.argv[1]
sys.path.insert(0, sys.argv[1].rpartition("/")[0])
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"))
package = make_code_package(sys.argv[1], modules=sys.modules, cache_folder=sys.argv[2])
print(json.dumps([package.path, package.own]))
"""


class Packing:
    """Imports a script in an interpreter of its own, as the driver does, and packs it."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self.own: list[list[str]] = []

    def __call__(self, script: Path, *path: Path) -> set[str]:
        source = Path(__file__).resolve().parents[3] / "src"
        places = os.pathsep.join(map(str, [source, *path]))
        done = subprocess.run(
            [sys.executable, "-c", PACKING, script, self._cache],
            env={**os.environ, "PYTHONPATH": places, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        self.zip, self.own = json.loads(done.stdout)
        return {packed.name for packed in read_listing(self.zip)}


@pytest.fixture
def packing(tmp_path: Path) -> Packing:
    return Packing(tmp_path / "cache")


def test_a_package_and_a_module_on_the_path_travel_whole(tmp_path, packing):
    lib = fill(
        tmp_path / "lib",
        {"mine/__init__.py": "", "mine/data/a.json": "", "one.py": "", "unused/__init__.py": ""},
    )
    here = fill(tmp_path / "p", {"flow.py": "import mine\nimport one, json, msgspec"})
    found = packing(here / "flow.py", lib)
    assert found == {"flow.py", "mine/__init__.py", "mine/data/a.json", "one.py"}
    assert [name for name, _ in packing.own] == ["mine", "one"]


def test_what_only_a_step_imports_travels_too(tmp_path, packing):
    lib = fill(tmp_path / "lib", {"late/__init__.py": "raise SystemExit('never imported here')"})
    here = fill(tmp_path / "p", {"flow.py": "def step():\n    from late import x"})
    assert packing(here / "flow.py", lib) == {"flow.py", "late/__init__.py"}


def test_what_is_installed_stays_and_so_does_an_environment_beside_the_script(tmp_path, packing):
    installed = fill(
        tmp_path / "p/env2/lib/site-packages", {"third/__init__.py": "", "../../pyvenv.cfg": ""}
    )
    here = fill(tmp_path / "p", {"flow.py": "import third"})
    assert packing(here / "flow.py", installed) == {"flow.py"}


def test_folders_of_a_namespace_package_come_together(tmp_path, packing):
    one = fill(tmp_path / "one", {"ns/a/__init__.py": ""})
    two = fill(tmp_path / "two", {"ns/b.py": ""})
    here = fill(tmp_path / "p", {"flow.py": "import ns.a, ns.b"})
    assert packing(here / "flow.py", one, two) == {"flow.py", "ns/a/__init__.py", "ns/b.py"}


def test_generated_code_travels_when_it_was_imported_though_git_ignores_it(tmp_path, packing):
    files = {"flow.py": "import api_pb2", "api_pb2.py": "", "other_pb2.py": ""}
    here = fill(tmp_path / "p", {**files, ".gitignore": "*_pb2.py"})
    git(here, "init", "-q")
    assert packing(here / "flow.py") == {"flow.py", "api_pb2.py"}


def test_a_package_in_src_is_importable_there_as_it_is_here(tmp_path, packing):
    here = fill(tmp_path / "p", {"flow.py": "import mine", "src/mine/__init__.py": ""})
    found = packing(here / "flow.py", here / "src")
    assert found == {"flow.py", "src/mine/__init__.py", "mine/__init__.py"}


PROJECT = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n'
    'build-backend = "setuptools.build_meta"\n[project]\nname = "my-lib"\nversion = "4.2"\n',
    "src/my_lib/__init__.py": "from importlib.metadata import version\nV = version('my-lib')\n",
}


@pytest.mark.parametrize("kind", ["pth", "finder"])
def test_an_editable_install_travels_with_its_version(tmp_path, packing, kind):
    # As installers lay it out: by a .pth line, or by a finder of its own (PEP 660).
    project = fill(tmp_path / "my-lib", PROJECT)
    site = tmp_path / "venv/lib/python/site-packages"
    source = project / "src"
    finder = (
        "import sys, importlib.util\n"
        "class F:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'my_lib':\n"
        f"            return importlib.util.spec_from_file_location(name, {str(source)!r}"
        f" + '/my_lib/__init__.py', submodule_search_locations=[{str(source)!r} + '/my_lib'])\n"
        "sys.meta_path.append(F)\n"
    )
    fill(
        site,
        {
            "my_lib-4.2.dist-info/METADATA": "Name: my-lib\nVersion: 4.2\n",
            "my_lib-4.2.dist-info/direct_url.json": json.dumps(
                {"url": project.as_uri(), "dir_info": {"editable": True}}
            ),
            "_finder.py": finder,
            "my_lib.pth": str(source) if kind == "pth" else "import _finder",
        },
    )
    script = f"import site; site.addsitedir({str(site)!r})\nimport my_lib"
    here = fill(tmp_path / "p", {"flow.py": script})
    found = packing(here / "flow.py")
    assert found == {"flow.py", "my_lib/__init__.py", "my_lib-4.2.dist-info/METADATA"}
    there = tmp_path / "there"
    with zipfile.ZipFile(packing.zip) as archive:
        archive.extractall(there)
    # With site-packages away, the package still knows its version.
    told = subprocess.run(
        [sys.executable, "-c", "import my_lib; print(my_lib.V, my_lib.__file__)"],
        cwd=there,
        env={"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["4.2", str(there / "my_lib/__init__.py")]
