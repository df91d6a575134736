"""A folder with one flow script that tests write, run and change."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import swell
from tests.e2e.terminal import Done, python

IMPORTS = """
from swell import (FlowSpec, Parameter, IncludeFile, Config, JSONType, step, current, catch,
                   retry, parallel, card, resources, timeout, environment)
"""


class Place:
    """A folder with one flow script and its store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "flow.py"

    def write(self, text: str) -> None:
        name = text.split("class ")[1].split("(")[0] if "class " in text else ""
        self.script.write_text(
            IMPORTS + textwrap.dedent(text) + f"\nif __name__ == '__main__':\n    {name}()\n"
        )

    def change(self, old: str, new: str) -> None:
        text = self.script.read_text()
        assert old in text
        self.script.write_text(text.replace(old, new))

    def call(self, *arguments: str, code: int = 0, **variables: str) -> Done:
        done = python(self.script, *arguments, store=self.folder, **variables)
        assert done.code == code, done.stdout + done.stderr
        return done

    def run(self, path: str) -> Any:
        swell.namespace(None)
        swell.metadata(str(self.folder / ".swell"))
        return swell.Run(path)


NESTED = """
class NestedFlow(FlowSpec):
    factor = 1
    n = Parameter("n", default=2)

    @step
    def start(self):
        self.xs = [10, 20, 30]
        self.next(self.outer, foreach="xs")

    @step
    def outer(self):
        self.x = self.input
        self.ys = list(range(self.n))
        self.next(self.inner, foreach="ys")

    @step
    def inner(self):
        (outer, _, _), (inner, _, _) = self.foreach_stack()
        open("ran", "a").write(f"{current.run_id} inner {outer} {inner}\\n")
        if os.path.exists("broken") and self.x == 20 and self.index == 1:
            raise ValueError("broken")
        self.got = self.x * self.factor + self.input
        self.next(self.join_inner)

    @step
    def join_inner(self, inputs):
        open("ran", "a").write(f"{current.run_id} join_inner {self.index}\\n")
        self.got = sum(i.got for i in inputs)
        self.next(self.join_outer)

    @step
    def join_outer(self, inputs):
        self.total = sum(i.got for i in inputs)
        self.used = self.factor
        self.next(self.end)

    @step
    def end(self):
        print("total is", self.total)
"""
