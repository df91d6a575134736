"""Removes runs, and Blobs that nothing refers to; safe while other runs write.

A Blob goes when no fact refers to it and it is older than the grace. What keeps that safe:

- Writers store Blobs before facts, and who stores again what is there makes it young.
- A fact that refers to an old Blob repeats a reference of its own run or of the run it
  resumes, and neither is removed while it goes on.
- Nothing goes that was written since the oldest run began that goes on.
- A Blob's age is looked at once more in the very act of deleting it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from swell.datastore.local import LocalStorage
from swell.errors import RunInUse
from swell.gc.choice import LOCAL_MARGIN_S, REMOTE_MARGIN_S, oldest_to_keep
from swell.gc.leftovers import RunFolders, remove_objects, runs_with_objects
from swell.gc.packages import packages_of, packages_used
from swell.gc.references import BlobId, blobs_of
from swell.model.facts import RunFact
from swell.model.ids import RunId
from swell.seams.clock import Clock
from swell.seams.metastore import Metastore
from swell.seams.storage import Entry, Storage, SweepableStorage

BLOBS = "blobs/"
CLOCK_SLACK_S = 0.02
"""A file's time is that of the kernel's last tick: up to 10 ms before the clock's."""

GoesOn = Callable[[RunFact], bool]
"""Whether a run's driver works, or an engine may still have jobs of it."""


class Sweepable(Storage, SweepableStorage, Protocol):
    """A Storage that can be swept."""


class Ground(NamedTuple):
    """Blobs that one database alone may clean, or several together: the store folder.

    ``store`` is what references name; None is the store folder. ``sharers`` are the other
    databases whose runs have Blobs there.
    """

    store: str | None
    storage: Sweepable
    sharers: tuple[Metastore, ...] = ()


class Findings(NamedTuple):
    """What nothing refers to on one ground: ``old`` may go, ``young`` stays for now."""

    ground: Ground
    old: Sequence[Entry]
    young: Sequence[Entry]
    before: float


class Freed(NamedTuple):
    """So many Blobs and bytes."""

    blobs: int
    bytes: int


class Cleaner:
    """Cleans what belongs to the runs of one database."""

    def __init__(
        self,
        metastore: Metastore,
        grounds: Sequence[Ground],
        folders: RunFolders,
        goes_on: GoesOn,
        *,
        grace_s: float,
        clock: Clock = time.time,
    ) -> None:
        self._metastore = metastore
        self.grounds = grounds
        self.folders = folders
        self._goes_on = goes_on
        self._grace_s = grace_s
        self._clock = clock

    def open_runs(self, runs: Sequence[RunFact]) -> list[RunFact]:
        """Those of ``runs`` that go on."""
        return [run for run in runs if run.finished_at is None and self._goes_on(run)]

    # --- runs -------------------------------------------------------------------

    def remove_run(self, run: RunFact, *, is_dead: bool = False) -> bool:
        """Remove a run's facts, then its log and prefixes; False when it is gone already.

        Raises RunInUse when it goes on, or one that resumes it. With ``is_dead`` the caller
        knows that ``run`` has neither driver nor jobs; who has taken it over since is found.
        """
        of_flow = [one for one in self._metastore.runs(run.id.flow) if one.finished_at is None]
        dead = [one for one in of_flow if not self._goes_on(one)]
        if is_dead:
            dead = [*(one for one in dead if one.id != run.id), run]
        if not self._metastore.delete_run(run.id, dead=dead):
            return False
        # Facts first: what is left by a crash in between belongs to no run, and goes next time.
        self.folders.remove_log(run.id)
        self.folders.remove_scratch(run.id)
        for ground in self.grounds:
            if ground.store is not None:
                remove_objects(ground.storage, run.id)
        return True

    def remove_runs(self, runs: Sequence[RunFact]) -> list[RunFact]:
        """Remove those of ``runs`` that do not go on; those removed."""
        gone = []
        for run in runs:
            try:
                if self.remove_run(run):
                    gone.append(run)
            except RunInUse:
                # It was taken up since it was chosen.
                continue
        return gone

    # --- Blobs ------------------------------------------------------------------

    def look(
        self, *, without: Collection[RunId] = (), among: Collection[BlobId] | None = None
    ) -> list[Findings]:
        """What nothing refers to, as if the runs ``without`` were not there; of ``among``
        only, if given."""
        findings = []
        for ground in self.grounds:
            before = self._before(ground)
            listed = [
                entry
                for entry in ground.storage.list(BLOBS)
                if among is None or blob_at(ground.store, entry.key) in among
            ]
            used = self._used(ground, without) if listed else set()
            unused = [entry for entry in listed if blob_at(ground.store, entry.key) not in used]
            findings.append(
                Findings(
                    ground,
                    [entry for entry in unused if entry.modified_at < before],
                    [entry for entry in unused if entry.modified_at >= before],
                    before,
                )
            )
        return findings

    # --- what travels -----------------------------------------------------------

    def look_at_packages(self, *, without: Collection[RunId] = ()) -> list[Findings]:
        """What no manifest of a run refers to, as if the runs ``without`` were not there."""
        findings = []
        for ground in self._far():
            before = self._before(ground)
            listed = list(packages_of(ground.storage))
            used = self._packages_used(ground, without) if listed else set()
            unused = [entry for entry in listed if entry.key not in used]
            old = [entry for entry in unused if entry.modified_at < before]
            young = [entry for entry in unused if entry.modified_at >= before]
            findings.append(Findings(ground, old, young, before))
        return findings

    def sweep_packages(self, found: Findings) -> Freed:
        """Delete those that may go, if they still may."""
        if not found.old:
            return Freed(0, 0)
        ground = found.ground
        # The ages that count are those before the manifests are read: see ``_before``.
        before = min(found.before, self._before(ground))
        used = self._packages_used(ground, ())
        sizes = {entry.key: entry.size for entry in found.old if entry.key not in used}
        gone = ground.storage.delete_older(list(sizes), before)
        return Freed(len(gone), sum(sizes[key] for key in gone))

    def _packages_used(self, ground: Ground, without: Collection[RunId]) -> set[str]:
        runs = [run.id for run in self._metastore.runs() if run.id not in without]
        return packages_used(ground.storage, runs)

    def _far(self) -> list[Ground]:
        return [ground for ground in self.grounds if ground.store is not None]

    def sweep(self, found: Findings) -> Freed:
        """Delete what may go, if it still may."""
        if not found.old:
            return Freed(0, 0)
        ground = found.ground
        used = self._used(ground, ())
        before = min(found.before, self._before(ground))
        sizes = {
            entry.key: entry.size
            for entry in found.old
            if blob_at(ground.store, entry.key) not in used
        }
        gone = ground.storage.delete_older(list(sizes), before)
        return Freed(len(gone), sum(sizes[key] for key in gone))

    def sweep_leftovers(self) -> int:
        """Remove logs, prefixes and drafts that belong to no run; bytes freed as far as told."""
        freed = 0
        # Listed before it is asked which runs there are: a run comes before what it leaves.
        logged = list(self.folders.logged())
        scratches = list(self.folders.scratches())
        with_objects = {
            ground.store: set(runs_with_objects(ground.storage))
            for ground in self.grounds
            if ground.store is not None
        }
        runs = {run.id: run for run in self._metastore.runs()}
        for run in logged:
            if run not in runs:
                freed += self.folders.remove_log(run)
        before = self._clock() - self._grace_s
        for run in scratches:
            fact = runs.get(run)
            is_over = fact is None or not self.open_runs([fact])
            if is_over and self.folders.scratch_age(run) < before:
                freed += self.folders.remove_scratch(run)
        for ground in self.grounds:
            for run in with_objects.get(ground.store, ()) if ground.store is not None else ():
                if run not in runs:
                    freed += remove_objects(ground.storage, run)
            if isinstance(ground.storage, LocalStorage):
                ground.storage.delete_drafts(before)
        return freed

    def _used(self, ground: Ground, without: Collection[RunId]) -> set[BlobId]:
        own = [run.id for run in self._metastore.runs() if run.id not in without]
        used = blobs_of(self._metastore, own)
        for other in ground.sharers:
            used |= blobs_of(other, [run.id for run in other.runs()])
        return used

    def _before(self, ground: Ground) -> float:
        # The time before the runs: one that begins in between stores later than that.
        now = self._clock() - CLOCK_SLACK_S
        runs = [*self._metastore.runs(), *(run for one in ground.sharers for run in one.runs())]
        open_runs = self.open_runs(runs)
        if ground.store is None:
            return oldest_to_keep(now, self._grace_s, open_runs, LOCAL_MARGIN_S)
        grace_s = max(self._grace_s, REMOTE_MARGIN_S)
        return oldest_to_keep(now, grace_s, open_runs, REMOTE_MARGIN_S)


def blob_at(store: str | None, storage_key: str) -> BlobId:
    """The Blob that stands under a key of its Storage."""
    return BlobId(store, storage_key.rpartition("/")[2])


def freed_by(found: Sequence[Entry]) -> Freed:
    """What deleting ``found`` would free."""
    return Freed(len(found), sum(entry.size for entry in found))
