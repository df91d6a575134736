"""Names of runs, tasks and jobs, and the paths people type for them."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from swell.errors import InvalidPathspec

PARAMETERS_STEP = "_parameters"
"""The pseudo step whose single task, id 0, holds parameters, configs and constants."""


class RunId(NamedTuple):
    """One execution of a flow; ``number`` counts 1, 2, 3… per flow."""

    flow: str
    number: int

    def __str__(self) -> str:
        return f"{self.flow}/{self.number}"


class JobId(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """One attempt of a task within the run that is being driven.

    ``task`` is the task's id as stored: decimal, or ``N_node_k`` in a gang. No NamedTuple: one
    is made for each attempt, and that took ten times as long.
    """

    task: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.task}.{self.attempt}"


class PathSpec(NamedTuple):
    """A parsed ``Flow/run/step/task/artifact``; what the path leaves out is None."""

    flow: str
    run: str | None = None
    step: str | None = None
    task: str | None = None
    artifact: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in self if part is not None)


def parse_pathspec(text: str, *, parts: int | None = None) -> PathSpec:
    """Parse ``Flow[/run[/step[/task[/artifact]]]]``; ``parts`` demands an exact length.

    Raises InvalidPathspec with the expected form.
    """
    pieces = text.split("/")
    wrong_length = len(pieces) != parts if parts else len(pieces) > 5
    if wrong_length or not all(pieces):
        form = "/".join(("Flow", "run", "step", "task", "artifact")[: parts or 5])
        example = "/".join(("MyFlow", "15", "start", "1", "x")[: parts or 5])
        raise InvalidPathspec(
            f"'{text}' is not a path of the form {form}.", remedy=f"Write it like '{example}'."
        )
    return PathSpec(*pieces)
