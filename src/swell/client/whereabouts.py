"""Where the artifacts and logs of a run are: metadata may be shared by many machines."""

from __future__ import annotations

import os
from collections.abc import Sequence

from swell.client.stores import Stores
from swell.errors import DataMissing
from swell.model.facts import AttemptFact
from swell.model.ids import PARAMETERS_STEP, RunId
from swell.model.record import ArtifactRef
from swell.seams.metastore import Metastore

DATASTORE = "ds-root"
"""The named fact of a run's parameters that says where its Blobs are."""


def datastore_of(of_parameters: Sequence[AttemptFact]) -> str | None:
    """Where a run keeps Blobs, from the attempts of its ``_parameters`` task."""
    for attempt in of_parameters:
        if DATASTORE in attempt.metadata:
            return attempt.metadata[DATASTORE][1]
    return None


def load_of_run(stores: Stores, run: RunId, ref: ArtifactRef) -> object:
    """The value behind ``ref``, left by ``run``. Raises StoreError."""
    try:
        return stores.load(ref)
    except DataMissing as error:
        # Without a class a value cannot be loaded either; that is no matter of places.
        is_blob_missing = ref.key is not None and ref.store is None and ref.key in error.message
        what = f"An artifact of run {run}"
        unreachable = elsewhere(stores.metastore, stores.datastore, run, what)
        if not is_blob_missing or unreachable is None:
            raise
        raise unreachable from error


def elsewhere(metastore: Metastore, datastore: str, run: RunId, what: str) -> DataMissing | None:
    """The error for ``what`` of a run that was made in another place; None for one made here.

    ``datastore`` is where the one who asks keeps Blobs.
    """
    fact = metastore.run(run)
    place = datastore_of(metastore.attempts(run, PARAMETERS_STEP))
    here = os.uname().nodename
    if fact is None or place is None:
        return None
    # Of a run with artifacts in an object store the rest is in its machine's folder.
    if fact.host == here and (place == datastore or "://" in place):
        return None
    where = place if "://" in place else f"{fact.host}:{place}"
    return DataMissing(
        f"{what} cannot be reached from here: {fact.user} ran it on '{fact.host}', and it is "
        f"kept in {where}, while this store is {here}:{datastore}.",
        remedy="Look at it there, or set SWELL_ROOT to that folder where it can be reached: "
        "the metadata database is shared, artifacts and logs are not.",
    )
