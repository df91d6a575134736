"""What a run has beside its Blobs: its log, its scratch folder, its prefixes in object stores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import NamedTuple

from swell.model.ids import RunId
from swell.seams.storage import Entry, Storage

RUN_ROOTS = ("runs", "data")
"""Below them an object store has ``<flow>/<run>/``: what engines need and tell; data that
tasks put there with ``S3(run=…)``."""

_DELETED_AT_ONCE = 1000


class RunFolders(NamedTuple):
    """Where one database's runs have logs and scratch folders on this machine."""

    logs: str
    scratch: str

    def log(self, run: RunId) -> str:
        """The folder of a run's log."""
        return os.path.join(self.logs, run.flow, str(run.number))

    def logged(self) -> Iterator[RunId]:
        """Runs that have a log here."""
        for flow in _names(self.logs):
            # A flow's name has no hyphen: such a folder is another database's.
            if "-" in flow:
                continue
            for number in _names(os.path.join(self.logs, flow)):
                if number.isdecimal():
                    yield RunId(flow, int(number))

    def scratches(self) -> Iterator[RunId]:
        """Runs that have a scratch folder here."""
        for name in _names(self.scratch):
            flow, _, number = name.rpartition("-")
            if number.isdecimal() and flow.isidentifier():
                yield RunId(flow, int(number))

    def remove_log(self, run: RunId) -> int:
        """Remove a run's log; bytes freed."""
        freed = _remove(self.log(run))
        try:
            os.rmdir(os.path.dirname(self.log(run)))
        except OSError:
            # Other runs of the flow have logs.
            pass
        return freed

    def remove_scratch(self, run: RunId) -> int:
        """Remove a run's scratch folder; bytes freed."""
        return _remove(self._scratch_of(run))

    def scratch_age(self, run: RunId) -> float:
        """When something was last put there (Unix seconds); now if it is gone."""
        try:
            return os.stat(self._scratch_of(run)).st_mtime
        except OSError:
            return float("inf")

    def _scratch_of(self, run: RunId) -> str:
        return os.path.join(self.scratch, f"{run.flow}-{run.number}")


def folder_size(path: str) -> int:
    """Bytes of the files in a folder; 0 where there is none."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return total


def runs_with_objects(storage: Storage) -> Iterator[RunId]:
    """Runs that have a prefix of their own, each once a root."""
    for root in RUN_ROOTS:
        after = ""
        while (entry := next(iter(storage.list(f"{root}/", after)), None)) is not None:
            parts = entry.key.split("/")
            if len(parts) > 3 and parts[2].isdecimal():
                yield RunId(parts[1], int(parts[2]))
                # '0' follows '/': behind everything of this run.
                after = "/".join(parts[:3]) + "0"
            else:
                after = entry.key


def objects_of(storage: Storage, run: RunId) -> Iterator[Entry]:
    """What a run has under prefixes of its own."""
    for root in RUN_ROOTS:
        yield from storage.list(f"{root}/{run.flow}/{run.number}/")


def remove_objects(storage: Storage, run: RunId) -> int:
    """Delete what a run has under prefixes of its own; bytes freed."""
    freed = 0
    keys: list[str] = []
    for entry in list(objects_of(storage, run)):
        freed += entry.size
        keys.append(entry.key)
    for at in range(0, len(keys), _DELETED_AT_ONCE):
        storage.delete(keys[at : at + _DELETED_AT_ONCE])
    return freed


def _remove(path: str) -> int:
    if not os.path.isdir(path):
        return 0
    size = folder_size(path)
    shutil.rmtree(path, ignore_errors=True)
    return size - folder_size(path)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
