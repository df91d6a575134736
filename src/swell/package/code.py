"""The code package: the script and what belongs to it, as one zip file."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence

import msgspec

from swell.errors import FlowError
from swell.package.archive import Member, write_archive
from swell.package.collect import IGNORE_FILE, Found, collect, may_travel
from swell.package.ignore import read_rules
from swell.package.imported import editable_metadata, own_imports
from swell.package.kept import PackageCache

SUFFIXES = (".py",)
"""What travels without being asked for."""
_FORMAT = "code 1"
# A file that was written this shortly before it was looked at may change again without its
# time showing it: some file systems count in steps of two seconds.
_STILL_CHANGING_S = 2.0
_NAMED = 3


class PackageRules(msgspec.Struct, frozen=True):
    """What goes along besides Python files: ``suffixes`` ('.toml'), and ``include``, patterns
    of files and folders beside the script ('config/*.yaml', 'models'). ``most_bytes`` is how
    large all files together may be before compression."""

    suffixes: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    most_bytes: int = 200_000_000


class CodePackage(msgspec.Struct, frozen=True):
    """A zip file and what is in it: ``files`` counts them, ``unpacked`` are their bytes.

    ``script`` is the script's path inside; ``by_git`` says whether git chose the files beside
    it, ``own`` names what is imported from elsewhere: (name, folder or file here).
    """

    path: str
    sha256: str
    size: int
    files: int
    unpacked: int
    script: str
    by_git: bool
    own: tuple[tuple[str, str], ...]


def make_code_package(
    script: str,
    rules: PackageRules = PackageRules(),  # noqa: B008  # frozen
    *,
    modules: Mapping[str, object],
    cache_folder: str,
) -> CodePackage:
    """Pack the script's folder, and what the script imports of the user's own from elsewhere.

    ``modules`` are those loaded once the script was imported (``sys.modules``). The zip lies
    in ``cache_folder``; while no file changes, it is found again without a file being read.
    Raises FlowError where what would travel is too large or cannot be read, StoreError where
    the cache cannot be written.
    """
    script = os.path.realpath(script)
    folder, name = os.path.split(script)
    now = time.time()
    gathered = _Gathered(folder)
    by_git = _add_beside(gathered, folder, name, rules)
    own = _add_imported(gathered, folder, modules, script)
    _check_size(gathered, folder, rules.most_bytes)
    cache = PackageCache(cache_folder)
    key = gathered.fingerprint(script)
    kept = cache.find(key)
    if kept is None:
        is_sure = now - gathered.newest() > _STILL_CHANGING_S
        kept = cache.keep(
            key, lambda path: write_archive(path, gathered.members()), is_sure=is_sure
        )
    return CodePackage(
        path=kept.path,
        sha256=kept.sha256,
        size=kept.size,
        files=kept.files,
        unpacked=gathered.size(),
        script=name,
        by_git=by_git,
        own=own,
    )


class _Gathered:
    """Path in the package → file here; the first to claim a path has it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._files: dict[str, tuple[str, os.stat_result]] = {}

    def add(self, name: str, source: str, facts: os.stat_result) -> None:
        self._files.setdefault(name, (source, facts))

    def size(self) -> int:
        return sum(facts.st_size for _, facts in self._files.values())

    def newest(self) -> float:
        return max(facts.st_mtime for _, facts in self._files.values())

    def largest(self, count: int) -> list[tuple[int, str]]:
        sizes = [(facts.st_size, source) for source, facts in self._files.values()]
        return sorted(sizes, reverse=True)[:count]

    def members(self) -> list[Member]:
        return [
            Member(name, source, facts.st_size, bool(facts.st_mode & 0o100))
            for name, (source, facts) in self._files.items()
        ]

    def fingerprint(self, script: str) -> str:
        """Changes when a file comes, goes or is written."""
        digest = hashlib.sha256(f"{_FORMAT}\0{script}\0".encode("utf-8", "surrogateescape"))
        lines = sorted(
            f"{name}\0{source}\0{f.st_size}\0{f.st_mtime_ns}\0{f.st_ctime_ns}\0{f.st_ino}"
            f"\0{f.st_mode & 0o100}"
            for name, (source, f) in self._files.items()
        )
        digest.update("\n".join(lines).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def _add_beside(gathered: _Gathered, folder: str, script: str, rules: PackageRules) -> bool:
    collected = collect(folder, must_have=script)
    suffixes = (*SUFFIXES, *rules.suffixes)
    for path, facts in collected.files.items():
        if path.endswith(suffixes):
            gathered.add(path, f"{folder}{os.sep}{path}", facts)
    for path, facts in _included(folder, rules.include).items():
        gathered.add(path, os.path.join(folder, path), facts)
    gathered.add(script, os.path.join(folder, script), os.stat(os.path.join(folder, script)))
    return collected.by_git


def _included(folder: str, patterns: Sequence[str]) -> Found:
    """Files that the patterns name, and those below folders that they name.

    Raises FlowError for a pattern that leads out of the folder or finds nothing.
    """
    import glob

    found: Found = {}
    for pattern in patterns:
        if os.path.isabs(pattern) or ".." in pattern.split("/"):
            raise FlowError(
                f"SWELL_PACKAGE_INCLUDE names '{pattern}', which is not below the script's folder.",
                remedy="Name files beside the script; what it imports from elsewhere comes along "
                "by itself.",
            )
        names = glob.glob(pattern, root_dir=folder, recursive=True)
        for name in names:
            found.update(_at(folder, os.path.normpath(name)))
        if not names:
            raise FlowError(
                f"SWELL_PACKAGE_INCLUDE names '{pattern}', and nothing like it is in {folder}.",
                remedy="Correct the pattern, or leave it out.",
            )
    return found


def _at(folder: str, name: str) -> Found:
    whole = os.path.join(folder, name)
    if os.path.isfile(whole):
        return {name: os.stat(whole)} if may_travel(name) else {}
    found: Found = {}
    for at, folders, files in os.walk(whole):
        folders[:] = [one for one in folders if may_travel(one)]
        for file in files:
            path = os.path.relpath(os.path.join(at, file), folder)
            if may_travel(path) and os.path.isfile(os.path.join(folder, path)):
                found[path] = os.stat(os.path.join(folder, path))
    return found


def _add_imported(
    gathered: _Gathered, folder: str, modules: Mapping[str, object], script: str
) -> tuple[tuple[str, str], ...]:
    """Returns what comes from elsewhere: (name, place)."""
    imported = own_imports(modules, script)
    _add_loaded(gathered, "", folder, imported.files)
    own: list[tuple[str, str]] = []
    for top in imported.tops:
        places = top.folders or ((top.file,) if top.file is not None else ())
        for place in places:
            if os.path.dirname(os.path.realpath(place)) == folder:
                continue
            own.append((top.name, place))
            if top.file is not None:
                gathered.add(os.path.basename(place), place, os.stat(place))
            else:
                for path, facts in collect(place).files.items():
                    gathered.add(f"{top.name}/{path}", os.path.join(place, path), facts)
                _add_loaded(gathered, f"{top.name}/", place, imported.files)
    for name, path in editable_metadata([os.path.realpath(place) for _, place in own]):
        gathered.add(name, path, os.stat(path))
    return tuple(own)


def _add_loaded(gathered: _Gathered, prefix: str, folder: str, files: Sequence[str]) -> None:
    """Source files that were imported from ``folder``, though git ignores them: generated
    code, mostly."""
    rules = read_rules(os.path.join(folder, IGNORE_FILE))
    start = folder + os.sep
    for file in files:
        whole = file if file.startswith(start) else os.path.realpath(file)
        if not whole.startswith(start):
            continue
        path = whole[len(start) :]
        if may_travel(path) and not (rules is not None and rules.leaves_out(path)):
            gathered.add(prefix + path, whole, os.stat(whole))


def _check_size(gathered: _Gathered, folder: str, most_bytes: int) -> None:
    size = gathered.size()
    if size <= most_bytes:
        return
    named = ", ".join(
        f"{os.path.relpath(path, folder)} ({_megabytes(size)})"
        for size, path in gathered.largest(_NAMED)
    )
    raise FlowError(
        f"What would travel to remote tasks has {_megabytes(size)}, more than "
        f"{_megabytes(most_bytes)}. The largest files: {named}.",
        remedy=f"Name what stays here in {os.path.join(folder, IGNORE_FILE)}, one pattern a line "
        "as in .gitignore; tasks get data as artifacts or by swell.S3. Or set "
        "SWELL_PACKAGE_MAX_MB higher.",
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
