"""``current``: what a step may ask about the run, task and attempt it belongs to.

One object per process: a task is a process, and threads that the step starts must see
it too (a ContextVar would hide it from them). The task runner alone sets and resets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

_ALWAYS = (
    "flow_name run_id step_name task_id retry_count origin_run_id pathspec task run "
    "namespace username tags tempdir parameter_names graph"
).split()


class Current:
    """Facts about the running task; outside a task all of them are None.

    Example::

        from swell import current
        print(current.run_id, current.step_name)
    """

    def __init__(self) -> None:
        self._facts: dict[str, object] | None = None
        self._late: dict[str, Callable[[], object]] = {}

    @property
    def is_running_flow(self) -> bool:
        """Whether this code runs inside a task."""
        return self._facts is not None

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        facts = self._facts
        if facts is not None:
            if name in self._late:
                facts[name] = self._late.pop(name)()
            if name in facts:
                return facts[name]
        if name in _ALWAYS:
            return None
        where = "in this task" if facts is not None else "outside a running task"
        raise AttributeError(
            f"'current' has no '{name}' {where}. Some fields come with a decorator: "
            "project_name with @project, card with @card, parallel with @parallel."
        )

    def __contains__(self, name: str) -> bool:
        try:
            return getattr(self, name) is not None
        except AttributeError:
            return False

    def get(self, name: str, default: object = None) -> object:
        """``current.<name>``, or ``default`` where it is None or unknown."""
        return getattr(self, name) if name in self else default


current = Current()


@contextmanager
def running(
    facts: Mapping[str, object], late: Mapping[str, Callable[[], object]]
) -> Iterator[dict[str, object]]:
    """Make ``current`` answer with ``facts``, and with ``late`` ones when first asked.

    Yields the mapping behind it, for decorators to add to.
    """
    before = current._facts, current._late
    current._facts, current._late = dict(facts), dict(late)
    try:
        yield current._facts
    finally:
        current._facts, current._late = before
