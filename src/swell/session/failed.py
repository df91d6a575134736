"""What the store knows of a task that failed, for the report on its run."""

from __future__ import annotations

from collections import deque

import msgspec

from swell.model.ids import PARAMETERS_STEP, JobId, RunId
from swell.model.record import Split
from swell.session.reading import LocalStores

LINE_CHARS = 160
"""Of all parameters together."""


class ForeachPlace(msgspec.Struct, frozen=True):
    """A task's place in one foreach around it; ``item`` is a short text, '' if unknown."""

    var: str
    index: int
    num: int
    item: str


def foreach_places(stores: LocalStores, run: RunId, step: str, task: str) -> list[ForeachPlace]:
    """The foreaches around ``step/task``, outermost first. Raises MetadataError, StoreError."""
    found = stores.metastore.tasks(run, step, task)
    if not found:
        return []
    created = found[0].created
    places = []
    opened_by = [place.rpartition(":")[0] for place in created.path_text.split(",") if place]
    for depth, (split_step, index) in enumerate(zip(opened_by, created.indices, strict=False)):
        split = opened_split(stores, run, split_step, created.indices[:depth])
        if split is not None:
            text = "" if split.is_gang else stores.data.item_text(split.items.ref(index))
            places.append(ForeachPlace(split.var, index, split.num, text))
    return places


def parameters_line(stores: LocalStores, run: RunId) -> str:
    """'n = 3, alpha = 0.5': the parameters and constants of a run, in a line; '' without any."""
    shown = [
        f"{name} = {ref.preview_line}"
        for stored in stores.metastore.records(run, step=PARAMETERS_STEP)
        for name, ref in sorted(stored.record.artifacts.items())
        if name != "name" and not name.startswith("_")
    ]
    line = ", ".join(shown)
    return line if len(line) <= LINE_CHARS else f"{line[: LINE_CHARS - 1]}…"


def opened_split(
    stores: LocalStores, run: RunId, step: str, indices: tuple[int, ...]
) -> Split | None:
    """The foreach or gang that the task of ``step`` at ``indices`` opened; None if unknown."""
    for fact in stores.metastore.tasks(run, step):
        if fact.created.indices == indices:
            for attempt in stores.metastore.attempts(run, step, fact.created.task):
                outcome = attempt.outcome
                if outcome is not None and outcome.transition is not None:
                    return outcome.transition.split
    return None


def last_lines(stores: LocalStores, run: RunId, job: JobId, num: int) -> list[bytes]:
    """The last ``num`` lines that ``job`` printed, carriage returns in them. Raises StoreError."""
    lines = stores.logs(run).lines(job.task, job.attempt)
    return list(deque((line.text for line in lines if line.stream != "system"), maxlen=num))
