"""Layers are made once for what was asked for, and say nothing of the machine they come from."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest
import tomllib

from swell.errors import CommandException, ComputeError, FlowError
from swell.package.layers import NEEDS, make_layers
from swell.package.requirements import Wanted
from swell.package.uv import Target, Uv, explained, running_python, target_of

ELSEWHERE = Target("3.99")
"""Another Python than the running one: nothing is compiled, so that tests are quick."""


class ScriptedUv:
    """Stands for the program: 'installs' a package of one module for each requirement."""

    def __init__(self, fails_with: str = "", locked: str = "") -> None:
        self.calls: list[tuple[list[str], str]] = []
        self._fails_with = fails_with
        self._locked = locked

    def __call__(self, command, *, input, **_):
        self.calls.append((command, input.decode()))
        if self._fails_with:
            return subprocess.CompletedProcess(command, 1, b"", self._fails_with.encode())
        if command[1] == "export":
            return subprocess.CompletedProcess(command, 0, self._locked.encode(), b"")
        into = Path(command[command.index("--target") + 1])
        for line in input.decode().splitlines():
            name = line.partition("=")[0].partition(">")[0]
            info = into / f"{name}-1.dist-info"
            info.mkdir()
            (into / f"{name}.py").write_text(f"NAME = {line!r}")
            (into / "tests").mkdir(exist_ok=True)
            (into / "tests" / f"test_{name}.py").write_text("")
            (info / "METADATA").write_text(f"Name: {name}\n")
            (info / "direct_url.json").write_text(str(into))
            (into / "bin").mkdir(exist_ok=True)
            (into / "bin" / name).write_text("#!/some/python\n")
            (into / "bin" / f"{name}-tool").write_bytes(b"\x7fELF")
            (into / ".lock").write_text("")
            (info / "RECORD").write_text(
                f"{name}.py,sha256=x,9\nbin/{name},sha256=y,9\nbin/{name}-tool,sha256=q,4\n"
                f"{name}-1.dist-info/direct_url.json,sha256=z,9\n{name}-1.dist-info/RECORD,,\n"
            )
        return subprocess.CompletedProcess(command, 0, b"", b"")

    def find(self) -> Uv:
        return Uv("uv", self)


def make(cache, uv, *lines, target=ELSEWHERE, said=None, **more):
    wanted = Wanted(tuple(lines), "requirements.txt", **more)
    say = said.append if said is not None else lambda _: None
    return make_layers(wanted, target, str(cache), uv=uv.find, say=say)


def test_there_are_three_layers_and_without_requirements_two(tmp_path):
    uv = ScriptedUv()
    named = [layer.name for layer in make(tmp_path, uv, "tabulate==0.9.0")]
    assert named == ["requirements.txt", "what swell needs", "swell"]
    assert [layer.name for layer in make(tmp_path, uv)] == named[1:]


def test_the_second_time_neither_uv_nor_the_registry_is_asked(tmp_path):
    uv, said = ScriptedUv(), []
    first = make(tmp_path, uv, "tabulate==0.9.0", said=said)
    assert len(uv.calls) == len(said) == 2
    assert make(tmp_path, uv, "tabulate==0.9.0", said=said) == first
    assert len(uv.calls) == len(said) == 2


def test_the_order_of_requirements_does_not_matter_and_the_target_does(tmp_path):
    uv = ScriptedUv()
    first = make(tmp_path, uv, "one==1", "two==2")[0]
    assert make(tmp_path, uv, "two==2", "one==1")[0] == first
    make(tmp_path, uv, "one==1", "two==2", target=Target("3.99", "aarch64"))
    platforms = [c[c.index("--python-platform") + 1] for c, _ in uv.calls]
    assert platforms.count("aarch64-manylinux_2_28") == 2
    assert all("--only-binary" in command for command, _ in uv.calls)


def test_two_machines_make_the_same_bytes(tmp_path):
    one = make(tmp_path / "a", ScriptedUv(), "tabulate==0.9.0")
    two = make(tmp_path / "b", ScriptedUv(), "tabulate==0.9.0")
    assert [layer.sha256 for layer in one] == [layer.sha256 for layer in two]


def test_what_names_this_machine_stays_here(tmp_path):
    layer = make(tmp_path, ScriptedUv(), "tabulate==0.9.0")[0]
    with zipfile.ZipFile(layer.path) as archive:
        found = set(archive.namelist())
        record = archive.read("tabulate-1.dist-info/RECORD").decode()
    info = "tabulate-1.dist-info"
    notes = {f"{info}/METADATA", f"{info}/RECORD"}
    assert found == {"tabulate.py", "tests/test_tabulate.py", "bin/tabulate-tool", *notes}
    assert "bin/tabulate," not in record
    assert "direct_url" not in record
    assert "tabulate.py" in record


def test_the_layer_of_swell_has_its_sources_and_no_test_tools(tmp_path):
    layer = make(tmp_path, ScriptedUv())[-1]
    with zipfile.ZipFile(layer.path) as archive:
        found = set(archive.namelist())
    assert {"swell/__init__.py", "swell/package/layers.py", "swell/py.typed"} <= found
    assert not [name for name in found if name.startswith(("swell/testing", "swell/sandbox"))]
    assert not [name for name in found if name.endswith(".pyc")]


def test_bytecode_of_what_tasks_import_comes_along_where_the_target_has_our_python(tmp_path):
    layer = make(tmp_path, ScriptedUv(), "tabulate==0.9.0", target=target_of(None))[0]
    with zipfile.ZipFile(layer.path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".pyc")]
        flags = archive.read(name)[4:8]
    assert name.startswith("__pycache__/tabulate.cpython-")
    assert flags == b"\x01\0\0\0"  # by hash, and not compared: PEP 552


def test_a_lock_is_read_by_uv_and_the_decorator_s_versions_win(tmp_path):
    uv = ScriptedUv(locked="-e .\n./libs/own\npandas==2.0\npolars==1.0 ; python_version > '3'\n")
    make(tmp_path, uv, "pandas==2.2", lock=str(tmp_path), inputs="x")
    _, given = uv.calls[1]
    assert given.splitlines() == ["polars==1.0 ; python_version > '3'", "pandas==2.2"]


def test_a_registry_that_is_away_is_one_sentence_and_worth_another_try(tmp_path):
    said = "error: Failed to fetch: `https://…`\n  Caused by: dns error: no such host"
    with pytest.raises(ComputeError, match="cannot be reached") as caught:
        make(tmp_path, ScriptedUv(fails_with=said), "tabulate==0.9.0")
    assert caught.value.retryable
    assert not list(Path(tmp_path).glob(".staging/*"))


def test_requirements_without_wheels_are_the_flow_s_error_in_uv_s_words():
    said = (
        "  × No solution found when resolving dependencies:\n"
        "  ╰─▶ Because there is no version of x==9 and you require x==9,\n"
        "      we can conclude that your requirements are unsatisfiable.\n"
    )
    error = explained(said, ["x==9"], Target("3.11"))
    assert isinstance(error, FlowError)
    assert "x==9 for Python 3.11 on Linux x86_64. uv says: Because there is no" in error.message


def test_uv_that_is_not_there_is_said_with_how_to_get_it(tmp_path):
    uv = Uv(str(tmp_path / "uv"))
    with pytest.raises(CommandException, match="cannot be started") as caught:
        make_layers(Wanted(), ELSEWHERE, str(tmp_path), uv=lambda: uv)
    assert "swell[aws]" in caught.value.remedy


@pytest.mark.parametrize(
    ("python", "machine", "target"),
    [
        (None, None, Target(running_python(), "x86_64")),
        ("3.12.4", "arm64", Target("3.12", "aarch64")),
        ("==3.13", "AMD64", Target("3.13", "x86_64")),
    ],
)
def test_a_target_is_read_from_what_people_write(python, machine, target):
    assert target_of(python, machine) == target


@pytest.mark.parametrize(("python", "machine"), [("3", None), ("2.7", None), (None, "s390x")])
def test_a_target_that_no_task_can_have_is_refused(python, machine):
    with pytest.raises(FlowError):
        target_of(python, machine)


def test_a_python_without_obstore_is_refused_by_name():
    with pytest.raises(FlowError, match=r"3\.10.*obstore"):
        target_of("3.10")


def test_what_a_task_needs_is_what_the_project_declares():
    root = Path(__file__).resolve().parents[3]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    declared = [line for line in project["dependencies"] if not line.startswith("tomli")]
    assert sorted([*declared, *project["optional-dependencies"]["s3"]]) == sorted(NEEDS)
