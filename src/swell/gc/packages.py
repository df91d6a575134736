"""What travels to attempts elsewhere: which zip files an object store has, and who needs them.

Code, layers and the supervisor stand under their hash, shared by runs. The manifests of a run
name what its attempts fetch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from swell.datastore.object_sweep import PACKAGES
from swell.errors import DataMissing
from swell.model.ids import RunId
from swell.model.remote import RunKeys, decode_manifest
from swell.seams.storage import Entry, Storage


def packages_of(storage: Storage) -> Iterator[Entry]:
    """All zip files that travel."""
    for prefix in PACKAGES:
        yield from storage.list(prefix)


def packages_used(storage: Storage, runs: Iterable[RunId]) -> set[str]:
    """Keys of those that a manifest of one of ``runs`` names.

    Raises StoreError, and InternalError for a manifest that cannot be read: nothing may be
    removed then.
    """
    used: set[str] = set()
    for run in runs:
        for entry in storage.list(RunKeys(f"runs/{run.flow}/{run.number}").manifests):
            try:
                manifest = decode_manifest(bytes(storage.read(entry.key)))
            except DataMissing:
                continue  # the run was removed meanwhile
            used.update(package.key for package in manifest.packages())
    return used
