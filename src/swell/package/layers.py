"""Layers: importable packages for the tasks' platform, made once on the user's machine."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import msgspec

from swell.errors import CommandException
from swell.package.archive import Member, write_archive
from swell.package.kept import KeptZip, PackageCache
from swell.package.requirements import Wanted, canonical
from swell.package.uv import Target, Uv, find_uv, running_python

NEEDS = (
    "blake3>=1.0",
    "click>=8.1.7",
    "cloudpickle>=3.0",
    "msgspec>=0.19",
    "obstore>=0.12",
    "zstandard>=0.22",
)
"""What swell imports in a task; as in pyproject.toml."""
_POSTGRES = ("psycopg>=3.1.14", "psycopg-binary>=3.1.14")
_FORMAT = "layer 1"
_STAYS_HERE = {"testing", "sandbox", "__pycache__"}
_STILL_CHANGING_S = 2.0
_COMPILE_TIMEOUT_S = 1800
# What installers note of this machine.
_LOCAL_NOTES = {"direct_url.json", "uv_cache.json", "INSTALLER", "REQUESTED"}

Say = Callable[[str], None]
FindUv = Callable[[], Uv]


class Layer(msgspec.Struct, frozen=True):
    """A zip of importable packages; ``name`` says what they are for."""

    name: str
    path: str
    sha256: str
    size: int
    files: int


def make_layers(
    wanted: Wanted,
    target: Target,
    cache_folder: str,
    *,
    with_postgres: bool = False,
    say: Say = lambda _: None,
    uv: FindUv = find_uv,
) -> list[Layer]:
    """The layers for tasks on ``target``, in the order in which they are looked through:
    what the script asks for, what swell needs, swell.

    Each is made once and found in ``cache_folder`` afterwards, where neither the registry
    nor uv is asked; ``say`` is told before they are. Raises FlowError for requirements that
    no wheels meet, ComputeError (retryable) when the registry is away, CommandException
    without uv, StoreError where the cache cannot be written.
    """
    cache = PackageCache(cache_folder)
    layers = [] if wanted.is_empty else [_users(cache, wanted, target, say, uv)]
    names = [*NEEDS, *(_POSTGRES if with_postgres else ())]
    return [*layers, _needs(cache, names, target, say, uv), _swell(cache, target)]


def _users(cache: PackageCache, wanted: Wanted, target: Target, say: Say, uv: FindUv) -> Layer:
    key = _key("wanted", target, wanted.inputs, wanted.lock or "", *sorted(wanted.lines), *NEEDS)

    def make(path: str, folder: str) -> int:
        say(f"Fetching the packages of {wanted.source} for remote tasks, once.")
        tool = uv()
        lines: tuple[str, ...] = wanted.lines
        if wanted.lock is not None:
            own = {canonical(line.partition("=")[0]) for line in lines}
            locked = tool.locked(wanted)
            lines = (
                *(one for one in locked if canonical(one.partition("=")[0]) not in own),
                *lines,
            )
        # A task has one click, one msgspec: the user's must be one that swell works with.
        return _install(tool, path, folder, target, lines, NEEDS)

    return _layer(wanted.source, cache, key, make)


def _needs(
    cache: PackageCache, names: Sequence[str], target: Target, say: Say, uv: FindUv
) -> Layer:
    # Versions that are here may have no wheels for another Python.
    pins = _pins(names) if target.python == running_python() else []
    key = _key("needs", target, *names, *pins)

    def make(path: str, folder: str) -> int:
        say(f"Fetching what swell itself needs on Linux {target.machine}, once.")
        return _install(uv(), path, folder, target, names, pins)

    return _layer("what swell needs", cache, key, make)


def _swell(cache: PackageCache, target: Target) -> Layer:
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sources = sorted(_sources(root))
    facts = [(path, os.stat(path)) for path in sources]
    stamps = (f"{p}\0{f.st_size}\0{f.st_mtime_ns}\0{f.st_ctime_ns}" for p, f in facts)
    key = _key("swell", target, *stamps)
    newest = max(f.st_mtime for _, f in facts)
    is_sure = time.time() - newest > _STILL_CHANGING_S

    def make(path: str, folder: str) -> int:
        for source in sources:
            copy = os.path.join(folder, "swell", os.path.relpath(source, root))
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            with open(source, "rb") as read, open(copy, "wb") as written:
                written.write(read.read())
        _compile(folder, target)
        return write_archive(path, [*_members(folder), *_own_metadata()])

    return _layer("swell", cache, key, make, is_sure=is_sure)


def _layer(
    name: str,
    cache: PackageCache,
    key: str,
    make: Callable[[str, str], int],
    *,
    is_sure: bool = True,
) -> Layer:
    kept = cache.find(key)
    if kept is None:
        with cache.staging() as staging:
            folder = os.path.join(staging, "layer")
            os.makedirs(folder)
            kept = cache.keep(key, lambda path: make(path, folder), is_sure=is_sure)
    return _named(name, kept)


def _named(name: str, kept: KeptZip) -> Layer:
    return Layer(name, kept.path, kept.sha256, kept.size, kept.files)


def _key(kind: str, target: Target, *parts: str) -> str:
    told = [_FORMAT, kind, target.python, target.platform, str(target.is_like_here), *parts]
    return hashlib.sha256("\0\0".join(told).encode("utf-8", "surrogateescape")).hexdigest()


# --- what uv installed, as a zip ------------------------------------------------------------


def _install(
    tool: Uv,
    path: str,
    folder: str,
    target: Target,
    lines: Sequence[str],
    constraints: Sequence[str],
) -> int:
    tool.install(lines, target, folder, constraints)
    _compile(folder, target)
    return write_archive(path, _members(folder))


def _compile(folder: str, target: Target) -> None:
    """Put bytecode beside the sources, where the target's Python reads it: thousands of
    containers need not compile then. It is used without a look at the source's time."""
    if not target.is_like_here:
        return
    # Tests of packages, half of what some bring, are not imported by tasks.
    tests = rf"{re.escape(folder)}.*/tests?/"
    # fmt: off
    command = [
        sys.executable, "-m", "compileall", "-q", "-q", "-s", folder, "-x", tests,
        "--invalidation-mode", "unchecked-hash", folder,
    ]
    # fmt: on
    # The seed decides in which order sets are written. A file that does not compile, as some
    # packages bring them for other versions of Python, goes without.
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run(
        command, env=environ, capture_output=True, timeout=_COMPILE_TIMEOUT_S, check=False
    )


def _members(folder: str) -> Iterator[Member]:
    """The files to import, without what says something of this machine only."""
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            path = os.path.join(at, file)
            name = os.path.relpath(path, folder).replace(os.sep, "/")
            is_note = at.endswith(".dist-info") and file in _LOCAL_NOTES
            if name.startswith(".") or is_note or _is_started_by_path(name, path):
                continue
            facts = os.stat(path)
            content = None
            if at.endswith(".dist-info") and file == "RECORD":
                content = _record(path, folder)
            is_executable = bool(facts.st_mode & 0o100) and not name.endswith((".py", ".pyc"))
            yield Member(name, path, facts.st_size, is_executable, content)


def _is_started_by_path(name: str, path: str) -> bool:
    """A script whose first line names an interpreter of this machine."""
    if not name.startswith("bin/"):
        return False
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def _record(path: str, folder: str) -> bytes:
    """The list of a package's files without those that stay here."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    kept = []
    for line in lines:
        name = line.rpartition(",")[0].rpartition(",")[0].strip('"')
        is_note = name.rpartition("/")[2] in _LOCAL_NOTES and ".dist-info/" in name
        whole = os.path.join(folder, name)
        if not is_note and os.path.isfile(whole) and not _is_started_by_path(name, whole):
            kept.append(line)
    return "".join(f"{line}\n" for line in kept).encode()


# --- swell itself ---------------------------------------------------------------------------


def _sources(root: str) -> Iterator[str]:
    for at, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _STAYS_HERE]
        for file in files:
            if not file.endswith(".pyc"):
                yield os.path.join(at, file)


def _own_metadata() -> list[Member]:
    """What ``importlib.metadata.version("swell")`` needs, where swell is installed here."""
    try:
        found = distribution("swell")
    except PackageNotFoundError:
        return []
    text = found.read_text("METADATA") or ""
    name = f"swell-{found.version}.dist-info/METADATA"
    return [Member(name, "", len(text), content=text.encode())] if text else []


def _pins(names: Iterable[str]) -> list[str]:
    """What of ``names``, and of what they need, is installed here, as exact versions.

    Raises CommandException where swell cannot do without one that is not.
    """
    pins: dict[str, str] = {}
    roots = [_bare(name) for name in names]
    for name in roots:
        found = _distribution(name)
        if found is None and name != "psycopg-binary":
            raise CommandException(
                f"Remote tasks need the package {name}, which is not installed here.",
                remedy="Install it: pip install 'swell[aws]'.",
            )
        _pin(name, found, pins)
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


def _pin(name: str, found: Distribution | None, pins: dict[str, str]) -> None:
    if found is None or name in pins:
        return
    pins[name] = found.version
    for line in found.requires or ():
        if "extra ==" not in line:
            needed = _bare(line)
            _pin(needed, _distribution(needed), pins)


def _bare(requirement: str) -> str:
    """The name at the beginning of a requirement."""
    end = next((at for at, sign in enumerate(requirement) if sign in " <>=!~;[("), None)
    return canonical(requirement[:end])


def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None
