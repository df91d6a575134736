"""Which tasks a resumed run takes over from its origin, found as they would start."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from swell.model.job import FailedInput
from swell.model.record import Transition
from swell.scheduler.attempts import work_at
from swell.scheduler.events import Adopted, AdoptTasks, OriginTask, Start, TaskKey
from swell.scheduler.ready import Block, ReadyWork, StepState

LOOKED_AT_ONCE = 1_000
"""So many indices of a Block that the origin does not have are passed over at once."""


class Found(msgspec.Struct, frozen=True):
    """An adopted task, and where it went in the origin; or one that ``failed`` for good there."""

    block: Block
    index: int
    transition: Transition | None
    failed: FailedInput | None = None


class _Search:
    """A Block on its way: looked at up to ``block.index``; from ``kept`` on not adopted."""

    __slots__ = ("block", "kept")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.kept = block.index


class Adoption:
    """Blocks that may have been done in the origin, the deepest on top.

    What is found is followed before its siblings are looked at, so that few Blocks are
    open at once, and nothing here calls itself: chains may be thousands of steps long.
    """

    def __init__(
        self, origin: Mapping[TaskKey, OriginTask], failed: Mapping[TaskKey, FailedInput]
    ) -> None:
        self._origin = origin
        self._failed = failed
        self._steps = frozenset(key.step for key in (*origin, *failed))
        self._searches: list[_Search] = []
        self._adopted: dict[str, list[Adopted]] = {}

    @property
    def is_searching(self) -> bool:
        """There are Blocks to look at."""
        return bool(self._searches)

    @property
    def knows_any(self) -> bool:
        """There is an origin to adopt from."""
        return bool(self._steps)

    @property
    def has_commands(self) -> bool:
        """Something was adopted that ``take_commands`` did not give yet."""
        return bool(self._adopted)

    def knows(self, step: str) -> bool:
        """The origin has tasks of ``step``."""
        return step in self._steps

    def search(self, block: Block) -> None:
        """Look for the tasks of ``block`` next."""
        self._searches.append(_Search(block))

    def clear(self) -> None:
        """Look for nothing more; what was adopted stays so."""
        self._searches.clear()

    def next_found(self, ready: ReadyWork) -> list[Found]:
        """Look on: none, one, or all members of a gang. What is not there goes to ``ready``."""
        search = self._searches[-1]
        block = search.block
        if block.is_gang:
            self._searches.pop()
            return self._whole_gang(block, ready)
        for index in range(block.index, min(block.end, block.index + LOOKED_AT_ONCE)):
            block.index = index + 1
            key = block.key(index)
            origin = self._origin.get(key)
            failed = self._failed.get(key) if origin is None and self._failed else None
            if origin is None and failed is None:
                continue
            if search.kept < index:
                ready.push(block.part(search.kept, index))
            search.kept = index + 1
            if origin is None:
                return [Found(block, index, None, failed)]
            self._adopt(work_at(block, index).start(), origin)
            return [Found(block, index, origin.transition)]
        if block.index == block.end:
            self._searches.pop()
            if search.kept < block.end:
                ready.push(block.part(search.kept, block.end))
        return []

    def take_commands(self, steps: Mapping[str, StepState]) -> list[AdoptTasks]:
        """What was adopted since the last call, parents before children."""
        names = sorted(self._adopted, key=lambda name: steps[name].depth)
        commands = [AdoptTasks(name, tuple(self._adopted[name])) for name in names]
        self._adopted = {}
        return commands

    def _whole_gang(self, block: Block, ready: ReadyWork) -> list[Found]:
        origins = [self._origin.get(block.key(node)) for node in range(block.end)]
        known = [origin for origin in origins if origin is not None]
        if len(known) < len(origins):
            ready.push(block)
            return []
        for start, origin in zip(work_at(block, 0).starts(), known, strict=True):
            self._adopt(start, origin)
        return [Found(block, node, origin.transition) for node, origin in enumerate(known)]

    def _adopt(self, start: Start, origin: OriginTask) -> None:
        self._adopted.setdefault(start.step, []).append(Adopted(start, origin.task))
