"""The open splits of a run: who has arrived at which join, eight bytes a child."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from swell.errors import InternalError

if TYPE_CHECKING:
    from swell.scheduler.guard import Guard

Splits = tuple[tuple[str, int], ...]
"""(id of the split task, index in it) for each open foreach or gang, outermost first."""


class Scope:
    """One opened split, from its split task to its join; the root scope has no parent.

    Each task runs in one innermost scope at one index. ``arrivals`` holds, by index, the
    id of the task that reached the join (0 = not yet); ``missing`` counts those that
    neither arrived nor were lost. A static split adds no level to ``splits``: its branches
    are different steps already. ``guard`` is there for a foreach with a failure budget or
    canaries.
    """

    __slots__ = (
        "arrivals",
        "first",
        "guard",
        "index",
        "is_gang",
        "is_static",
        "missing",
        "outer",
        "parent",
        "ran",
        "split",
        "was_lost",
    )

    def __init__(
        self,
        parent: Scope | None,
        index: int,
        *,
        split: str = "0",
        num: int = 1,
        outer: Splits = (),
        is_static: bool = True,
    ) -> None:
        self.parent = parent
        self.index = index
        self.split = split
        self.outer = outer
        self.is_static = is_static
        self.arrivals = array("q", bytes(8 * num))
        self.missing = num
        self.ran = False
        self.was_lost = False
        self.is_gang = False
        self.first = 0
        self.guard: Guard | None = None

    def splits_at(self, index: int) -> Splits:
        """The foreaches and gangs around the task at ``index``."""
        if self.is_static:
            return self.outer
        return (*self.outer, (self.split, index))

    def indices_at(self, index: int) -> tuple[int, ...]:
        """The indices of ``splits_at``."""
        outer = tuple([at for _, at in self.outer])
        return outer if self.is_static else (*outer, index)

    def arrive(self, index: int, task: int, ran: bool) -> bool:
        """Task ``task`` reached the join; ``ran``: it, or something before it, was not adopted.

        False where nothing follows from it yet: others are missing, and nobody guards them.
        """
        arrivals = self.arrivals
        if arrivals[index]:
            raise InternalError(f"Two tasks reached a join at index {index} of task {self.split}.")
        arrivals[index] = task
        self.missing -= 1
        self.ran = self.ran or ran
        return not self.missing or self.guard is not None

    def lose(self, *, ran: bool) -> None:
        """A task here will never arrive."""
        self.missing -= 1
        self.ran = self.ran or ran

    def arrived_indices(self) -> tuple[int, ...]:
        """Where tasks arrived, in order."""
        return tuple([index for index, id in enumerate(self.arrivals) if id])

    def arrived_names(self) -> tuple[str, ...]:
        """Ids of all that arrived, in split order."""
        if self.is_gang:
            return tuple([gang_member_name(self.first, id - self.first) for id in self.arrivals])
        return tuple([str(id) for id in self.arrivals if id])


def gang_member_name(first: int, node: int) -> str:
    """The id of a gang's member ``node``; ``first`` is the control task's."""
    return f"{first}_node_{node}" if node else str(first)
