"""Writes the script of a behaviour over a shape, runs it, and reads what it left."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import swell
from tests.flows.shapes import Shape, Step

DEADLINE_S = 120
NAMES = (
    "FlowSpec Parameter card catch current environment parallel resources retry step timeout"
).split()


class Where(NamedTuple):
    """Where the tasks of a flow run: ``options`` stand behind ``run`` and ``resume``."""

    isolation: str
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = MappingProxyType({})


class Behaviour:
    """What a flow of every shape must do; the docstring of each tells it as a sentence.

    ``header`` are lines of the module, ``members`` of the class; ``options`` stand behind
    ``run``; ``code`` and ``heads`` give a step its lines and decorators. ``varying`` are the
    artifacts that no two runs have alike. In a script ``HERE`` is the folder it was written to.
    """

    name: str = ""
    header = ""
    members = ""
    options: tuple[str, ...] = ()
    exit_code = 0
    varying: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name or type(self).__name__

    def heads(self, step: Step, shape: Shape) -> list[str]:
        """Decorators of ``step``, above ``@step``."""
        return []

    def code(self, step: Step, shape: Shape) -> str:
        """What ``step`` does before it goes on."""
        return "pass"

    def goes(self, step: Step) -> str:
        """The arguments of its ``self.next``."""
        return step.goes

    def fits(self, shape: Shape) -> bool:
        """Whether a flow of ``shape`` has anything to show of it."""
        return True

    def check(self, ran: Ran) -> None:
        """Look at what the run left; plain asserts."""
        raise NotImplementedError


class Ran(NamedTuple):
    """A run that ended, and how to start another."""

    behaviour: Behaviour
    shape: Shape
    folder: Path
    where: Where
    code: int
    text: str
    number: int

    @property
    def flow(self) -> str:
        """The flow's name."""
        return flow_name(self.shape)

    @property
    def run(self) -> Any:
        """The run in the client."""
        swell.namespace(None)
        swell.metadata(str(self.folder / ".swell"))
        return swell.Run(f"{self.flow}/{self.number}")

    def tasks(self, step: str) -> list[Any]:
        """The client's tasks of ``step``, oldest first."""
        run = self.run
        return list(run[step])[::-1] if step in run else []

    def all_tasks(self) -> list[Any]:
        """The client's tasks of all steps."""
        return [task for step in self.shape.steps for task in self.tasks(step.name)]

    def again(self, *arguments: str, **variables: str) -> Ran:
        """Another run or resume in the same store."""
        return start(self, arguments, variables)

    def notes(self) -> list[str]:
        """Lines that tasks left in the file 'notes'."""
        file = self.folder / "notes"
        return file.read_text().splitlines() if file.exists() else []


def flow_name(shape: Shape) -> str:
    """'NestedForeachFlow'."""
    return "".join(part.title() for part in shape.name.split("_")) + "Flow"


def script_of(behaviour: Behaviour, shape: Shape, folder: Path) -> str:
    """A flow script as a person would write it."""
    lines = [f"from swell import {', '.join(NAMES)}", "", f"HERE = {str(folder)!r}", ""]
    lines += [textwrap.dedent(behaviour.header), ""]
    lines += [f"class {flow_name(shape)}(FlowSpec):"]
    lines += [textwrap.indent(textwrap.dedent(behaviour.members), "    "), ""]
    for step in shape.steps:
        heads = [*behaviour.heads(step, shape), *step.heads, "@step"]
        arguments = "self, inputs" if step.is_join else "self"
        lines += [f"    {head}" for head in heads]
        lines += [f"    def {step.name}({arguments}):"]
        body = [textwrap.dedent(behaviour.code(step, shape)), *step.setup]
        lines += [textwrap.indent("\n".join(body), "        ")]
        lines += [f"        self.next({behaviour.goes(step)})"] if step.goes else []
        lines += [""]
    lines += ["if __name__ == '__main__':", f"    {flow_name(shape)}()", ""]
    return "\n".join(lines)


def try_out(behaviour: Behaviour, shape: Shape, folder: Path, where: Where) -> Ran:
    """Run ``behaviour`` over ``shape`` and check it."""
    (folder / "flow.py").write_text(script_of(behaviour, shape, folder))
    ran = Ran(behaviour, shape, folder, where, 0, "", 0)
    ran = start(ran, ("run", *behaviour.options), {})
    assert ran.code == behaviour.exit_code, ran.text
    behaviour.check(ran)
    return ran


def start(before: Ran, arguments: tuple[str, ...], variables: dict[str, str]) -> Ran:
    """Start the script of ``before`` once more."""
    dropped = ("SWELL_", "PYTHONDONTWRITEBYTECODE")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    environ["SWELL_ROOT"] = str(before.folder / ".swell")
    where = before.where
    environ |= {"SWELL_ISOLATION": where.isolation, "SWELL_USER": "tester"}
    environ |= {**where.variables, **variables}
    done = subprocess.run(
        [sys.executable, "flow.py", *arguments, *where.options],
        cwd=before.folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    number = before.number + 1 if arguments[0] in ("run", "resume") else before.number
    return before._replace(code=done.returncode, text=done.stdout, number=number)
