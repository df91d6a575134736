"""Everything that runs refer to; reads facts, never a Blob."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from swell.model.facts import Left
from swell.model.ids import RunId
from swell.seams.metastore import Metastore


class BlobId(NamedTuple):
    """A Blob and the object store it is in; None is the store folder."""

    store: str | None
    key: str


class Use(NamedTuple):
    """What refers to a Blob: the artifact ``name`` of a task, its card, or its foreach."""

    step: str
    task: str
    name: str
    blob: BlobId


def uses_in(left: Left) -> Iterator[Use]:
    """All that one attempt refers to."""

    def use(name: str, store: str | None, keys: Iterable[str | None]) -> Iterator[Use]:
        for key in keys:
            if key is not None:
                yield Use(left.step, left.job.task, name, BlobId(store, key))

    for name, ref in left.record.artifacts.items():
        yield from use(name, ref.store, (ref.key, *ref.files))
    for card in left.record.cards:
        yield from use(f"card '{card.id or card.type}'", card.store, (card.key,))
    if left.split is not None:
        items = left.split.items
        yield from use(f"items of '{left.split.var}'", items.store, (items.key, *items.files))


def uses_of_run(metastore: Metastore, run: RunId) -> Iterator[Use]:
    """All that the attempts of a run refer to; a Blob comes as often as it is used."""
    for left in metastore.left_by(run):
        yield from uses_in(left)


def blobs_of(metastore: Metastore, runs: Iterable[RunId]) -> set[BlobId]:
    """All Blobs that ``runs`` refer to."""
    return {use.blob for run in runs for use in uses_of_run(metastore, run)}
