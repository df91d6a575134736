"""Which of the script's imports are the user's own files: neither Python's nor installed."""

from __future__ import annotations

import ast
import importlib.util
import os
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from typing import NamedTuple

_INSTALLED = {"site-packages", "dist-packages"}
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NO_NAMES = {"__main__", "__mp_main__", "swell"}
_METADATA_FILES = ("METADATA", "entry_points.txt", "top_level.txt")


class OwnModule(NamedTuple):
    """A top-level name and where it comes from: folders of a package, or one file."""

    name: str
    folders: tuple[str, ...]
    file: str | None


class Imported(NamedTuple):
    """``tops``: top-level modules that are the user's own; ``files``: the source files of all
    loaded modules that are."""

    tops: tuple[OwnModule, ...]
    files: tuple[str, ...]


class _Source(NamedTuple):
    folders: tuple[str, ...]
    file: str | None


def own_imports(modules: Mapping[str, object], script: str) -> Imported:
    """What is the user's own among ``modules`` (as ``sys.modules``) and among what the script
    imports anywhere, in its steps too. Nothing is imported for it.

    A module is the user's own by its place: outside of Python and of every site-packages,
    however Python was told of that place (PYTHONPATH, ``sys.path``, an editable install).
    """
    elsewhere = _places_of_python()
    tops: dict[str, OwnModule] = {}
    files: set[str] = set()
    for name, module in list(modules.items()):
        source = _source_of_module(module)
        if name.partition(".")[0] in _NO_NAMES or source is None:
            continue
        if source.file is not None and _is_own(source.file, elsewhere):
            files.add(source.file)
        if "." not in name and name == getattr(module, "__name__", name):
            _add_top(tops, name, source, elsewhere)
    for name in sorted(_names_in(script) - set(modules) - _NO_NAMES):
        found = _source_of_name(name)
        if found is not None:
            _add_top(tops, name, found, elsewhere)
    return Imported(tuple(tops[name] for name in sorted(tops)), tuple(sorted(files)))


def editable_metadata(places: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(path in the package, file here) of what editable installs of ``places`` say of
    themselves, so that a package can still ask for its own version."""
    wanted = tuple(places)
    for one in distributions() if wanted else ():
        home = _editable_home(one)
        if home is None or not any(place.startswith(home + os.sep) for place in wanted):
            continue
        folder = getattr(one, "_path", None)  # the one way to it: files() needs a RECORD
        for name in _METADATA_FILES if folder is not None else ():
            path = os.path.join(str(folder), name)
            if os.path.isfile(path):
                yield f"{os.path.basename(str(folder))}/{name}", path


def _editable_home(one: Distribution) -> str | None:
    """The folder of a project that is installed editable (PEP 610)."""
    text = one.read_text("direct_url.json")
    if text is None or '"editable"' not in text:
        return None
    import json
    from urllib.parse import unquote, urlparse

    try:
        said = json.loads(text)
        is_editable = said["dir_info"]["editable"] is True
        home = unquote(urlparse(said["url"]).path)
    except (ValueError, KeyError, TypeError):
        return None
    return os.path.realpath(home) if is_editable else None


def _places_of_python() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = {paths[name] for name in names} | {_OWN}
    found |= {os.path.realpath(place) for place in found}
    return tuple(sorted(place + os.sep for place in found))


def _is_own(path: str, elsewhere: tuple[str, ...]) -> bool:
    if not path.endswith((".py", os.sep)) or not _INSTALLED.isdisjoint(path.split(os.sep)):
        return False
    if path.startswith(elsewhere) or not os.path.exists(path):
        return False
    return not os.path.realpath(path).startswith(elsewhere)


def _add_top(
    tops: dict[str, OwnModule], name: str, source: _Source, elsewhere: tuple[str, ...]
) -> None:
    folders = tuple(f for f in source.folders if _is_own(f + os.sep, elsewhere))
    if folders:
        tops[name] = OwnModule(name, folders, None)
    elif source.file is not None and not source.folders and _is_own(source.file, elsewhere):
        tops[name] = OwnModule(name, (), source.file)


def _source_of_module(module: object) -> _Source | None:
    # Whatever lies in sys.modules: some are objects that answer any question.
    try:
        file = getattr(module, "__file__", None)
        folders = tuple(getattr(module, "__path__", None) or ())
    except Exception:
        return None
    return _source(file, folders)


def _source_of_name(name: str) -> _Source | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    return _source(spec.origin, tuple(spec.submodule_search_locations or ()))


def _source(file: object, folders: tuple[object, ...]) -> _Source | None:
    path = os.path.abspath(file) if isinstance(file, str) else None
    texts = tuple(os.path.abspath(f) for f in folders if isinstance(f, str) and os.path.isdir(f))
    return _Source(texts, path) if path or texts else None


def _names_in(script: str) -> set[str]:
    """Top-level names of all ``import`` statements of a file."""
    try:
        with open(script, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
