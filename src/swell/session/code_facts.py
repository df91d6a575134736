"""What code a run is made of: the script's text, and versions of the packages it imports."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping

_SCRIPT_MAX_BYTES = 1_000_000
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+([^\n#;]+))", re.MULTILINE)
_FOLDERS = ("site-packages", "dist-packages")
# Modules whose package has another name; the rest is found by `__version__`.
_PACKAGES_OF = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def script_text(script: str | None) -> str | None:
    """The text of the script; None in a notebook, and where it cannot be read."""
    if script is None:
        return None
    try:
        with open(script, encoding="utf-8", errors="replace") as file:
            return file.read(_SCRIPT_MAX_BYTES)
    except OSError:
        return None


def package_versions(
    text: str, loaded: Mapping[str, object], paths: Iterable[str]
) -> dict[str, str]:
    """Versions of the packages that are ``loaded`` or that the script ``text`` imports somewhere.

    Told by the names of the folders that installers leave on ``paths``: neither a package
    nor its metadata is opened, so that this takes less than a millisecond.
    """
    installed = _installed(paths)
    names = {name for name in loaded if "." not in name}
    for match in _IMPORT.finditer(text):
        names.update(part.split()[0].partition(".")[0] for part in _parts(match))
    found: dict[str, str] = {}
    for name in names - sys.stdlib_module_names:
        package = _PACKAGES_OF.get(name) or name.lower().replace("_", "-")
        version = installed.get(package)
        if version is None:
            told = getattr(loaded.get(name), "__dict__", {}).get("__version__")
            version = told if isinstance(told, str) and name[:1] != "_" else None
        if version is not None:
            found[package] = version
    return dict(sorted(found.items()))


def _parts(match: re.Match[str]) -> list[str]:
    listed: str = match[1] or match[2]
    return [part for part in listed.split(",") if part.strip()]


def _installed(paths: Iterable[str]) -> dict[str, str]:
    """Package → version; the first on ``paths`` counts, as for imports."""
    found: dict[str, str] = {}
    for path in paths:
        if os.path.basename(path) not in _FOLDERS:
            continue
        try:
            entries = os.listdir(path)
        except OSError:
            continue
        for entry in entries:
            if entry.endswith((".dist-info", ".egg-info")):
                name, dash, version = entry[: entry.rindex(".")].partition("-")
                if dash:
                    package = name.lower().replace("_", "-").replace(".", "-")
                    found.setdefault(package, version.partition("-py")[0])
    return found
