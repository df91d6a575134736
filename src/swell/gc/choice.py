"""Which runs go, and from which age on Blobs may go; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from swell.model.facts import RunFact
from swell.model.ids import RunId

LOCAL_MARGIN_S = 600.0
"""A run stores its parameters some moments before it gets its number."""
REMOTE_MARGIN_S = 13 * 3600.0
"""What is stored again in an object store may count as written half a day before."""


class Selection(msgspec.Struct, frozen=True):
    """Runs for which all that is said holds; with nothing said: none.

    ``keep_runs`` spares the newest so many of each flow, ``older_than_s`` those that ended
    within that time.
    """

    keep_runs: int | None = None
    older_than_s: float | None = None
    tags: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return self == Selection()


def chosen(
    runs: Sequence[RunFact], selection: Selection, now: float, open_runs: Collection[RunId]
) -> list[RunFact]:
    """The runs to remove. Those that go on stay, and so do the runs that they resume."""
    if selection.is_empty:
        return []
    kept = set(open_runs) | _origins(runs, open_runs) | _newest(runs, selection.keep_runs)
    return [run for run in runs if run.id not in kept and _is_meant(run, selection, now)]


def oldest_to_keep(
    now: float, grace_s: float, open_runs: Iterable[RunFact], margin_s: float
) -> float:
    """Blobs written later than this stay, whoever refers to them (Unix seconds).

    A run that goes on may have stored what no fact tells of yet: nothing is removed that
    was written since it began.
    """
    return min([now - grace_s, *(run.created_at - margin_s for run in open_runs)])


def ended_at(run: RunFact) -> float:
    """When a run ended; of one that did not, its last sign of life."""
    return run.finished_at or max(run.created_at, run.heartbeat_at or 0.0)


def _is_meant(run: RunFact, selection: Selection, now: float) -> bool:
    age_s = selection.older_than_s
    if age_s is not None and now - ended_at(run) < age_s:
        return False
    return run.user_tags | run.system_tags >= set(selection.tags)


def _origins(runs: Sequence[RunFact], open_runs: Collection[RunId]) -> set[RunId]:
    return {
        RunId(run.id.flow, run.origin_run)
        for run in runs
        if run.id in open_runs and run.origin_run is not None
    }


def _newest(runs: Sequence[RunFact], count: int | None) -> set[RunId]:
    if count is None:
        return set()
    numbers: dict[str, list[int]] = {}
    for run in runs:
        numbers.setdefault(run.id.flow, []).append(run.id.number)
    return {
        RunId(flow, number)
        for flow, of_flow in numbers.items()
        for number in sorted(of_flow, reverse=True)[:count]
    }
