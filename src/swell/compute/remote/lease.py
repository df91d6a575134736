"""Shows remote attempts that their driver lives, and tells them when it leaves them alone."""

from __future__ import annotations

import threading

from swell.errors import SwellError
from swell.model.remote import RunKeys
from swell.seams.storage import Storage

_BEATS_A_LEASE = 10
DRIVER, DETACHED = b"driver", b"detached"


class Lease:
    """Beats in a thread of its own: uploads and slow answers must not look like a death.

    ``lease_s`` is how long attempts go on without a beat.
    """

    def __init__(self, storage: Storage, keys: RunKeys, lease_s: float) -> None:
        self._storage = storage
        self._keys = keys
        self._every_s = lease_s / _BEATS_A_LEASE
        self._number = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="swell-lease", daemon=True)

    def open(self) -> None:
        """Take the run over: from the first beat on its attempts are this driver's."""
        for entry in self._storage.list(self._keys.lease):
            number = entry.key.rpartition("/")[2]
            if number.isdecimal():
                self._number = max(self._number, int(number))
        self._write(DRIVER)
        self._thread.start()

    def close(self, limit_s: float | None = None) -> None:
        """Stop beating; attempts that are left end when the lease has run out. A beat that is
        on its way is waited for, at most ``limit_s``."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(limit_s)

    def detach(self) -> None:
        """Stop beating, and let attempts go on by themselves."""
        self.close()
        self._write(DETACHED)

    def _beat(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._write(DRIVER)
            except SwellError:
                continue  # the next beat is soon, and the lease is ten of them

    def _write(self, word: bytes) -> None:
        self._number += 1
        while not self._storage.write(self._keys.beat(self._number), [word]):
            self._number += 1
        if self._number > 2:
            self._storage.delete([self._keys.beat(self._number - 2)])
