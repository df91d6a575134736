"""The doors between a flow object, its decorators and the task that runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from swell.model.job import Launch, RunContext


class FlowDoor(Protocol):
    """What a flow object asks of the task that runs it.

    ``index`` and ``input`` belong to the innermost foreach; None outside.
    """

    @property
    def index(self) -> int | None: ...

    @property
    def input(self) -> object: ...

    def load(self, name: str) -> object:
        """The parent's artifact ``name`` (parameters and constants too). KeyError if none."""
        ...

    def names(self) -> Iterable[str]:
        """Names of all artifacts that ``load`` knows."""
        ...

    def read_only_names(self) -> Mapping[str, str]:
        """Name → 'parameter', 'config' or 'constant'."""
        ...

    def foreach_stack(self) -> list[tuple[int, int, object]]:
        """(index, number of splits, value), outermost first."""
        ...

    def merge_artifacts(
        self, inputs: Iterable[object], exclude: list[str], include: list[str]
    ) -> None:
        """Give this step by reference what ``inputs`` agree on; see ``FlowSpec``."""
        ...


class TaskContext(Protocol):
    """A decorator's only door to the running attempt; valid inside ``around`` alone."""

    @property
    def flow(self) -> Any:
        """The flow object whose step runs."""
        ...

    @property
    def step(self) -> str: ...

    @property
    def inputs(self) -> Any:
        """The join's inputs, None for other steps."""
        ...

    @property
    def launch(self) -> Launch: ...

    @property
    def run(self) -> RunContext: ...

    @property
    def is_last_attempt(self) -> bool:
        """No attempt with user code follows this one, if it fails as most do."""
        ...

    def ends_with(self, error: BaseException) -> bool:
        """Whether no attempt with user code follows, if this one fails with ``error``."""
        ...

    def set_current(self, name: str, value: object) -> None:
        """Make ``current.<name>`` answer ``value`` during this attempt."""
        ...

    def get_current(self, name: str) -> object:
        """What a decorator around this one gave ``set_current`` for ``name``, else None."""
        ...

    def replace_step(self, call: Callable[..., object]) -> None:
        """Run ``call(flow)`` or, in a join, ``call(flow, inputs)`` instead of the step.

        It returns None or False (it called ``flow.next`` itself), True (go on along the
        step's own transition) or a dict of keywords for that ``flow.next``.
        """
        ...

    def skip_step(self, next_keywords: Mapping[str, object]) -> None:
        """Do not run the step; go on along its own transition with these keywords."""
        ...

    def set_next_keywords(self, next_keywords: Mapping[str, object]) -> None:
        """After the step: replace the keywords of the transition it chose."""
        ...

    def mark_caught(self, error: BaseException) -> None:
        """The step failed with ``error``, and the run goes on as if it had ended well."""
        ...

    def add_metadata(self, name: str, value: str, type: str | None = None) -> None:
        """Keep a fact that tools read beside the attempt."""
        ...

    def hide(self, values: Iterable[str]) -> None:
        """These texts are secrets: no preview of an artifact may show one."""
        ...

    def add_card(self, type: str, id: str | None, html: bytes) -> None:
        """Keep a rendered card with the attempt."""
        ...

    def after_step(self, action: Callable[[], None]) -> None:
        """Call ``action`` once the step and all decorators are through, failed or not,
        before artifacts are stored; it must not raise."""
        ...
