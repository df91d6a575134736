"""The named facts of a task that tools read, derived from what the store knows (COMPAT 8.2)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from swell.client.query import origin_of, run_graph
from swell.client.stores import Stores
from swell.client.whereabouts import DATASTORE, datastore_of
from swell.errors import DataMissing
from swell.model.facts import AttemptFact, RunFact, TaskCreated, TaskFact
from swell.model.graph import Graph
from swell.model.ids import PARAMETERS_STEP
from swell.model.record import Usage

FOREACH_STACK = "foreach-stack"
GIT_INFO = "git-info"


class Datum(NamedTuple):
    """One fact; ``created_at`` in milliseconds since 1970."""

    name: str
    value: object
    created_at: int
    type: str


def task_facts(
    stores: Stores,
    run: RunFact,
    fact: TaskFact,
    attempts: Sequence[AttemptFact],
    of_parameters: Sequence[AttemptFact],
) -> list[Datum]:
    """All named facts of a task; of one that resume took over, the origin's newest too.

    ``of_parameters`` are the attempts of the run's ``_parameters`` task.
    """
    created, datastore = fact.created, datastore_of(of_parameters) or stores.datastore
    found = [*_graph_data(created, run_graph(run))]
    found += _attempt_data(run, created, attempts, datastore, _git_info(of_parameters))
    if created.origin_task is None:
        return found
    try:
        origin_run, origin = origin_of(stores, run, fact)
    except DataMissing:
        return found
    tried = stores.metastore.attempts(origin_run.id, task=origin.created.task)
    theirs = list(_attempt_data(origin_run, origin.created, tried, datastore))
    own = {datum.name for datum in found}
    return found + [datum for name, datum in newest_by_name(theirs).items() if name not in own]


def _attempt_data(
    run: RunFact,
    created: TaskCreated,
    attempts: Sequence[AttemptFact],
    datastore: str,
    git: str | None = None,
) -> Iterator[Datum]:
    """Facts of all ``attempts``, oldest first."""
    of_every_attempt = dict(_facts_of_every_attempt(run, created, datastore))
    if git is not None:
        of_every_attempt[GIT_INFO] = git
    for attempt in attempts:
        number = str(attempt.job.attempt)
        began = attempt.started_at if attempt.started_at is not None else attempt.ended_at
        start = _ms(created.created_at if began is None else began)
        yield Datum("attempt", number, start, "attempt")
        for name, value in of_every_attempt.items():
            kind = "internal_task_type" if name == "internal_task_type" else name
            yield Datum(name, value, start, kind)
        if attempt.ended_at is None or attempt.outcome is None:
            continue
        end = _ms(attempt.ended_at)
        for name, (kind, text) in attempt.metadata.items():
            if name in of_every_attempt:
                continue
            yield Datum(name, text, end, kind)
        for name, value in _measured(attempt.usage):
            yield Datum(name, value, end, "usage")
        is_ok = str(attempt.outcome.ok or attempt.outcome.caught)
        yield Datum("attempt_ok", is_ok, end, "internal_attempt_status")
        yield Datum("attempt-done", number, end, "attempt-done")


def _measured(usage: Usage) -> Iterator[tuple[str, str]]:
    """What was measured of an attempt, as text; what nobody measured is left out."""
    for field in usage.__struct_fields__:
        value = getattr(usage, field)
        if value not in (None, ""):
            name = "memory-measured-by" if field == "how" else field.replace("_", "-")
            yield name, value if isinstance(value, str) else f"{value:g}"


def _facts_of_every_attempt(
    run: RunFact, created: TaskCreated, datastore: str
) -> Iterator[tuple[str, object]]:
    scheme, separator, _ = datastore.partition("://")
    yield "origin-run-id", str(run.origin_run)
    if created.origin_task is not None:
        yield "origin-task-id", created.origin_task.partition("/")[2]
    yield "ds-type", scheme if separator else "local"
    yield DATASTORE, datastore
    yield "user", run.user
    for name in ("runtime", "python_version", "swell_version"):
        value = tag_value(run.system_tags, name)
        if value is not None:
            yield name, value
    yield "script-name", os.path.basename(run.script)
    if created.path_text:
        yield "foreach-execution-path", created.path_text
    if created.stack_text:
        yield FOREACH_STACK, list(created.stack_text)
    if created.gang_size is not None:
        yield "parallel-world-size", created.gang_size
    if created.gang_control:
        yield "internal_task_type", "control_task"


def _git_info(of_parameters: Sequence[AttemptFact]) -> str | None:
    """Kept once, with the run's parameters; tools look for it on every task."""
    for attempt in of_parameters:
        if GIT_INFO in attempt.metadata:
            return attempt.metadata[GIT_INFO][1]
    return None


def _graph_data(created: TaskCreated, graph: Graph | None) -> Iterator[Datum]:
    """What the ``_parameters`` task says of the graph."""
    if created.step == PARAMETERS_STEP and graph is not None:
        at = _ms(created.created_at)
        yield Datum("start_step", graph.start, at, "graph_structure")
        yield Datum("end_step", graph.end, at, "graph_structure")


def newest_by_name(data: Sequence[Datum]) -> Mapping[str, Datum]:
    """The newest fact of each name."""
    return {datum.name: datum for datum in sorted(data, key=lambda datum: datum.created_at)}


def tag_value(tags: frozenset[str], name: str) -> str | None:
    """'dev' for the tag 'runtime:dev'."""
    for tag in tags:
        key, separator, value = tag.partition(":")
        if key == name and separator:
            return value
    return None


def _ms(at: float) -> int:
    return int(at * 1000)
