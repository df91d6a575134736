"""The static shape of a flow: nodes and edges, as parsed; no checks here."""

from __future__ import annotations

import enum

import msgspec


class NodeType(enum.Enum):
    """How a step hands on; the value is what tools see."""

    START = "start"
    """The entry, when it goes to one step."""
    LINEAR = "linear"
    """Goes to one step."""
    SPLIT = "split"
    """Goes to several steps at once."""
    FOREACH = "foreach"
    """Opens one task per item, or a gang."""
    SWITCH = "split-switch"
    """Goes to one of several steps, chosen by a value."""
    JOIN = "join"
    """Closes a split or foreach, then goes to one step."""
    END = "end"
    """The terminal step."""


class NextFault(enum.Enum):
    """What is wrong with a step's ``self.next`` as it is written."""

    MISSING = "missing"
    """There is none."""
    MISPLACED = "misplaced"
    """It is not the one last statement of the step."""
    FORM = "form"
    """It has none of the known forms."""


class Node(msgspec.Struct, frozen=True):
    """One step.

    ``targets`` in the order written; ``parents`` in order of definition. ``cases`` of a
    switch: case → target, the case as it is written in Python (``'a'``, ``2``,
    ``self.config.key``). ``parents`` leave a switch to itself aside. ``matching_join`` of
    a split or foreach, and ``split_parents`` (open splits around the step, outermost
    first; a join still counts the one it closes) are filled by analysis. ``line`` is that
    of the step's ``def``, ``next_line`` of its ``self.next``. ``max_failures`` of a foreach
    is a number or a share ('5', '2%'), ``canary`` how many of its items go first. ``fault``
    says why the transition could not be read, ``fault_detail`` in words.
    """

    name: str
    type: NodeType
    targets: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    foreach_var: str | None = None
    condition: str | None = None
    cases: dict[str, str] = {}
    num_parallel: bool = False
    is_parallel_step: bool = False
    is_join: bool = False
    allow_empty: bool = False
    max_failures: str | None = None
    canary: int = 0
    matching_join: str | None = None
    split_parents: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    doc: str = ""
    file: str = ""
    line: int = 0
    next_line: int = 0
    num_args: int = 1
    fault: NextFault | None = None
    fault_detail: str = ""


class Graph(msgspec.Struct, frozen=True):
    """All steps of a flow by name, in order of definition.

    ``order`` lists reachable steps so that every step stands after those that lead to
    it (a switch to itself left aside). ``start`` and ``end`` are empty where the flow
    does not say which step they are.
    """

    flow: str
    nodes: dict[str, Node]
    start: str
    end: str
    order: tuple[str, ...] = ()
    doc: str = ""
    file: str = ""
