"""What takes the space: by flow, run and artifact, each Blob counted once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from swell.gc.references import BlobId, Use, uses_of_run
from swell.model.ids import RunId
from swell.seams.metastore import Metastore


class Space(NamedTuple):
    """``uses`` are the bytes of all Blobs used, ``frees`` those that nothing else uses."""

    blobs: int = 0
    uses: int = 0
    frees: int = 0


class StoreSpace(NamedTuple):
    """Space by flow and by run; ``unused`` are Blobs that no run refers to, ``elsewhere``
    those that some run refers to and that are not in the stores that were listed."""

    flows: Mapping[str, Space]
    runs: Mapping[RunId, Space]
    all: Space
    unused: Space
    elsewhere: int


class ArtifactSpace(NamedTuple):
    """The artifacts of one name that ``tasks`` tasks of one step made."""

    step: str
    name: str
    tasks: int
    space: Space


_SHARED = -1


class _Owners:
    """Who uses each Blob: one alone, or several."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._owner: dict[BlobId, int] = {}

    def add(self, name: str, blobs: Iterable[BlobId]) -> None:
        number = self._number.setdefault(name, len(self._number))
        for blob in blobs:
            if self._owner.setdefault(blob, number) != number:
                self._owner[blob] = _SHARED

    def owned(self, name: str, blob: BlobId) -> bool:
        return self._owner[blob] == self._number[name]


def space_of_store(
    metastore: Metastore, runs: Iterable[RunId], sizes: Mapping[BlobId, int]
) -> StoreSpace:
    """``sizes`` are the stored bytes of all Blobs that were listed."""
    of_run: dict[RunId, frozenset[BlobId]] = {}
    by_run, by_flow = _Owners(), _Owners()
    of_flow: dict[str, set[BlobId]] = {}
    for run in runs:
        blobs = of_run[run] = frozenset(use.blob for use in uses_of_run(metastore, run))
        of_flow.setdefault(run.flow, set()).update(blobs)
        by_run.add(str(run), blobs)
        by_flow.add(run.flow, blobs)
    used = set().union(*of_flow.values())
    unused = [size for blob, size in sizes.items() if blob not in used]
    return StoreSpace(
        flows={flow: _space(flow, blobs, by_flow, sizes) for flow, blobs in of_flow.items()},
        runs={run: _space(str(run), blobs, by_run, sizes) for run, blobs in of_run.items()},
        all=Space(len(sizes), sum(sizes.values()), sum(sizes.values())),
        unused=Space(len(unused), sum(unused), sum(unused)),
        elsewhere=sum(blob not in sizes for blob in used),
    )


def space_of_artifacts(
    metastore: Metastore, run: RunId, others: Iterable[RunId], sizes: Mapping[BlobId, int]
) -> list[ArtifactSpace]:
    """By step and name, the largest first. A Blob counts where it was first made, not where
    it was handed on; ``frees`` is what no other run uses."""
    first: dict[BlobId, Use] = {}
    for use in uses_of_run(metastore, run):
        known = first.setdefault(use.blob, use)
        if _order(use) < _order(known):
            first[use.blob] = use
    found: dict[tuple[str, str], list[Use]] = {}
    for use in first.values():
        found.setdefault((use.step, use.name), []).append(use)
    owners = _Owners()
    owners.add("", first)
    for other in others:
        if other != run:
            owners.add(
                str(other), {use.blob for use in uses_of_run(metastore, other)} & first.keys()
            )
    rows = [
        ArtifactSpace(
            step,
            name,
            len({use.task for use in uses}),
            _space("", [use.blob for use in uses], owners, sizes),
        )
        for (step, name), uses in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.space.uses, row.step, row.name))


def _order(use: Use) -> tuple[int, str, str]:
    """The order of tasks: 2 before 10."""
    return len(use.task), use.task, use.name


def _space(
    name: str, blobs: Iterable[BlobId], owners: _Owners, sizes: Mapping[BlobId, int]
) -> Space:
    there = [blob for blob in blobs if blob in sizes]
    frees = sum(sizes[blob] for blob in there if owners.owned(name, blob))
    return Space(len(there), sum(sizes[blob] for blob in there), frees)
