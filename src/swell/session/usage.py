"""Which runs use a Blob: told when it turns out to be damaged."""

from __future__ import annotations

from swell.errors import DataDamaged, MetadataError
from swell.model.ids import RunId
from swell.seams.metastore import Metastore

LOOKED_AT = 200
"""So many runs are searched, latest first: the search is for people who wait."""
_NAMED = 5


def runs_that_use(metastore: Metastore, key: str) -> list[RunId]:
    """Of the latest 200 runs those that have an artifact or card in the Blob ``key``."""
    found = []
    for run in metastore.runs(limit=LOOKED_AT):
        for stored in metastore.records(run.id):
            artifacts, cards = stored.record.artifacts.values(), stored.record.cards
            if key in {ref.key for ref in artifacts} | {card.key for card in cards}:
                found.append(run.id)
                break
    return found


def tell_users(error: DataDamaged, metastore: Metastore) -> None:
    """Add the runs that use the Blob to what ``error`` says."""
    if error.key is None:
        return
    try:
        runs = runs_that_use(metastore, error.key)
    except MetadataError:
        return
    if not runs:
        return
    names = ", ".join(str(run) for run in runs[:_NAMED])
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    error.message += f" It is used by {names}{more}."
