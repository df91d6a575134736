"""Step decorators that people write themselves, as a generator or as a class."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from swell.authoring.config_expr import evaluate_keywords
from swell.authoring.decorator import JoinedStepDecorator, StepDecorator
from swell.errors import FlowError, SwellError

if TYPE_CHECKING:
    from swell.authoring.context import TaskContext


class SkipStep(dict[str, object]):
    """Yielded by a generator: do not run the step, go on along its own transition."""


USER_SKIP_STEP = SkipStep()


class UserStepDecorator:
    """Derive from it to act before and after a step; use the class itself as decorator.

    ``@D`` and ``@D(name=value)`` both work; keywords reach ``init``. A fresh object is
    made for every attempt.
    """

    skip_step: bool | Mapping[str, object] = False
    """Set in ``pre_step``: True skips the step, a dict also gives keywords for ``next``."""

    def __new__(cls, *target: Any, **arguments: Any) -> Any:
        decorator = OwnStepDecorator(cls, arguments)
        if not target:
            return decorator
        if len(target) > 1 or arguments or not callable(target[0]):
            raise decorator.problem(
                f"@{decorator.name} was given arguments without names.",
                remedy="Write them as name=value.",
            )
        return decorator(target[0])

    def init(self, **arguments: Any) -> None:
        """Called with the keywords of the use, before anything else."""

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Any:
        """Before the step; a callable returned is run instead of it."""
        return None

    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
        """After the step, before artifacts are stored: None (the step is good), an exception
        (it failed), or a tuple of exception or None and keywords for ``next``."""
        return exception


class OwnStepDecorator(JoinedStepDecorator):
    """One use of a ``UserStepDecorator``; several may stand on one step."""

    repeatable = True

    def __init__(self, kind: type[UserStepDecorator], arguments: Mapping[str, object]) -> None:
        self.kind = kind
        self.name = full_name(kind)
        super().__init__(**arguments)

    def resolve(self, configs: Mapping[str, object]) -> OwnStepDecorator:
        resolved = super().resolve(configs)
        resolved.given = evaluate_keywords(self.given, configs)
        return resolved

    def make(self) -> UserStepDecorator:
        """A fresh object of the user's class, initialised with the keywords of this use."""
        made: UserStepDecorator = object.__new__(self.kind)
        made.init(**self.given)
        return made

    def check_arguments(self) -> None:
        takes_arguments = self.kind.init is not UserStepDecorator.init
        if self.given and not takes_arguments:
            raise self.problem(
                f"@{self.name} was given arguments, but defines no init.",
                remedy="Define 'def init(self, **arguments)', or drop the arguments.",
            )

    def around(self, task: TaskContext) -> AbstractContextManager[object]:
        return self.joined((self,)).around(task)

    def joined(self, uses: Iterable[StepDecorator]) -> StepDecorator:
        return OwnDecorators(uses)

    def _refuse_unknown_arguments(self) -> None:
        """Its ``init`` says which ones it takes."""


class OwnDecorators(StepDecorator):
    """All of the user's own decorators of a step as one, outermost first.

    They act as one because a decorator that skips or replaces the step keeps those
    inside it from being entered.
    """

    name = "own decorators"

    def __init__(self, uses: Iterable[StepDecorator]) -> None:
        super().__init__()
        self._uses = tuple(use for use in uses if isinstance(use, OwnStepDecorator))

    @contextmanager
    def around(self, task: TaskContext) -> Iterator[None]:
        entered: list[UserStepDecorator] = []
        failure = self._enter(task, entered)
        raised = failure
        if failure is None:
            try:
                yield
            except Exception as error:
                raised = error
        else:
            # The step is not to run, but those outside may still take the failure.
            task.replace_step(_raiser(failure))
            try:
                yield
            except Exception as error:
                raised = error
        left, keywords = _leave(task, entered, raised)
        if left is not None:
            raise left
        if keywords is not None:
            task.set_next_keywords(keywords)

    def _enter(self, task: TaskContext, entered: list[UserStepDecorator]) -> Exception | None:
        """Enter from the outside in, until one skips or replaces the step, or fails."""
        for use in self._uses:
            try:
                decorator = use.make()
                instead = decorator.pre_step(task.step, task.flow, task.inputs)
            except Exception as error:
                return error
            entered.append(decorator)
            skip = decorator.skip_step
            if skip is True or isinstance(skip, Mapping):
                task.skip_step({} if skip is True else skip)
                return None
            if instead is not None:
                if not callable(instead):
                    return _bad_answer(use.name, "pre_step", instead, "None or a callable")
                task.replace_step(instead)
                return None
        return None


def user_step_decorator(generator: Callable[..., Any] | None = None) -> Any:
    """Make a step decorator of a generator ``f(step_name, flow, inputs[, attributes])``.

    What stands before its ``yield`` happens before the step, what stands after it
    afterwards; the step's exception is raised at the ``yield``. It may yield nothing, a
    callable to run instead of the step, ``USER_SKIP_STEP``, or a dict of keywords for
    ``next``, which skips the step too.
    """
    if generator is None:
        return user_step_decorator
    code = getattr(generator, "__code__", None)
    is_generator = code is not None and bool(code.co_flags & 0x20)  # inspect.CO_GENERATOR
    if code is None or not is_generator or code.co_argcount not in (3, 4):
        raise FlowError(
            f"@user_step_decorator stands above {getattr(generator, '__name__', generator)!r}, "
            "which is not a generator of 3 or 4 arguments.",
            remedy="Write 'def f(step_name, flow, inputs, attributes=None):' with one yield.",
            source_file=getattr(code, "co_filename", None),
            line_no=getattr(code, "co_firstlineno", None),
        )
    members = {
        "generator": staticmethod(generator),
        "takes_attributes": code.co_argcount == 4,
        "__module__": generator.__module__,
        "__qualname__": generator.__qualname__,
        "__doc__": generator.__doc__,
    }
    return type(generator.__name__, (_GeneratorDecorator,), members)


class _GeneratorDecorator(UserStepDecorator):
    """Drives a generator: one ``yield`` is the step."""

    generator: ClassVar[Callable[..., Generator[Any, None, Any]]]
    takes_attributes: ClassVar[bool]
    _running: Generator[Any, None, Any]

    def init(self, **arguments: Any) -> None:
        if arguments and not self.takes_attributes:
            raise FlowError(
                f"@{full_name(type(self))} was given arguments, but takes none.",
                remedy="Give its generator a fourth argument, attributes.",
            )
        self._arguments = arguments

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Any:
        attributes = (dict(self._arguments),) if self.takes_attributes else ()
        self._running = self.generator(step_name, flow, inputs, *attributes)
        try:
            answer = next(self._running)
        except StopIteration:
            # It ended without a yield: there is no place at which the step could run.
            self.skip_step = True
            return None
        if isinstance(answer, Mapping):
            self.skip_step = answer
            return None
        return answer

    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
        try:
            if exception is None:
                next(self._running)
            else:
                self._running.throw(exception)
        except StopIteration as end:
            return end.value
        self._running.close()
        raise SwellError(
            f"@{full_name(type(self))} yielded a second time in step '{step_name}'.",
            remedy="Yield once: that is where the step runs.",
        )


def full_name(kind: type) -> str:
    """``module.Class`` of a class of the user's."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _leave(
    task: TaskContext, entered: list[UserStepDecorator], raised: Exception | None
) -> tuple[Exception | None, Mapping[str, object] | None]:
    """Leave from the inside out: the failure that is left, and keywords for ``next``.

    Where a failure was swallowed the step's own transition is asked for: ``{}``.
    """
    keywords: Mapping[str, object] | None = None if raised is None else {}
    for decorator in reversed(entered):
        try:
            answer = decorator.post_step(task.step, task.flow, raised)
        except Exception as error:
            raised, keywords = error, {}
            continue
        if answer is None or isinstance(answer, Exception):
            raised = answer
        elif isinstance(answer, tuple) and len(answer) == 2:
            raised, chosen = answer
            if chosen is not None and chosen is not False:
                keywords = {} if chosen is True else chosen
        else:
            raised = _bad_answer(
                full_name(type(decorator)),
                "post_step",
                answer,
                "None, an exception, or a tuple of both an exception and keywords",
            )
    return raised, keywords


def _bad_answer(name: str, method: str, answer: object, wanted: str) -> SwellError:
    return SwellError(f"{method} of @{name} returned {answer!r}.", remedy=f"Return {wanted}.")


def _raiser(error: Exception) -> Callable[..., object]:
    def instead(*_step_arguments: object) -> object:
        raise error

    return instead
