"""Deletes forgotten values from a bucket while others write: none is lost that is written again.

A service cannot delete "unless it changed". So the one who deletes says so before it looks at
ages for the last time: it puts a mark, looks, deletes what is still old, and takes the mark
away. Who writes a value anew that was old looks for marks afterwards, waits until there is
none, and looks whether the value is still there; so does who finds it just written. Of two that
meet, the one sees what the other wrote before it looked. Values that were neither old nor just
written are in no danger.

One sweep at a time: another one might delete what was written after the first had deleted it.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Collection, Sequence

from swell.datastore.object_store import THREADS, ObjectStorage
from swell.datastore.spread import spread
from swell.errors import StoreError

PACKAGES = ("code/", "layers/", "bootstrap/")
"""What stands below them travels to attempts elsewhere."""
SWEPT = ("blobs/", *PACKAGES)
"""Only what stands below them is ever swept, and made young by who relies on it."""
MARKS = "sweeps/"
MARK_HOLDS_S = 600.0
"""An older mark is that of a dead process: nothing is deleted so long after it was put."""

_SKEW_S = 900.0
"""S3 refuses requests of machines whose clock is off by more."""
YOUNG_S = MARK_HOLDS_S + 2 * _SKEW_S
"""A value that was written within this time may have been old when a sweep looked that goes on."""

_AT_ONCE = 500
_DELETES_WITHIN_S = 120.0
_WAITS_S = 30.0
_POLL_S = 0.2
_TRIES = 5


def sweep(
    storage: ObjectStorage,
    keys: Collection[str],
    before: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Sequence[str]:
    """Delete those of ``keys`` that were not written since ``before`` (Unix seconds).

    Returns the keys deleted. Raises StoreError, also where another sweep goes on for longer
    than this one waits; some may be deleted then.
    """
    wanted = list(keys)
    gone: list[str] = []
    for at in range(0, len(wanted), _AT_ONCE):
        mark = _mark(storage, sleep, monotonic)
        marked_at = monotonic()
        try:
            old = _older(storage, wanted[at : at + _AT_ONCE], before)
            # Looking may have been slow, a deletion after the mark has run out must not be.
            if old and monotonic() - marked_at < _DELETES_WITHIN_S:
                storage.delete_once(old)
                gone += old
        finally:
            storage.delete([mark])
    return gone


def write_anew(
    storage: ObjectStorage,
    key: str,
    buffers: Sequence[bytes | memoryview],
    progress: Callable[[int], None] | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Write ``key``, which is there but old, so that no sweep takes it. Raises StoreError."""
    for tries in range(_TRIES):
        storage.upload(key, buffers, None if tries else progress)
        written = storage.entry(key)
        if written is None:
            continue
        if outlasts_sweeps(storage, key, written.modified_at, sleep=sleep, monotonic=monotonic):
            return
    raise StoreError(
        f"'{key}' in {storage.url} was deleted {_TRIES} times just after it was written.",
        remedy="See who deletes there: 'swell gc' runs, or a lifecycle rule of the bucket.",
    )


def outlasts_sweeps(
    storage: ObjectStorage,
    key: str,
    now: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Wait until no sweep goes on that began before this call; whether ``key`` is there then.

    ``now`` is the time by a clock that is off by a quarter of an hour at most.
    """
    began = monotonic()
    while True:
        holds_from = now + monotonic() - began - MARK_HOLDS_S - _SKEW_S
        if all(mark.modified_at < holds_from for mark in storage.list(MARKS)):
            return storage.entry(key) is not None
        sleep(_POLL_S)


def _mark(
    storage: ObjectStorage, sleep: Callable[[float], None], monotonic: Callable[[], float]
) -> str:
    """Put a mark when there is no other; its key."""
    began = monotonic()
    while True:
        mark = f"{MARKS}{uuid.uuid4().hex}"
        storage.write(mark, [b"Old values are being deleted.\n"])
        marks = {entry.key: entry.modified_at for entry in storage.list(MARKS)}
        now = marks.get(mark, 0.0)
        others = [key for key, at in marks.items() if key != mark and now - at <= MARK_HOLDS_S]
        if mark in marks and not others:
            return mark
        # Of two that see each other both step back, for times that differ.
        storage.delete([mark])
        if monotonic() - began > _WAITS_S:
            raise StoreError(
                f"Somebody else is cleaning {storage.url}, or was killed at it within the last "
                f"{MARK_HOLDS_S / 60:.0f} minutes.",
                remedy="Try again later.",
            )
        sleep(random.uniform(_POLL_S, 5 * _POLL_S))


def _older(storage: ObjectStorage, keys: Sequence[str], before: float) -> Sequence[str]:
    found = spread(storage.entry, keys, THREADS)
    return [entry.key for entry in found if entry is not None and entry.modified_at < before]
