"""Which packages a script asks for: beside it, in its head, and by ``@pypi``."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Sequence

import msgspec

from swell.errors import FlowError

# https://packaging.python.org/en/latest/specifications/inline-script-metadata/
_INLINE = re.compile(r"(?m)^# /// script$\s(?P<lines>(?:^#(?:| .*)$\s)+)^# ///$")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_INCLUDED = re.compile(r"(?:-r|--requirement)[ =]*(\S+)")
_CONSTRAINED = re.compile(r"(?:-c|--constraint)[ =]*(\S+)")
_LOCAL = re.compile(r"(?:-e|--editable|\.{0,2}/|\.$|file:)")
_DEEPEST = 10


class Wanted(msgspec.Struct, frozen=True):
    """Requirements as pip and uv read them, one a line; ``source`` says where they stand.

    ``lock`` is the folder of a ``uv.lock`` that holds them instead, ``inputs`` the SHA-256 of
    all files they depend on besides their own text; ``folder`` is where relative paths begin.
    """

    lines: tuple[str, ...] = ()
    source: str = ""
    folder: str = ""
    lock: str | None = None
    inputs: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        return not self.lines and self.lock is None


def wanted_by(script: str, environment: str = "local") -> Wanted:
    """What the script's inline metadata ask for, else ``requirements.txt`` beside it, else the
    ``pyproject.toml`` beside it (its ``uv.lock``, if there is one).

    With the environment ``uv`` the nearest project upwards comes first. What is installed
    here from a folder is left out: it travels as files. Raises FlowError for a file that
    cannot be read.
    """
    folder = os.path.dirname(os.path.realpath(script))
    if environment == "uv":
        home = _project_above(folder)
        if home is not None:
            return _of_project(home)
    inline = _inline(_read(script))
    if inline is not None:
        return Wanted(inline, f"the head of {os.path.basename(script)}", folder)
    listed = os.path.join(folder, "requirements.txt")
    if os.path.isfile(listed):
        digest = hashlib.sha256()
        lines = tuple(_flat(listed, digest, _DEEPEST))
        return Wanted(lines, "requirements.txt", folder, inputs=digest.hexdigest())
    if os.path.isfile(os.path.join(folder, "pyproject.toml")):
        return _of_project(folder)
    return Wanted()


def with_packages(wanted: Wanted, packages: Iterable[tuple[str, str]]) -> Wanted:
    """``wanted`` and what ``@pypi`` names (name, version), which replaces a line of the same
    name."""
    own = {canonical(name): requirement(name, version) for name, version in packages}
    if not own:
        return wanted
    if wanted.lock is not None:
        source = f"{wanted.source} and @pypi"
        return msgspec.structs.replace(wanted, lines=tuple(own.values()), source=source)
    kept = tuple(line for line in wanted.lines if _name_of(line) not in own)
    source = f"{wanted.source} and @pypi" if kept else "@pypi"
    return msgspec.structs.replace(wanted, lines=(*kept, *own.values()), source=source)


def requirement(name: str, version: str) -> str:
    """The requirement that a name and version of ``@pypi`` mean: 'pandas==2.2.3' for '2.2.3',
    'pandas>=2,<3' for '>=2,<3', 'pandas' for ''."""
    name, mark, url = name.partition("@")
    version = version.strip()
    if mark:
        return f"{name.strip()} @ {url.strip()}"
    if version.startswith("@"):
        return f"{name} {version}"
    if not version or version[0] in "<>=!~":
        return f"{name}{version}"
    return f"{name}=={version}"


def canonical(name: str) -> str:
    """The one spelling of a distribution's name, without extras."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0].partition("@")[0].strip()).lower()


def remote_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Requirements without swell itself and without what is a folder of this machine."""
    return tuple(line for line in lines if not _LOCAL.match(line) and _name_of(line) != "swell")


def _name_of(line: str) -> str | None:
    match = _NAME.match(line)
    return canonical(match[0]) if match else None


def _inline(text: str) -> tuple[str, ...] | None:
    match = _INLINE.search(text)
    if match is None:
        return None
    body = "".join(
        line[2:] if line.startswith("# ") else line[1:]
        for line in match["lines"].splitlines(keepends=True)
    )
    return _dependencies(body, "The head of the script")


def _of_project(folder: str) -> Wanted:
    path = os.path.join(folder, "pyproject.toml")
    text = _read(path)
    lines = _dependencies(text, path, table="project")
    lock = os.path.join(folder, "uv.lock")
    if os.path.isfile(lock):
        digest = hashlib.sha256(f"{text}\0{_read(lock)}".encode("utf-8", "surrogateescape"))
        return Wanted((), "uv.lock", folder, lock=folder, inputs=digest.hexdigest())
    return Wanted(lines, "pyproject.toml", folder)


def _project_above(folder: str) -> str | None:
    while not os.path.isfile(os.path.join(folder, "pyproject.toml")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder


def _dependencies(text: str, where: str, table: str | None = None) -> tuple[str, ...]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FlowError(
            f"{where} says which packages remote tasks need, and is not TOML: {error}.",
            remedy="Correct it.",
        ) from error
    found = found.get(table, {}) if table is not None else found
    lines = found.get("dependencies", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise FlowError(
            f"{where} gives 'dependencies' that are no list of texts.",
            remedy='Write them like: dependencies = ["pandas>=2"]',
        )
    return remote_lines(line.strip() for line in lines)


def _flat(path: str, digest: hashlib._Hash, deepest: int) -> list[str]:
    """The lines of a requirements file, those of files that it includes in their place."""
    text = _read(path)
    digest.update(text.encode("utf-8", "surrogateescape"))
    folder = os.path.dirname(path)
    lines: list[str] = []
    for raw in re.sub(r"\\\r?\n", "", text).splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        included = _INCLUDED.match(line)
        constrained = _CONSTRAINED.match(line)
        if included and deepest > 0:
            lines += _flat(os.path.join(folder, included[1]), digest, deepest - 1)
        elif constrained:
            named = os.path.join(folder, constrained[1])
            digest.update(_read(named).encode("utf-8", "surrogateescape"))
            lines.append(f"-c {named}")
        elif line:
            lines.append(line)
    return list(remote_lines(lines))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as error:
        raise FlowError(
            f"{path} says which packages remote tasks need, and cannot be read: {error.strerror}.",
            remedy="Correct its name or make it readable.",
        ) from error


def text_of(lines: Sequence[str]) -> str:
    """The lines as a file."""
    return "".join(f"{line}\n" for line in lines)
