"""Which engine is taken: only one whose container did what a job needs; else it is said why not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from swell.errors import ComputeError
from swell.sandbox.engine import Said
from swell.sandbox.engine_choice import choose

LIMIT = str(64 << 20)


class Machine:
    """Engines by name; each answers what its container would see, or refuses with a sentence."""

    def __init__(self, **engines: Callable[[list[str]], str | Said]) -> None:
        self._engines = engines
        self._made: list[str] = []
        self.asked: list[list[str]] = []

    def find(self, name: str) -> str | None:
        return f"/bin/{name}" if name in self._engines else None

    def run(self, command: Sequence[str], **how: Any) -> Said:
        words = list(command)
        self.asked.append(words)
        if "--version" in words:
            return Said(0, f"{Path(words[0]).name} version 4.5.6, build x\n", "")
        if "create" in words:
            self._made = words
            return Said(0, "id\n", "")
        if "start" not in words:
            return Said(0, "", "")
        seen = self._engines[Path(words[0]).name](self._made)
        if isinstance(seen, Said):
            return seen
        secret = Path(self._made[-1]).read_text()
        return Said(0, json.dumps({"limit": [seen], "secret": secret}), "")

    def choose(self, wanted: str, folder: Path) -> Any:
        return choose(wanted, folder, run=self.run, find=self.find)


def works(made: list[str]) -> str:
    return LIMIT


def refuses(sentence: str) -> Callable[[list[str]], Said]:
    return lambda made: Said(125, "", f"Error: {sentence}\n")


def test_podman_goes_before_docker(tmp_path):
    choice = Machine(podman=works, docker=works).choose("auto", tmp_path)
    assert choice.engine is not None
    assert (choice.engine.name, choice.engine.command[0]) == ("podman", "/bin/podman")
    assert choice.why.startswith("podman 4.5.6; the first took ")
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_does_not_work_is_passed_over(tmp_path):
    choice = Machine(podman=refuses("no overlay"), docker=works).choose("auto", tmp_path)
    assert choice.engine is not None
    assert choice.engine.name == "docker"


def test_where_none_works_processes_it_is_and_why_is_said(tmp_path):
    choice = Machine(docker=refuses("Cannot connect to the daemon")).choose("auto", tmp_path)
    assert choice == (
        None,
        "no containers: podman: it is not installed; docker: Cannot connect to the daemon",
    )


def test_an_engine_that_limits_no_memory_is_not_taken(tmp_path):
    choice = Machine(podman=lambda made: "max").choose("auto", tmp_path)
    assert choice.engine is None
    assert "podman: it does not limit the memory of a container here" in choice.why


def test_an_engine_on_another_machine_is_not_taken(tmp_path):
    seen = Said(0, json.dumps({"limit": [LIMIT], "secret": "another"}), "")
    choice = Machine(docker=lambda made: seen).choose("auto", tmp_path)
    assert "docker: it does not see this machine's files" in choice.why


def test_one_that_was_asked_for_and_does_not_work_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(ComputeError, match="containers of podman: no overlay") as caught:
        Machine(podman=refuses("no overlay"), docker=works).choose("podman", tmp_path)
    assert "--runner process" in caught.value.remedy


def test_processes_that_were_asked_for_ask_no_engine(tmp_path):
    machine = Machine(podman=works)
    assert machine.choose("process", tmp_path) == (None, "")
    assert machine.asked == []


def test_an_engine_without_an_init_is_taken_as_it_is(tmp_path):
    def podman(made: list[str]) -> str | Said:
        return Said(127, "", "Error: no init here") if "--init" in made else LIMIT

    engine = Machine(podman=podman).choose("podman", tmp_path).engine
    assert engine is not None
    assert not engine.has_init


def test_an_engine_that_may_not_share_out_processors_is_taken_as_it_is(tmp_path):
    def podman(made: list[str]) -> str | Said:
        if any(word.startswith("--cpu") for word in made):
            return Said(126, "", "Error: the requested cgroup controller `cpu` is not available")
        return LIMIT

    engine = Machine(podman=podman).choose("podman", tmp_path).engine
    assert engine is not None
    assert (engine.limits_cpu, engine.has_init) == (False, True)


def test_podman_is_tried_with_runc_where_its_usual_runtime_cannot(tmp_path):
    def podman(made: list[str]) -> str | Said:
        return LIMIT if "runc" in made else Said(126, "", "Error: crun: cgroups")

    engine = Machine(podman=podman, runc=works).choose("podman", tmp_path).engine
    assert engine is not None
    assert engine.command[-2:] == ("--runtime", "runc")


def test_podman_under_the_name_of_docker_is_treated_as_podman(tmp_path):
    machine = Machine(docker=works)
    run = machine.run

    def shim(command: Sequence[str], **how: Any) -> Said:
        said = run(command, **how)
        return Said(0, "podman version 4.5.6", "") if "--version" in command else said

    engine = choose("docker", tmp_path, run=shim, find=machine.find).engine
    assert engine is not None
    assert (engine.name, engine.command[0]) == ("podman", "/bin/docker")
