"""What a resumed run takes from the run it resumes; read before anything starts."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from swell.client.whereabouts import elsewhere
from swell.errors import CommandException, DataMissing, UsageError
from swell.model.facts import WITHS_FACT, RunFact
from swell.model.graph import Graph
from swell.model.ids import PARAMETERS_STEP, RunId
from swell.model.record import ArtifactRef, Outcome
from swell.model.wire import decode_record
from swell.scheduler.events import OriginTask, TaskKey
from swell.scheduler.launching import OriginEnd, OriginReader
from swell.scheduler.resume import latest_outcomes, tasks_to_adopt
from swell.seams.metastore import Metastore
from swell.seams.storage import Storage
from swell.session.databases import open_for_reading
from swell.session.place import find_place
from swell.settings import Settings

PARAMETERS_TASK = "0"


class Origin(NamedTuple):
    """The run that is resumed, its tasks' outcomes, and its parameters by attribute."""

    run: RunFact
    outcomes: Mapping[str, Outcome]
    parameters: Mapping[str, ArtifactRef]


def find_origin(metastore: Metastore, flow: str, wanted: str | None) -> Origin:
    """The run to resume: ``wanted``, else the latest of ``flow``.

    Raises CommandException when there is none, UsageError for a bad number.
    """
    run = _origin_run(metastore, flow, wanted)
    outcomes = latest_outcomes(metastore.attempts(run.id))
    return Origin(run, outcomes, _parameters_of(metastore, run))


def configs_of_origin(
    settings: Settings, script: str | None, flow: str, wanted: str | None, names: Collection[str]
) -> dict[str, Any]:
    """The configs of the run to resume, by attribute: those of ``names`` that it has.

    Opens the store to read and closes it: a run is not begun yet. Raises as find_origin.
    """
    from swell.session.datastores import Datastores

    metastore, place = open_for_reading(find_place(settings, script, os.getcwd()))
    artifacts = Datastores(place.blobs, None, settings, None).artifacts(script or "")
    try:
        run = _origin_run(metastore, flow, wanted)
        refs = _parameters_of(metastore, run)
        return {name: artifacts.load(refs[name]) for name in names if name in refs}
    except DataMissing:
        error = elsewhere(metastore, place.blobs, run.id, f"What run {run.id} left")
        if place.metadata is None or error is None:
            raise
        raise error from None
    finally:
        metastore.close()


def withs_of_run(settings: Settings, script: str | None, flow: str, wanted: str) -> tuple[str, ...]:
    """What was given to ``--with`` when the run began. Opens the store to read and closes it.

    Raises as find_origin.
    """
    metastore, _ = open_for_reading(find_place(settings, script, os.getcwd()))
    try:
        run = _origin_run(metastore, flow, wanted)
        (fact,) = metastore.attempts(run.id, PARAMETERS_STEP, PARAMETERS_TASK)
        _, text = fact.metadata.get(WITHS_FACT, ("", "[]"))
        return msgspec.json.decode(text, type=tuple[str, ...])
    finally:
        metastore.close()


def _parameters_of(metastore: Metastore, run: RunFact) -> Mapping[str, ArtifactRef]:
    encoded = metastore.encoded_records(run.id, [PARAMETERS_TASK])
    return decode_record(encoded[0]).artifacts


def _origin_run(metastore: Metastore, flow: str, wanted: str | None) -> RunFact:
    if wanted is not None:
        return _named_run(metastore, flow, wanted)
    runs = metastore.runs(flow, limit=1)
    if not runs:
        raise CommandException(
            f"There is no run of {flow} to resume in this store ({metastore.address}).",
            remedy="Start one with 'run', or name it with --origin-run-id.",
        )
    return runs[0]


def _named_run(metastore: Metastore, flow: str, wanted: str) -> RunFact:
    text = wanted.removeprefix(f"{flow}/")
    if not text.isdecimal():
        raise UsageError(
            f"'{wanted}' is not the number of a run.", remedy="Give the number alone, such as 15."
        )
    run = metastore.run(RunId(flow, int(text)))
    if run is None:
        known = [str(one.id.number) for one in metastore.runs(flow, limit=5)]
        raise CommandException(
            f"{flow} has no run {text}.",
            remedy=f"Its latest runs: {', '.join(known)}." if known else "It has no runs yet.",
        )
    return run


def adoptable(
    metastore: Metastore, origin: Origin, graph: Graph, step: str | None
) -> dict[TaskKey, OriginTask]:
    """The origin's tasks that need not run again."""
    return tasks_to_adopt(graph, metastore.tasks(origin.run.id), origin.outcomes, step)


def check_reachable(
    metastore: Metastore, origin: Origin, adopted: Collection[OriginTask], storage: Storage
) -> None:
    """A run of another machine can be resumed where its Blobs are. Raises DataMissing."""
    from swell.datastore.blob_format import storage_key

    run = origin.run.id
    error = elsewhere(metastore, storage.url, run, f"What run {run} left")
    if error is None:
        return
    refs = dict(origin.parameters)
    for stored in metastore.records(run, tasks=[task.task for task in adopted]):
        refs.update({f"{stored.job}.{n}": ref for n, ref in stored.record.artifacts.items()})
    try:
        # What names its store can be reached from everywhere.
        for key in {ref.key for ref in refs.values() if ref.key and ref.store is None}:
            storage.read(storage_key(key), 0, 1)
    except DataMissing:
        raise error from None


def origin_reader(metastore: Metastore, origin: Origin) -> OriginReader:
    """Reads how tasks of the origin ended, with their encoded Records."""

    def read(tasks: Sequence[str]) -> list[OriginEnd]:
        records = metastore.encoded_records(origin.run.id, tasks)
        return [
            OriginEnd(origin.outcomes[task], record)
            for task, record in zip(tasks, records, strict=True)
        ]

    return read
