"""``current``: what a step may ask about the run, task and attempt it belongs to.

One object per process: a task is a process, and threads that the step starts must see
it too (a ContextVar would hide it from them). The task runner alone sets and resets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

_ALWAYS = (
    "flow_name run_id step_name task_id retry_count origin_run_id pathspec task run "
    "namespace username tags tempdir parameter_names graph"
).split()


Source = Callable[[], tuple[Mapping[str, object], Mapping[str, Callable[[], object]]]]
"""Gives the facts of a task, and those that are made only when asked for."""


class Current:
    """Facts about the running task; outside a task all of them are None.

    Example::

        from swell import current
        print(current.run_id, current.step_name)
    """

    def __init__(self) -> None:
        self._facts: dict[str, object] | None = None
        self._source: Source | None = None
        self._late: Mapping[str, Callable[[], object]] = {}

    @property
    def is_running_flow(self) -> bool:
        """Whether this code runs inside a task."""
        return self._facts is not None

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        facts = self._facts
        if facts is not None:
            self._ask_source()
            if name not in facts and name in self._late:
                facts[name] = self._late[name]()
            if name in facts:
                return facts[name]
        if name in _ALWAYS:
            return None
        where = "in this task" if facts is not None else "outside a running task"
        raise AttributeError(
            f"'current' has no '{name}' {where}. Some fields come with a decorator: "
            "project_name with @project, card with @card, parallel with @parallel."
        )

    def _ask_source(self) -> None:
        source, self._source = self._source, None
        if source is not None and self._facts is not None:
            known, self._late = source()
            for name, value in known.items():
                self._facts.setdefault(name, value)

    def __contains__(self, name: str) -> bool:
        try:
            return getattr(self, name) is not None
        except AttributeError:
            return False

    def get(self, name: str, default: object = None) -> object:
        """``current.<name>``, or ``default`` where it is None or unknown."""
        return getattr(self, name) if name in self else default


current = Current()


class Running:
    """While entered, ``current`` answers for one task; gives the mapping for decorators to
    add to. ``source`` is asked only if the step asks ``current`` for anything."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __enter__(self) -> dict[str, object]:
        current._facts, current._source, current._late = {}, self._source, {}
        return current._facts

    def __exit__(self, *_: object) -> None:
        current._facts, current._source, current._late = None, None, {}
