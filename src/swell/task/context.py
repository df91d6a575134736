"""The running attempt as its decorators see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

from swell.authoring.flow import Flow
from swell.errors import NonRetryable
from swell.model.cause import Cause
from swell.model.job import Launch, RunContext
from swell.model.retrying import is_meant, kinds_of
from swell.task.causes import cause_of


class AttemptContext:
    """Implements ``authoring.context.TaskContext`` for one attempt."""

    def __init__(
        self,
        flow: Flow,
        inputs: Any,
        launch: Launch,
        run: RunContext,
        current: MutableMapping[str, object],
    ) -> None:
        self.flow: Any = flow
        self.inputs = inputs
        self.launch = launch
        self.run = run
        self.metadata: dict[str, tuple[str, str]] = {}
        self.cards: list[tuple[str, str | None, bytes]] = []
        self.secrets: set[str] = set()
        self.actions: list[Callable[[], None]] = []
        self.replacement: Callable[..., object] | None = None
        self.skip_keywords: Mapping[str, object] | None = None
        self.next_keywords: Mapping[str, object] | None = None
        self.caught: BaseException | None = None
        self._current = current

    @property
    def step(self) -> str:
        """The name of the step that runs."""
        return self.launch.step

    @property
    def is_last_attempt(self) -> bool:
        """No attempt with user code follows this one, if it fails as most do."""
        return self.launch.job.attempt >= self.launch.attempts - 1

    def ends_with(self, error: BaseException) -> bool:
        """Whether no attempt with user code follows, if this one fails with ``error``."""
        if isinstance(error, NonRetryable):
            return True
        cause = cause_of(error)
        if cause is Cause.OUT_OF_MEMORY and self.launch.may_grow:
            return False
        return self.is_last_attempt or not is_meant(self.launch.retry_on, cause, kinds_of(error))

    def set_current(self, name: str, value: object) -> None:
        """Make ``current.<name>`` answer ``value``."""
        self._current[name] = value

    def get_current(self, name: str) -> object:
        """What ``set_current`` was given for ``name``, else None."""
        return self._current.get(name)

    def replace_step(self, call: Callable[..., object]) -> None:
        """Run ``call`` instead of the step."""
        self.replacement = call

    def skip_step(self, next_keywords: Mapping[str, object]) -> None:
        """Do not run the step."""
        self.skip_keywords = next_keywords

    def set_next_keywords(self, next_keywords: Mapping[str, object]) -> None:
        """Replace the keywords of the transition that the step chose."""
        self.next_keywords = next_keywords

    def mark_caught(self, error: BaseException) -> None:
        """The step failed with ``error``; the run goes on."""
        self.caught = error

    def add_metadata(self, name: str, value: str, type: str | None = None) -> None:
        """Keep a fact beside the attempt."""
        self.metadata[name] = (type or name, value)

    def hide(self, values: Iterable[str]) -> None:
        """These texts are secrets: no preview of an artifact may show one."""
        self.secrets.update(values)

    def add_card(self, type: str, id: str | None, html: bytes) -> None:
        """Keep a rendered card."""
        self.cards.append((type, id, html))

    def after_step(self, action: Callable[[], None]) -> None:
        """Call ``action`` after the step and its decorators."""
        self.actions.append(action)
