"""``@retry``: further attempts after a failed one, after which failures, with how much memory."""

from __future__ import annotations

import builtins
import math
from typing import ClassVar

import msgspec

from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import number, optional_number, whole_number
from swell.errors import NonRetryable
from swell.model.job import StepPlan
from swell.model.retrying import CAUSES, type_name

MOST_RETRIES = 10


class RetryDecorator(StepDecorator):
    """Try again up to ``times`` (0 to 10) after any failure of an attempt, death included.

    ``on`` names the failures that are worth it: causes ('timeout', 'out_of_memory', 'exit'…),
    exception classes or their names. Before the first retry ``minutes_between_retries`` are
    waited (not given: none here, two for remote jobs), before each further one ``backoff``
    times as long. A task that ran out of memory comes again with ``memory_growth`` times as
    much, at most ``max_memory`` (MB), without using up ``times``. ``times=0`` forbids every
    second run, also one that would not count; so does raising ``NonRetryable``.
    """

    name = "retry"
    defaults: ClassVar = {
        "times": 3,
        "minutes_between_retries": None,
        "backoff": 1,
        "on": None,
        "memory_growth": None,
        "max_memory": None,
    }

    def check_arguments(self) -> None:
        times = self._times()
        self._wait_s()
        self._backoff()
        on, growth, most = self._on(), self._growth(), self._most_mb()
        more = growth if growth != 1 else None  # 1 asks for no second run
        pointless = [
            f"{argument}={self.attributes[argument]!r}"
            for argument, value in (("on", on), ("memory_growth", more), ("max_memory", most))
            if value
        ]
        if pointless and not times:
            raise self.problem(
                f"@retry: times=0 forbids every second run, and {pointless[0]} asks for one.",
                remedy="Leave one of them out.",
            )
        if growth == 1 and most is not None:
            raise self.problem(
                f"@retry: memory_growth=1 forbids what max_memory={most} is a bound for.",
                remedy="Leave one of them out.",
            )

    def plan(self, plan: StepPlan) -> StepPlan:
        times = self._times()
        return msgspec.structs.replace(
            plan,
            attempts=max(plan.attempts, 1 + times),
            uncounted_attempts=plan.uncounted_attempts if times else 0,
            retry_wait_s=self._wait_s(),
            retry_backoff=self._backoff(),
            retry_on=self._on(),
            memory_growth=self._growth(),
            max_memory_mb=self._most_mb(),
        )

    def _times(self) -> int:
        return whole_number(self, "times", maximum=MOST_RETRIES)

    def _wait_s(self) -> float | None:
        minutes = optional_number(self, "minutes_between_retries")
        return None if minutes is None else minutes * 60

    def _backoff(self) -> float:
        return number(self, "backoff", minimum=1)

    def _growth(self) -> float | None:
        return optional_number(self, "memory_growth", minimum=1)

    def _most_mb(self) -> int | None:
        most = optional_number(self, "max_memory", above=True)
        return None if most is None else math.ceil(most)

    def _on(self) -> tuple[str, ...]:
        """Causes and names of exceptions; text is read as a list between commas."""
        given = self.attributes["on"]
        if given is None:
            return ()
        if isinstance(given, str):
            given = [part.strip() for part in given.split(",")]
        entries = list(given) if isinstance(given, (list, tuple, set, frozenset)) else [given]
        if not entries:
            raise self.problem(
                "@retry: on is empty, so that nothing would be tried again.",
                remedy="Leave it out to retry after any failure, or say times=0.",
            )
        return tuple(dict.fromkeys(map(self._failure_named, entries)))

    def _failure_named(self, entry: object) -> str:
        if isinstance(entry, type) and issubclass(entry, BaseException):
            if issubclass(entry, NonRetryable):
                raise self.problem(
                    "@retry: on names NonRetryable, which says that trying again cannot help.",
                    remedy="Raise another exception where it can.",
                )
            # A script is __main__ here and may have its file's name where a task runs.
            return entry.__qualname__ if entry.__module__ == "__main__" else type_name(entry)
        if isinstance(entry, str) and entry in CAUSES:
            return entry
        if isinstance(entry, str) and _may_be_a_class(entry):
            known = getattr(builtins, entry, None)
            return type_name(known) if isinstance(known, type) else entry
        raise self.problem(
            f"@retry: on names {entry!r}, which is neither a cause nor an exception.",
            remedy=f"Causes: {', '.join(CAUSES)}. Exceptions: the class, or its name, such as "
            "'ConnectionError' or 'requests.exceptions.Timeout'.",
        )


def _may_be_a_class(text: str) -> bool:
    """A name with a capital letter or a module before it: what is left are misspelt causes."""
    parts = text.split(".")
    looks_like_one = len(parts) > 1 or text != text.lower()
    return looks_like_one and all(part.isidentifier() for part in parts)


retry = StepDecoratorFactory(RetryDecorator)
