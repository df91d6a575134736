"""What a foreach tolerates, and what it tries first: its failure budget, its canaries; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from swell.model.graph import Node
from swell.model.job import FailedInput
from swell.model.record import ErrorInfo, Outcome, Split
from swell.scheduler.ready import Block
from swell.scheduler.scopes import Scope

TEXT_CHARS = 1_000
"""So much of an error's text is handed to the join, of each failed child."""
TRACEBACK_CHARS = 4_000
"""So much of the end of its traceback."""


class Verdict(NamedTuple):
    """What a failed task means: ``ends_run`` unless what does not depend on it may go on;
    ``is_tolerated`` where a foreach around it allows failures. ``why`` is what a foreach says
    of itself, '' where it is one task's failure alone."""

    ends_run: bool
    is_tolerated: bool = False
    why: str = ""


class Guard:
    """What one opened foreach with a budget or canaries knows of its ``num`` children.

    ``allowed`` failures (None: no budget). ``failures`` are those within it, by index; past it
    ``is_over``. Canaries in ``pending`` have neither reached the join nor failed; meanwhile
    the others are ``held``. ``join`` names the step where they meet.
    """

    __slots__ = (
        "allowed",
        "canaries",
        "canary_failure",
        "failed_canaries",
        "failures",
        "held",
        "is_over",
        "join",
        "num",
        "pending",
        "ran",
        "step",
        "text",
    )

    def __init__(self, node: Node, step: str, split: Split) -> None:
        self.step = step
        self.num = split.num
        self.text = node.max_failures or ""
        self.allowed = None if not self.text else allowed_failures(self.text, split.num)
        self.join = node.matching_join or ""
        self.failures: dict[int, FailedInput] = {}
        self.is_over = False
        self.canaries = split.canaries
        self.pending = set(split.canaries)
        self.failed_canaries = 0
        self.canary_failure: FailedInput | None = None
        self.held: list[Block] = []
        self.ran = True

    def first_and_held(self, children: Block) -> list[Block]:
        """What may start at once; without canaries all. The rest is ``held``."""
        if not self.pending:
            return [children]
        first, start = [], 0
        for index in sorted(self.pending):
            first.append(children.part(index, index + 1))
            if start < index:
                self.held.append(children.part(start, index))
            start = index + 1
        if start < children.end:
            self.held.append(children.part(start, children.end))
        return first

    @property
    def num_held(self) -> int:
        """How many children wait for the canaries."""
        return sum(block.end - block.index for block in self.held)

    def tolerates(self, index: int) -> bool:
        """Whether the join may come without child ``index``."""
        return not self.is_over and index in self.failures

    def take(self, failure: FailedInput) -> bool:
        """A child failed: True while that is within the budget."""
        if self.allowed is None or self.is_over:
            return False
        self.failures[failure.index] = failure
        self.is_over = len(self.failures) > self.allowed
        return not self.is_over

    @property
    def why(self) -> str:
        """That the budget is used up; '' while it is not."""
        if not self.is_over:
            return ""
        return (
            f"{len(self.failures):,} of {self.num:,} items of '{self.step}' failed, and "
            f"max_failures={self.text} allows {self.allowed:,}."
        )

    def canary_words(self) -> str:
        """That canaries failed, and what was therefore not started."""
        total = len(self.canaries)
        which = "1 canary" if total == 1 else f"{self.failed_canaries:,} of {total:,} canaries"
        left = self.num_held
        tasks = "1 task was" if left == 1 else f"{left:,} tasks were"
        return f"{which} of '{self.step}' failed, {tasks} not started."


def guard_of(node: Node, step: str, split: Split) -> Guard | None:
    """For the foreach of ``node`` that opened ``split``; None where nothing is asked."""
    if split.is_gang or (node.max_failures is None and not split.canaries):
        return None
    return Guard(node, step, split)


def allowed_failures(text: str, num: int) -> int:
    """How many of ``num`` may fail: '2%' is rounded down, '5' is five."""
    if text.endswith("%"):
        from decimal import Decimal

        return int(Decimal(text[:-1]) * num / 100)
    return int(text)


def judge(scope: Scope | None, index: int, failure: FailedInput) -> Verdict:
    """Who answers for a task that failed at ``index`` of ``scope``: the innermost foreach that
    allows it, or a canary's, which answers when all its canaries have ended; else the run."""
    why = ""
    around: Scope | None = scope
    while around is not None:
        guard = around.guard
        if guard is not None:
            if index in guard.pending:
                guard.canary_failure = guard.canary_failure or failure
                return Verdict(ends_run=False)
            if guard.tolerates(index) or guard.take(at_index(failure, index)):
                return Verdict(ends_run=False, is_tolerated=True)
            why = why or guard.why
            around.was_lost = around.was_lost or guard.is_over
        index = around.index
        around = around.parent
    return Verdict(ends_run=True, why=why)


def at_index(failure: FailedInput, index: int) -> FailedInput:
    """The same failure as that of child ``index`` of an outer foreach."""
    return msgspec.structs.replace(failure, index=index)


def failed_input(index: int, task: str, attempts: int, outcome: Outcome) -> FailedInput:
    """What the join is told of a failed child; long texts are cut."""
    error = outcome.error
    if error is not None:
        trace = error.traceback
        if len(trace) > TRACEBACK_CHARS:
            trace = f"…{trace[-TRACEBACK_CHARS:]}"
        error = ErrorInfo(error.type, error.text[:TEXT_CHARS], trace)
    message = outcome.message[:TEXT_CHARS]
    return FailedInput(index, task, outcome.cause.value, message, error, attempts)


def in_order(failures: Iterable[FailedInput]) -> tuple[FailedInput, ...]:
    """By index."""
    return tuple(sorted(failures, key=lambda failure: failure.index))
