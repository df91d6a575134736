"""``flow("Name").step(…).run()``: a flow from plain functions, without a class.

It makes the same class that a script would write; nothing below it knows the difference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any, NamedTuple, NoReturn

from swell.authoring.config import Config
from swell.authoring.decorator import place_of_caller
from swell.authoring.foreach_options import canary_problem, max_failures_problem
from swell.authoring.include_file import IncludeFile
from swell.authoring.parameter import Parameter
from swell.authoring.step import step as mark_step
from swell.authoring.transition import DeclaredNext
from swell.errors import FlowError
from swell.script import FlowSpec


class _Step(NamedTuple):
    """One call of ``FlowBuilder.step``, and where it stands."""

    name: str
    function: Any
    next_step: Any
    foreach: Any
    join: bool | None
    condition: Any
    cases: Any
    num_parallel: Any
    decorators: tuple[Any, ...]
    allow_empty: bool
    canary: Any
    max_failures: Any
    file: str | None
    line: int | None

    @property
    def goes_on(self) -> bool:
        return self.next_step is not None or self.cases is not None or self.condition is not None

    def problem(self, cause: str, remedy: str) -> FlowError:
        """An error about this call."""
        return FlowError(
            f"Step '{self.name}' {cause}", remedy=remedy, source_file=self.file, line_no=self.line
        )


def flow(name: str, doc: str = "") -> FlowBuilder:
    """Begin a flow made of plain functions.

    ``flow("Sum").parameter("n", default=3).step("start", start, next_step="end")
    .step("end", end).run()``
    """
    module = sys._getframe(1).f_globals.get("__name__", "__main__")
    return FlowBuilder(name, doc, module)


class FlowBuilder:
    """A flow being put together; every method but ``build`` and ``run`` returns it again.

    The step named 'start', else the first one, is the entry; the step named 'end', else
    the only one that goes nowhere, is the terminal step.
    """

    def __init__(self, name: str, doc: str, module: str) -> None:
        self._name = name
        self._doc = doc
        self._module = module
        self._attributes: dict[str, Any] = {}
        self._steps: list[_Step] = []
        self._decorators: list[Any] = []
        self._problems: list[FlowError] = []
        self._place = place_of_caller()

    def parameter(self, name: str, **keywords: Any) -> FlowBuilder:
        """Add a ``Parameter``, read in steps as ``self.<name>`` (``-`` becomes ``_``)."""
        return self._add(name, Parameter(name, **keywords))

    def include_file(self, name: str, **keywords: Any) -> FlowBuilder:
        """Add an ``IncludeFile``."""
        return self._add(name, IncludeFile(name, **keywords))

    def config(self, name: str, **keywords: Any) -> FlowBuilder:
        """Add a ``Config``."""
        return self._add(name, Config(name, **keywords))

    def step(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        next_step: str | Sequence[str] | None = None,
        foreach: str | None = None,
        join: bool | None = None,
        condition: str | None = None,
        cases: Mapping[Any, str] | None = None,
        num_parallel: int | str | None = None,
        decorators: Iterable[Any] = (),
        allow_empty: bool = False,
        canary: int | None = None,
        max_failures: int | str | None = None,
    ) -> FlowBuilder:
        """Add a step: ``function(self)``, or ``function(self, inputs)`` for a join.

        ``next_step`` names the step that follows, or several that all run. ``foreach``
        names an attribute with the items; ``num_parallel`` is a number of tasks that run
        together, or names an attribute that holds it; ``allow_empty``, ``canary`` and
        ``max_failures`` stand beside ``foreach`` as in ``self.next``; ``cases`` maps values of the
        attribute ``condition`` to steps. ``decorators``: the topmost first. The function
        does not call ``self.next``, and may serve for several steps.
        """
        file, line = place_of_caller()
        self._steps.append(
            _Step(
                name,
                function,
                next_step,
                foreach,
                join,
                condition,
                cases,
                num_parallel,
                tuple(decorators),
                allow_empty,
                canary,
                max_failures,
                file,
                line,
            )
        )
        return self

    def decorate(self, flow_decorator: Any) -> FlowBuilder:
        """Put a flow decorator or a mutator on the flow; the topmost first."""
        self._decorators.append(flow_decorator)
        return self

    def build(self) -> type[FlowSpec]:
        """The flow as a class. Raises FlowError for the first misuse, with its place."""
        if not isinstance(self._name, str) or not self._name.isidentifier():
            raise self._problem(
                f"{self._name!r} cannot be the name of a flow.",
                "Use letters, digits and '_', not beginning with a digit.",
            )
        if self._problems:
            raise self._problems[0]
        if not self._steps:
            raise self._problem(f"Flow {self._name} has no step.", "Add one with .step(…).")
        namespace: dict[str, Any] = dict(self._attributes)
        names = dict.fromkeys(each.name for each in self._steps)
        entry, terminal = self._entry(), self._terminal()
        for each in self._steps:
            if each.name in namespace:
                raise each.problem("has the name of another step or parameter.", "Rename one.")
            namespace[each.name] = _step_function(each, names, entry, terminal)
        namespace |= {
            "__doc__": self._doc or None,
            "__module__": self._module,
            "__qualname__": self._name,
        }
        built: Any = type(self._name, (FlowSpec,), namespace)
        for decorator in reversed(self._decorators):
            if not callable(decorator):
                raise self._problem(
                    f"{decorator!r} is not a flow decorator.",
                    "Give what would stand behind '@' above the class, such as project(name='x').",
                )
            built = decorator(built)
        flow_class: type[FlowSpec] = built
        return flow_class

    def run(self) -> NoReturn:
        """Run the command line, exactly as the class does, and end the process."""
        from swell.cli.begin import begin

        begin(self.build())

    def _add(self, name: str, attribute: Any) -> FlowBuilder:
        key = name.replace("-", "_")
        if key in self._attributes:
            file, line = place_of_caller()
            self._problems.append(
                FlowError(
                    f"'{name}' stands twice among the parameters and configs of {self._name}.",
                    remedy="Rename one of the two.",
                    source_file=file,
                    line_no=line,
                )
            )
        self._attributes[key] = attribute
        return self

    def _entry(self) -> str:
        names = [each.name for each in self._steps]
        return "start" if "start" in names else names[0]

    def _terminal(self) -> str:
        last = [each for each in self._steps if not each.goes_on]
        for each in last:
            if each.name == "end" or len(last) == 1:
                return each.name
        names = ", ".join(each.name for each in last) or "none"
        raise self._problem(
            f"Flow {self._name} needs one step without next_step, where it ends; "
            f"it has {len(last)} ({names}).",
            "Give next_step to every step but the last one.",
        )

    def _problem(self, cause: str, remedy: str) -> FlowError:
        file, line = self._place
        return FlowError(cause, remedy=remedy, source_file=file, line_no=line)


def _step_function(each: _Step, names: Collection[str], entry: str, terminal: str) -> Any:
    """A copy of the step's function that carries marks, decorators and transition."""
    _check_function(each)
    original: FunctionType = each.function
    copy: Any = FunctionType(
        original.__code__,
        original.__globals__,
        each.name,
        original.__defaults__,
        original.__closure__,
    )
    copy.__kwdefaults__ = original.__kwdefaults__
    copy.__doc__ = original.__doc__
    copy.__module__ = original.__module__
    copy.__qualname__ = original.__qualname__
    copy.__dict__.update(original.__dict__)
    written = list(getattr(original, "decorators", ()))
    copy = mark_step(start=each.name == entry, end=each.name == terminal)(copy)
    copy.decorators = written
    copy.declared_next = _declared_next(each, names, is_terminal=each.name == terminal)
    for decorator in reversed(each.decorators):
        if not callable(decorator):
            raise each.problem(
                f"was given {decorator!r}, which is not a decorator.",
                "Give what would stand behind '@', such as retry(times=2).",
            )
        copy = decorator(copy)
    return copy


def _check_function(each: _Step) -> None:
    if not isinstance(each.name, str) or not each.name.isidentifier():
        raise each.problem("cannot be named so.", "Use small letters, digits and '_'.")
    if not isinstance(each.function, FunctionType):
        raise each.problem(
            f"is {each.function!r}, which is not a plain function.",
            "Write 'def name(self): …' and pass the function itself.",
        )
    inner: Any = each.function
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    arguments = inner.__code__.co_argcount
    if arguments not in (1, 2):
        raise each.problem(
            f"has a function of {arguments} arguments.",
            "Write 'def name(self)', or 'def name(self, inputs)' for a join.",
        )
    if each.join is not None and each.join != (arguments == 2):
        raise each.problem(
            f"says join={each.join}, but its function takes {arguments} "
            f"argument{'s' if arguments == 2 else ''}.",
            "A join is 'def name(self, inputs)', any other step 'def name(self)'.",
        )


def _declared_next(each: _Step, names: Collection[str], *, is_terminal: bool) -> DeclaredNext:
    if each.cases is not None or each.condition is not None:
        return _declared_switch(each, names)
    beside = [
        word
        for word, given in (("foreach", each.foreach), ("num_parallel", each.num_parallel))
        if given is not None
    ]
    if not each.goes_on:
        if beside:
            raise each.problem(f"has {beside[0]}, but no next_step.", "Say which step runs so.")
        if not is_terminal:
            raise each.problem("goes nowhere.", "Give it next_step='…' or cases={…}.")
        return DeclaredNext()
    targets = (each.next_step,) if isinstance(each.next_step, str) else tuple(each.next_step)
    for target in targets:
        _check_target(each, target, names)
    if not targets or len(set(targets)) < len(targets):
        raise each.problem(
            f"goes to {', '.join(targets) or 'no step'}.", "Name every next step once."
        )
    if len(beside) > 1:
        raise each.problem("has both foreach and num_parallel.", "Choose one.")
    if beside and len(targets) > 1:
        raise each.problem(f"has {beside[0]} and {len(targets)} next steps.", "Name one next step.")
    if each.foreach is not None and not isinstance(each.foreach, str):
        raise each.problem(
            f"has foreach={each.foreach!r}; it takes the name of an attribute.",
            "Assign the items in the step, self.items = …, and write foreach='items'.",
        )
    _check_foreach_extras(each)
    number = each.num_parallel
    if number is not None and not (
        isinstance(number, str) or (isinstance(number, int) and number is not True and number >= 1)
    ):
        raise each.problem(
            f"has num_parallel={number!r}.",
            "Give a whole number of at least 1, or the name of an attribute that holds it.",
        )
    return DeclaredNext(
        targets,
        foreach=each.foreach,
        num_parallel=number,
        allow_empty=each.allow_empty,
        canary=each.canary,
        max_failures=each.max_failures,
    )


def _check_foreach_extras(each: _Step) -> None:
    given = {
        "allow_empty": each.allow_empty or None,
        "canary": each.canary,
        "max_failures": each.max_failures,
    }
    for word, value in given.items():
        if value is not None and each.foreach is None:
            raise each.problem(f"has {word} without foreach.", "Drop it, or add foreach='…'.")
    problem = each.canary is not None and canary_problem(each.canary)
    problem = problem or (each.max_failures is not None and max_failures_problem(each.max_failures))
    if problem:
        raise each.problem(f"has {problem}.", "Mend it, or leave it away.")


def _declared_switch(each: _Step, names: Collection[str]) -> DeclaredNext:
    if each.cases is None or each.condition is None:
        has, lacks = ("cases", "condition") if each.condition is None else ("condition", "cases")
        raise each.problem(
            f"has {has}, but no {lacks}.",
            "Write condition='kind', cases={'x': 'step_a', 'y': 'step_b'}.",
        )
    others = {
        "next_step": each.next_step,
        "foreach": each.foreach,
        "num_parallel": each.num_parallel,
        "allow_empty": each.allow_empty or None,
        "canary": each.canary,
        "max_failures": each.max_failures,
    }
    for word, given in others.items():
        if given is not None:
            raise each.problem(f"has both cases and {word}.", "Choose one.")
    if not isinstance(each.condition, str):
        raise each.problem(
            f"has condition={each.condition!r}; it takes the name of an attribute.",
            "Assign it in the step, self.kind = …, and write condition='kind'.",
        )
    if not isinstance(each.cases, Mapping) or len(each.cases) < 2:
        raise each.problem(
            f"has cases={each.cases!r}; it takes a dict of at least two.",
            "Write cases={'x': 'step_a', 'y': 'step_b'}.",
        )
    for value, target in each.cases.items():
        if not isinstance(value, (str, int, float)):
            raise each.problem(
                f"has the case {value!r}.", "Cases are texts, numbers, True or False."
            )
        _check_target(each, target, names)
    return DeclaredNext(condition=each.condition, cases=dict(each.cases))


def _check_target(each: _Step, target: Any, names: Collection[str]) -> None:
    if not isinstance(target, str):
        raise each.problem(
            f"goes to {target!r}; it takes the name of a step.", "Write next_step='name'."
        )
    if target not in names:
        raise each.problem(
            f"goes to '{target}', which is not a step of this flow.",
            f"Add it with .step('{target}', …), or pick one of: {', '.join(names)}.",
        )
