"""Fetches zip files from the store, checks them, and unpacks them; layers once a machine."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress

from swell.bootstrap.folders import name_aside
from swell.bootstrap.manifest import Package
from swell.bootstrap.place import Refused
from swell.bootstrap.plain_zip import plain_files, write_files
from swell.bootstrap.store import Store
from swell.bootstrap.sweeping import remove_tree

_SLOWEST_BYTES_PER_S = 1_000_000
_READ = 1 << 20
_SMALL = 4 << 20


def fetch(store: Store, package: Package, cache: str) -> str:
    """The path of ``package`` as a checked zip file in ``cache``; fetched if it is not there."""
    path = os.path.join(cache, f"{package.sha256}.zip")
    if os.path.exists(path) and _hash_of(path) == package.sha256:
        return path
    aside = name_aside(path)
    digest = hashlib.sha256()
    try:
        with open(aside, "wb") as file:

            def take(data: bytes) -> None:
                digest.update(data)
                file.write(data)

            store.read(package.key, sink=take, limit_s=60 + package.size / _SLOWEST_BYTES_PER_S)
        check_hash(package.key, digest.hexdigest(), package.sha256)
        os.rename(aside, path)
    except BaseException:
        if os.path.exists(aside):
            os.unlink(aside)
        raise
    return path


def unpacked(store: Store, package: Package, cache: str) -> str:
    """The folder of an unpacked layer in ``cache``, which attempts share and none writes to.

    Several processes may do this at once: each unpacks aside, the first rename stays, and
    whoever is done takes the zip file away.
    """
    folder = os.path.join(cache, package.sha256)
    if os.path.isdir(folder):
        return folder
    aside = name_aside(folder)
    try:
        try:
            archive = fetch(store, package, cache)
            unpack(archive, aside)
        except FileNotFoundError:
            if os.path.isdir(folder):
                return folder
            raise
        try:
            os.rename(aside, folder)
        except OSError:
            if not os.path.isdir(folder):
                raise
    finally:
        if os.path.isdir(aside):
            remove_tree(aside)
    with suppress(FileNotFoundError):
        os.unlink(archive)
    return folder


def unpack(archive: str, folder: str) -> None:
    """Unpack ``archive`` into a new ``folder``, with permissions and symbolic links.

    Raises Refused for a file that is no zip, or whose names lead out of the folder.
    """
    if os.path.getsize(archive) <= _SMALL:
        with open(archive, "rb") as file:
            files = plain_files(file.read())
        if files is not None:
            write_files(files, folder)
            return
    import zipfile

    try:
        with zipfile.ZipFile(archive) as opened:
            os.makedirs(folder)
            for entry in opened.infolist():
                mode = entry.external_attr >> 16
                if stat.S_ISLNK(mode):
                    _link(opened.read(entry).decode(), entry.filename, folder)
                    continue
                path = opened.extract(entry, folder)
                if not entry.is_dir() and mode & 0o111:
                    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | mode & 0o111)
    except zipfile.BadZipFile as error:
        raise Refused(f"{os.path.basename(archive)} is no zip file: {error}.") from error


def check_hash(key: str, found: str, wanted: str) -> None:
    """Raises Refused when what came is not what was asked for."""
    if found != wanted:
        raise Refused(f"{key} is damaged: its SHA-256 is {found}, not {wanted}. Submit it again.")


def _link(target: str, name: str, folder: str) -> None:
    path = os.path.normpath(os.path.join(folder, name))
    end = os.path.normpath(os.path.join(os.path.dirname(path), target))
    for one in (path, end):
        if one != folder and not one.startswith(folder + "/"):
            raise Refused(f"The link '{name}' to '{target}' leads out of its package.")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(target, path)


def _hash_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            data = file.read(_READ)
            if not data:
                return digest.hexdigest()
            digest.update(data)
