"""Which interpreter stands for an image where jobs are processes: `python:X.Y` of the machine."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_PYTHON_IMAGE = re.compile(
    r"(?:[\w.:-]+/)*python(?::(?P<version>\d+(?:\.\d+)?)?(?:\.\d+)?(?:[-\w.]*))?(?:@sha256:\w+)?"
)
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImageMissing(Exception):
    """The image cannot be had; says why, as a container engine would."""


class Images:
    """Stands in for a registry. Makes, once for each version, an empty environment in ``folder``.

    Like the official image it holds an interpreter and no packages: neither those of the
    environment this process runs in nor those of the system. Not for several threads.
    ``instead``: what is said of every image but Python's.
    """

    def __init__(
        self,
        folder: Path,
        search_path: str | None = None,
        *,
        instead: str = "the sandbox without containers has python:X.Y only",
    ) -> None:
        self._folder = folder
        self._instead = instead
        self._search = search_path
        self._places: dict[str, Path | ImageMissing] = {}

    def search_path(self, image: str) -> str:
        """PATH inside ``image``. Raises ImageMissing."""
        return f"{self.place(image)}/bin:{SYSTEM_PATH}"

    def place(self, image: str) -> Path:
        """The environment that stands in for ``image``. Raises ImageMissing."""
        known = self._places.get(image)
        if known is None:
            try:
                known = self._made(image)
            except ImageMissing as why:
                known = why
            self._places[image] = known
        if isinstance(known, ImageMissing):
            raise known
        return known

    def _made(self, image: str) -> Path:
        version = python_version(image)
        if version is None:
            raise ImageMissing(
                f"pull access denied for {image}, repository does not exist or may require "
                f"authorization ({self._instead})"
            )
        interpreter = find_interpreter(version, self._search)
        if interpreter is None:
            raise ImageMissing(
                f"manifest for {image} not found: manifest unknown (the sandbox takes the "
                f"machine's own interpreter, and there is no python{version} here)"
            )
        return make_environment(self._folder, interpreter, version)


def python_version(image: str) -> str | None:
    """'3.11' of 'python:3.11', 'docker.io/library/python:3.11.4-slim'; None for other images.

    An image that does not say which one means that of this process.
    """
    found = _PYTHON_IMAGE.fullmatch(image)
    if found is None:
        return None
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    version = found["version"] or own
    return own if version == str(sys.version_info.major) else version


def find_interpreter(version: str, search_path: str | None = None) -> Path | None:
    """An interpreter of ``version`` ('3.11') that is in no virtual environment; None without."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    search = os.get_exec_path() if search_path is None else search_path.split(os.pathsep)
    installed = Path("~/.local/share/uv/python").expanduser()
    folders = [*search, *map(str, sorted(installed.glob(f"cpython-{version}.*/bin")))]
    for folder in folders:
        found = shutil.which(f"python{version}", path=folder)
        if found is not None and not (Path(folder).parent / "pyvenv.cfg").exists():
            return Path(os.path.realpath(found))
    return None


def make_environment(folder: Path, interpreter: Path, version: str) -> Path:
    """An empty virtual environment of ``interpreter``, written by hand (PEP 405)."""
    place = folder / f"python-{version}"
    if (place / "pyvenv.cfg").exists():
        return place
    (place / "bin").mkdir(parents=True, exist_ok=True)
    (place / "lib" / f"python{version}" / "site-packages").mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3", f"python{version}"):
        link = place / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(interpreter)
    (place / "pyvenv.cfg").write_text(
        f"home = {interpreter.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    )
    return place


def missing_program(command: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    """Why ``command`` cannot be started, in the words of a container engine; None if it can."""
    if not command:
        return "no command specified"
    if shutil.which(command[0], path=environment.get("PATH", SYSTEM_PATH)) is not None:
        return None
    if os.path.sep in command[0]:
        return f'exec: "{command[0]}": stat {command[0]}: no such file or directory'
    return f'exec: "{command[0]}": executable file not found in $PATH'
