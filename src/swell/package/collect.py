"""Which files of a folder may travel: those that git would keep, or all where git is not."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterable
from typing import NamedTuple

from swell.errors import FlowError
from swell.package.ignore import IgnoreRules, read_rules

IGNORE_FILE = ".swellignore"
MOST_ENTRIES = 200_000
"""Files and folders that are looked at before a folder counts as no project."""

_NEVER = re.compile(r"(?:^|/)(?:\.|(?:__pycache__|node_modules)(?:/|$))")
_ENVIRONMENT_MARK = "pyvenv.cfg"
_GIT_TIMEOUT_S = 120

Found = dict[str, os.stat_result]
"""Path below the folder, with ``/`` between names → what the file system says of the file."""
RunCommand = Callable[..., "subprocess.CompletedProcess[bytes]"]


class Collected(NamedTuple):
    """``by_git`` says whether git chose the files."""

    files: Found
    by_git: bool


def collect(
    folder: str, must_have: str | None = None, run: RunCommand = subprocess.run
) -> Collected:
    """The files below ``folder``: what git tracks or does not ignore there, else all that its
    ``.gitignore`` files leave; less what ``.swellignore`` names.

    Names that begin with a dot, virtual environments and ``__pycache__`` never come along.
    A link comes along as what it points at. Where git ignores ``must_have``, it is not asked.
    Raises FlowError for a folder with more than MOST_ENTRIES entries.
    """
    listed = _ask_git(folder, run)
    by_git = listed is not None and (must_have is None or must_have in listed)
    found: Found = {}
    if listed is not None and by_git:
        for path in listed:
            _add_listed(folder, path, found)
    else:
        _walk(folder, "", [("", _git_rules(folder))], frozenset(), found)
    found = _without_environments(found)
    own = read_rules(os.path.join(folder, IGNORE_FILE))
    if own is not None:
        found = {path: facts for path, facts in found.items() if not own.leaves_out(path)}
    return Collected(found, by_git)


def may_travel(path: str) -> bool:
    """False for what never leaves the machine, whoever asks for it: hidden files, such as
    ``.env`` and ``.git``."""
    return _NEVER.search(path) is None


def _ask_git(folder: str, run: RunCommand) -> list[str] | None:
    """Tracked files and those that are not ignored; None where git cannot tell."""
    command = ["git", "-C", folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = run(command, capture_output=True, timeout=_GIT_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode != 0:
        return None
    return sorted(set(os.fsdecode(done.stdout).split("\0")) - {""})


def _add_listed(folder: str, path: str, found: Found) -> None:
    if not may_travel(path):
        return
    path = path.rstrip("/")
    whole = f"{folder}{os.sep}{path}"
    try:
        facts = os.stat(whole)
    except OSError:
        return  # deleted since git last saw it, or a link to nowhere
    if stat.S_ISREG(facts.st_mode):
        _add(found, path, facts, folder)
    elif stat.S_ISDIR(facts.st_mode) and not _is_inside(folder, whole):
        # A link to a folder, a submodule, or a repository that stands inside this one.
        for below, below_facts in collect(whole).files.items():
            _add(found, f"{path}/{below}", below_facts, folder)


def _is_inside(folder: str, whole: str) -> bool:
    """Whether following ``whole`` would lead around in a circle."""
    target = os.path.realpath(whole)
    return f"{os.path.realpath(folder)}{os.sep}".startswith(f"{target.rstrip(os.sep)}{os.sep}")


def _walk(
    folder: str,
    at: str,
    rules: list[tuple[str, IgnoreRules | None]],
    around: frozenset[tuple[int, int]],
    found: Found,
) -> None:
    """Add what is below ``folder``/``at``. ``around`` are the folders it is in, so that links
    do not lead in circles."""
    try:
        here = os.stat(os.path.join(folder, at))
        entries = sorted(os.scandir(os.path.join(folder, at)), key=lambda entry: entry.name)
    except OSError:
        return
    own_key = (here.st_dev, here.st_ino)
    if own_key in around or any(entry.name == _ENVIRONMENT_MARK for entry in entries):
        return
    for entry in entries:
        path = at + entry.name
        if not may_travel(entry.name):
            continue
        try:
            is_real_folder = entry.is_dir(follow_symlinks=False)
            facts = entry.stat()
        except OSError:
            continue
        if _is_ignored(rules, path, is_real_folder):
            continue
        if stat.S_ISREG(facts.st_mode):
            _add(found, path, facts, folder)
        elif stat.S_ISDIR(facts.st_mode):
            inner = _git_rules(entry.path)
            below = [*rules, (f"{path}/", inner)] if inner is not None else rules
            _walk(folder, f"{path}/", below, around | {own_key}, found)


def _is_ignored(
    rules: Iterable[tuple[str, IgnoreRules | None]], path: str, is_folder: bool
) -> bool:
    """What the nearest ``.gitignore`` says that speaks of ``path``."""
    verdict = False
    for start, known in rules:
        said = None if known is None else known.says(path[len(start) :], is_folder=is_folder)
        verdict = verdict if said is None else said
    return verdict


def _git_rules(folder: str) -> IgnoreRules | None:
    return read_rules(os.path.join(folder, ".gitignore"))


def _add(found: Found, path: str, facts: os.stat_result, folder: str) -> None:
    found[path] = facts
    if len(found) > MOST_ENTRIES:
        raise FlowError(
            f"{folder}, where the script is, holds more than {MOST_ENTRIES:,} files, and those "
            "beside the script travel to remote tasks.",
            remedy=f"Give the script a folder of its own, or name what stays here in "
            f"{os.path.join(folder, IGNORE_FILE)}, one pattern a line as in .gitignore.",
        )


def _without_environments(found: Found) -> Found:
    marked = f"/{_ENVIRONMENT_MARK}"
    homes = tuple(path[: 1 - len(marked)] for path in found if path.endswith(marked))
    if not homes:
        return found
    return {path: facts for path, facts in found.items() if not path.startswith(homes)}
