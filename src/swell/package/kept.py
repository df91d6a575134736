"""Zip files that were made once, kept in the cache folder under the hash of their content."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from swell.errors import StoreError, StoreFull

_FOLDER = "packages"
_KNOWN = "known"
# Names with a dot are not counted, and not cleaned, as the rest of the cache is.
_STAGING = ".staging"
_FORGOTTEN_AFTER_S = 30 * 86400.0
_STAGING_LEFT_S = 86400.0


class KeptZip(msgspec.Struct, frozen=True):
    """A zip file in the cache: its path, the SHA-256 of its bytes, its size, and how many
    files are in it."""

    path: str
    sha256: str
    size: int
    files: int


class PackageCache:
    """Zip files below ``folder``. Safe for many processes: each file is there whole or not.

    What was not used for 30 days is forgotten when something new is made.
    """

    def __init__(self, folder: str) -> None:
        self._root = os.path.abspath(os.path.expanduser(folder))
        self._zips = os.path.join(self._root, _FOLDER)

    def find(self, key: str) -> KeptZip | None:
        """What was made for ``key``; None where that is gone or never was."""
        try:
            with open(self._known(key), "rb") as file:
                known = msgspec.json.decode(file.read(), type=KeptZip)
            kept = msgspec.structs.replace(known, path=self._zip(known.sha256))
            if os.stat(kept.path).st_size != kept.size:
                return None
            os.utime(kept.path)
            os.utime(self._known(key))
        except (OSError, msgspec.DecodeError):
            return None
        return kept

    def keep(self, key: str, make: Callable[[str], int], *, is_sure: bool = True) -> KeptZip:
        """Let ``make`` write a zip to the path it is given; it returns the number of files.

        ``is_sure`` False: make it anew the next time, as its sources may still be changing.
        Raises StoreError where the cache cannot be written.
        """
        with self.staging() as folder:
            draft = os.path.join(folder, "draft.zip")
            files = make(draft)
            with self._mapped("writing"):
                digest, size = _digest(draft)
                kept = KeptZip(self._zip(digest), digest, size, files)
                os.makedirs(os.path.dirname(self._known(key)), exist_ok=True)
                os.replace(draft, kept.path)
                if is_sure:
                    note = os.path.join(folder, "note")
                    with open(note, "wb") as file:
                        file.write(msgspec.json.encode(kept))
                    os.replace(note, self._known(key))
        self._forget_old()
        return kept

    @contextmanager
    def staging(self) -> Iterator[str]:
        """A folder beside the zips, gone at the end."""
        with self._mapped("making"):
            folder = os.path.join(self._root, _STAGING, secrets.token_hex(8))
            os.makedirs(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _zip(self, sha256: str) -> str:
        return os.path.join(self._zips, f"{sha256}.zip")

    def _known(self, key: str) -> str:
        return os.path.join(self._zips, _KNOWN, f"{key}.json")

    def _forget_old(self) -> None:
        now = time.time()
        for folder, limit_s in (
            (self._zips, _FORGOTTEN_AFTER_S),
            (os.path.join(self._zips, _KNOWN), _FORGOTTEN_AFTER_S),
            (os.path.join(self._root, _STAGING), _STAGING_LEFT_S),
        ):
            try:
                old = [e for e in os.scandir(folder) if now - e.stat().st_mtime > limit_s]
                for entry in old:
                    if entry.is_file():
                        os.unlink(entry.path)
                    elif folder.endswith(_STAGING):
                        shutil.rmtree(entry.path, ignore_errors=True)
            except OSError:
                # Another process cleans too, or the file is another user's.
                continue

    @contextmanager
    def _mapped(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kind = StoreFull if error.errno in (28, 122) else StoreError
            raise kind(
                f"{doing.capitalize()} packages in {self._root} failed: {error.strerror}.",
                remedy="Free some space or get permission there, or set SWELL_CACHE to another "
                "folder.",
            ) from error


def _digest(path: str) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size
