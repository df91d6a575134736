"""Gathers from a store what is compared of a run."""

from __future__ import annotations

import msgspec

from swell.client.compare import RunView
from swell.client.metadata import GIT_INFO, tag_value
from swell.client.query import run_graph
from swell.client.stores import Stores
from swell.errors import DataDamaged, InternalError, StoreError
from swell.model.facts import PACKAGES_FACT, SCRIPT_ARTIFACT, AttemptFact, RunFact, StoredRecord
from swell.model.ids import PARAMETERS_STEP
from swell.model.record import ArtifactRef


def view_run(stores: Stores, run: RunFact) -> RunView:
    """Facts and Records of ``run``; of its Blobs at most the script's text is read.

    Raises MetadataError, and DataDamaged where a Record cannot be decoded.
    """
    attempts = stores.metastore.attempts(run.id)
    records = _records(stores, run)
    artifacts = {stored.job.task: stored.record.artifacts for stored in records}
    of_parameters = [
        stored.record.artifacts for stored in records if stored.step == PARAMETERS_STEP
    ]
    parameters = of_parameters[0] if of_parameters else {}
    named = _named_facts([one for one in attempts if one.step == PARAMETERS_STEP])
    packages = _texts(named.get(PACKAGES_FACT))
    tasks = [one for one in stores.metastore.tasks(run.id) if one.created.step != PARAMETERS_STEP]
    tasks.reverse()
    graph = run_graph(run)
    in_graph = (graph.order or tuple(graph.nodes)) if graph is not None else ()
    git = _texts(named.get(GIT_INFO)) or {}
    code = {
        "commit": git.get("commit_sha", ""),
        "branch": git.get("branch_name", ""),
        "script": run.script,
    }
    if packages is not None:
        versions = {
            "python": tag_value(run.system_tags, "python_version") or "",
            "swell": tag_value(run.system_tags, "swell_version") or "",
        }
        packages = {**versions, **packages}
    return RunView(
        run=run,
        steps=tuple(dict.fromkeys([*in_graph, *(one.created.step for one in tasks)])),
        parameters={
            name: ref
            for name, ref in parameters.items()
            if name != "name" and not name.startswith("_")
        },
        code={name: text for name, text in code.items() if text},
        script=_script(stores, parameters.get(SCRIPT_ARTIFACT)),
        packages=packages,
        tasks=tuple(tasks),
        attempts=tuple(one for one in attempts if one.step != PARAMETERS_STEP),
        records=artifacts,
    )


def _records(stores: Stores, run: RunFact) -> list[StoredRecord]:
    try:
        return stores.metastore.records(run.id)
    except InternalError as error:
        raise DataDamaged(
            f"A record of run {run.id} is damaged: {error.message}",
            remedy="The database was changed from outside: compare another run, or put a copy "
            f"of {stores.address} from before back.",
        ) from error


def _named_facts(attempts: list[AttemptFact]) -> dict[str, str]:
    return {name: text for one in attempts for name, (_, text) in one.metadata.items()}


def _texts(json: str | None) -> dict[str, str] | None:
    if json is None:
        return None
    try:
        return msgspec.json.decode(json, type=dict[str, str])
    except msgspec.DecodeError:
        return None


def _script(stores: Stores, ref: ArtifactRef | None) -> str | None:
    if ref is None:
        return None
    try:
        text = stores.load(ref)
    except StoreError:
        return None  # of another machine, or damaged: the rest can be compared
    return text if isinstance(text, str) else None
