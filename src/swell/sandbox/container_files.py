"""Where the files of a container come from: an image that is here, or a view of this machine."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from swell.sandbox.engine import PODMAN, EngineCommands
from swell.sandbox.images import SYSTEM_PATH, Images

HOME = "/job"
"""Where a job without an image stands, and what it may fill."""
_STAND_IN = "/image"
"""Where the interpreter without packages is seen, which stands in for Python's image."""
_KEPT_OUT = frozenset(
    "boot dev home lost+found media mnt proc root run sbin srv sys tmp var".split()
)
_IMAGE_S = 10.0
"""How long it is believed that an image is not here."""


class Files(NamedTuple):
    """Arguments that stand last among a container's options, and variables that go with them."""

    arguments: list[str]
    variables: dict[str, str]


class ContainerFiles:
    """Images that are here as they are; for Python's own, where it is not here, a view of this
    machine with its interpreter. No image is fetched. From any thread.

    For the view podman lays a layer over this machine's files, in which a job may write.
    Docker cannot: there the folders of programs and libraries are seen, read-only, in an image
    without files.
    """

    def __init__(self, folder: Path, commands: EngineCommands) -> None:
        self._commands = commands
        fetched = f"the sandbox fetches no images: {commands.engine.name} pull gets it"
        self._images = Images(folder / "images", instead=fetched)
        self._empty = empty_image(folder)
        self._has_empty = False
        self._looked_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def of(self, image: str, home: Path) -> Files:
        """For one container of ``image``, whose empty folder is ``home``.

        Raises ImageMissing, EngineRefused.
        """
        with self._lock:
            if self._is_here(image):
                return Files([image], {})
            return Files(self._view(image, home), _view_variables())

    def view(self, image: str, home: Path) -> Files:
        """A view of this machine, even where ``image`` is here. Raises as ``of``."""
        with self._lock:
            return Files(self._view(image, home), _view_variables())

    def close(self) -> None:
        """Leave nothing with the engine."""
        if self._has_empty:
            self._commands.remove_image(self._empty)

    def _is_here(self, image: str) -> bool:
        again_at = self._looked_at.get(image, 0.0)
        if time.monotonic() >= again_at:
            is_here = self._commands.has_image(image)
            again_at = float("inf") if is_here else time.monotonic() + _IMAGE_S
            self._looked_at[image] = again_at
        return again_at == float("inf")

    def _view(self, image: str, home: Path) -> list[str]:
        place = self._images.place(image)
        seen = [f"--volume={place}:{_STAND_IN}:ro", *_interpreter(place), f"--workdir={HOME}"]
        if self._commands.engine.name == PODMAN:
            return [*seen, f"--volume={home}:{HOME}", "--rootfs", "/:O"]
        if not self._has_empty:
            self._commands.import_image(_empty_archive(), self._empty)
            self._has_empty = True
        folders = [f"--volume=/{name}:/{name}:ro" for name in _tops() if not _is_link(name)]
        return [*folders, *seen, self._empty]


def empty_image(folder: Path) -> str:
    """The name of Docker's image without files, for the sandbox that works in ``folder``."""
    return f"swell-sandbox:{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def _view_variables() -> dict[str, str]:
    return {"PATH": f"{_STAND_IN}/bin:{SYSTEM_PATH}", "HOME": HOME, "TMPDIR": HOME}


def _interpreter(place: Path) -> list[str]:
    """The files of the interpreter, which may be in a folder of somebody's own."""
    prefix = Path(os.readlink(place / "bin" / "python")).parent.parent
    is_seen = prefix == Path("/") or prefix.is_relative_to("/usr")
    return [] if is_seen else [f"--volume={prefix}:{prefix}:ro"]


def _tops() -> list[str]:
    """Folders and links at the root that hold programs and what they need."""
    return sorted(
        name
        for name in os.listdir("/")
        if name not in _KEPT_OUT and not name.startswith(".") and os.path.isdir(f"/{name}")
    )


def _is_link(name: str) -> bool:
    return os.path.islink(f"/{name}")


def _empty_archive() -> bytes:
    """An image of nothing but places to see folders in."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name in ("tmp", HOME.strip("/"), "var/tmp"):
            archive.addfile(_folder(name, 0o1777))
        # The engine puts its init there: so it must not be the machine's own.
        archive.addfile(_folder("sbin", 0o755))
        for name in filter(_is_link, _tops()):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, os.readlink(f"/{name}")
            archive.addfile(link)
    return held.getvalue()


def _folder(name: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    return entry
