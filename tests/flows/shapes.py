"""Graph shapes as steps with their transitions, and the number of tasks each step gets."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """One step: ``goes`` are the arguments of its ``self.next``, ``setup`` the lines before it.

    ``kind`` is 'linear', 'split', 'foreach', 'switch', 'join' or 'end'; ``tasks`` how many
    tasks of it a run has; ``heads`` decorators it cannot do without.
    """

    name: str
    goes: str
    kind: str = "linear"
    setup: tuple[str, ...] = ()
    tasks: int = 1
    heads: tuple[str, ...] = ()
    depth: int = 0

    @property
    def is_join(self) -> bool:
        """Whether it takes inputs."""
        return self.kind == "join"

    @property
    def opens_foreach(self) -> bool:
        """Whether it opens a task for each of some items."""
        return "foreach=" in self.goes

    @property
    def is_gang(self) -> bool:
        """Whether its tasks run together."""
        return "@parallel" in self.heads

    @property
    def is_plain(self) -> bool:
        """Whether it goes on without choosing or opening anything."""
        return self.kind in ("linear", "join") and not self.is_gang


class Shape(NamedTuple):
    """``entry`` is the first step, ``fragile`` one behind which more steps lie."""

    name: str
    steps: tuple[Step, ...]
    fragile: str

    @property
    def entry(self) -> str:
        """The name of the first step."""
        return self.steps[0].name

    @property
    def last(self) -> str:
        """The name of the terminal step."""
        return self.steps[-1].name

    def step(self, name: str) -> Step:
        """The step called ``name``."""
        (found,) = [step for step in self.steps if step.name == name]
        return found

    @property
    def tasks(self) -> int:
        """How many tasks a run has, parameters aside."""
        return sum(step.tasks for step in self.steps)


END = Step("end", "", "end")

SINGLE = Shape("single", (Step("only", "", "end"),), "only")

LINEAR = Shape("linear", (Step("start", "self.a"), Step("a", "self.end"), END), "a")

BRANCH = Shape(
    "branch",
    (
        Step("start", "self.a, self.b", "split"),
        Step("a", "self.join"),
        Step("b", "self.join"),
        Step("join", "self.end", "join"),
        END,
    ),
    "b",
)

NESTED_BRANCHES = Shape(
    "nested_branches",
    (
        Step("start", "self.a, self.b", "split"),
        Step("a", "self.c, self.d", "split"),
        Step("c", "self.inner"),
        Step("d", "self.inner"),
        Step("inner", "self.outer", "join"),
        Step("b", "self.outer"),
        Step("outer", "self.end", "join"),
        END,
    ),
    "inner",
)

FOREACH = Shape(
    "foreach",
    (
        Step("start", "self.work, foreach='xs'", "foreach", ("self.xs = ['p', 'q', 'r']",)),
        Step("work", "self.join", tasks=3, depth=1),
        Step("join", "self.end", "join"),
        END,
    ),
    "work",
)

WIDE_FOREACH = Shape(
    "wide_foreach",
    (
        Step("start", "self.work, foreach='xs'", "foreach", ("self.xs = range(40)",)),
        Step("work", "self.join", tasks=40, depth=1),
        Step("join", "self.end", "join"),
        END,
    ),
    "join",
)

NESTED_FOREACH = Shape(
    "nested_foreach",
    (
        Step("start", "self.a, foreach='xs'", "foreach", ("self.xs = ['p', 'q']",)),
        Step("a", "self.b, foreach='ys'", "foreach", ("self.ys = [1, 2, 3]",), 2, depth=1),
        Step("b", "self.c, foreach='zs'", "foreach", ("self.zs = 'uv'",), 6, depth=2),
        Step("c", "self.join_z", tasks=12, depth=3),
        Step("join_z", "self.join_y", "join", tasks=6, depth=2),
        Step("join_y", "self.join_x", "join", tasks=2, depth=1),
        Step("join_x", "self.end", "join"),
        END,
    ),
    "join_z",
)

NESTED_TWICE = Shape(
    "nested_twice",
    (
        Step("start", "self.a, foreach='xs'", "foreach", ("self.xs = ['p', 'q']",)),
        Step("a", "self.b, foreach='ys'", "foreach", ("self.ys = [1, 2, 3]",), 2, depth=1),
        Step("b", "self.join_y", tasks=6, depth=2),
        Step("join_y", "self.join_x", "join", tasks=2, depth=1),
        Step("join_x", "self.end", "join"),
        END,
    ),
    "join_y",
)

PARALLEL = Shape(
    "parallel",
    (
        Step("start", "self.work, num_parallel=3", "foreach"),
        Step("work", "self.join", tasks=3, heads=("@parallel",), depth=1),
        Step("join", "self.after", "join"),
        Step("after", "self.end"),
        END,
    ),
    "after",
)

SWITCH = Shape(
    "switch",
    (
        Step(
            "start",
            "{'left': self.left, 'right': self.right}, condition='way'",
            "switch",
            ("self.way = 'right'",),
        ),
        Step("left", "self.meet", tasks=0),
        Step("right", "self.meet"),
        Step("meet", "self.end"),
        END,
    ),
    "right",
)

SWITCH_IN_FOREACH = Shape(
    "switch_in_foreach",
    (
        Step("start", "self.pick, foreach='xs'", "foreach", ("self.xs = [1, 2, 3]",)),
        Step(
            "pick",
            "{True: self.even, False: self.odd}, condition='is_even'",
            "switch",
            ("self.is_even = self.input % 2 == 0",),
            3,
            depth=1,
        ),
        Step("even", "self.meet", tasks=1, depth=1),
        Step("odd", "self.meet", tasks=2, depth=1),
        Step("meet", "self.join", tasks=3, depth=1),
        Step("join", "self.end", "join"),
        END,
    ),
    "odd",
)

FOREACH_IN_SWITCH = Shape(
    "foreach_in_switch",
    (
        Step(
            "start",
            "{'one': self.alone, 'many': self.fan}, condition='how'",
            "switch",
            ("self.how = 'many'",),
        ),
        Step("alone", "self.meet", tasks=0),
        Step("fan", "self.work, foreach='xs'", "foreach", ("self.xs = {'k': 1, 'l': 2}",)),
        Step("work", "self.gather", tasks=2, depth=1),
        Step("gather", "self.meet", "join"),
        Step("meet", "self.end"),
        END,
    ),
    "gather",
)

RECURSION = Shape(
    "recursion",
    (
        Step("start", "self.loop"),
        Step(
            "loop",
            "{'again': self.loop, 'enough': self.after}, condition='state'",
            "switch",
            (
                "self.rounds = getattr(self, 'rounds', 0) + 1",
                "self.state = 'again' if self.rounds < 4 else 'enough'",
            ),
            4,
        ),
        Step("after", "self.end"),
        END,
    ),
    "after",
)

RECURSION_IN_FOREACH = Shape(
    "recursion_in_foreach",
    (
        Step("start", "self.loop, foreach='xs'", "foreach", ("self.xs = [1, 2, 3]",)),
        Step(
            "loop",
            "{'again': self.loop, 'enough': self.after}, condition='state'",
            "switch",
            (
                "self.rounds = getattr(self, 'rounds', 0) + 1",
                "self.state = 'again' if self.rounds < self.input else 'enough'",
            ),
            6,
            depth=1,
        ),
        Step("after", "self.join", tasks=3, depth=1),
        Step("join", "self.end", "join"),
        END,
    ),
    "after",
)

SHAPES = (
    SINGLE,
    LINEAR,
    BRANCH,
    NESTED_BRANCHES,
    FOREACH,
    WIDE_FOREACH,
    NESTED_FOREACH,
    PARALLEL,
    SWITCH,
    SWITCH_IN_FOREACH,
    FOREACH_IN_SWITCH,
    RECURSION,
    RECURSION_IN_FOREACH,
)
