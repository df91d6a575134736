"""What to do when a task on another machine cannot import a module."""

from __future__ import annotations

import re

_LAST_LINE = re.compile(r"(?:\A|\n)ModuleNotFoundError: No module named '([\w.]+)'[^\n]*\n*\Z")
# Modules whose package has another name: those that people meet most.
_PACKAGES = {
    "Crypto": "pycryptodome",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "google.protobuf": "protobuf",
    "jwt": "PyJWT",
    "psycopg2": "psycopg2-binary",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def explain_missing(module: str) -> str:
    """Two sentences for the ``ModuleNotFoundError`` of ``module`` (dotted or not): why it is
    not there, and what brings it there."""
    top = module.partition(".")[0]
    package = _PACKAGES.get(module) or _PACKAGES.get(top) or top
    return (
        f"The container has no module '{top}': tasks on other machines get Python's own modules, "
        "the files beside the script, and the packages that are asked for. "
        f"Ask for it with @pypi(packages={{'{package}': ''}}) on the step, or with a line "
        f"'{package}' in requirements.txt beside the script; if '{top}' is your own code, put it "
        "beside the script or import it at the script's top."
    )


def missing_module(text: str) -> str | None:
    """The module whose ``ModuleNotFoundError`` is the last line of ``text``; None for other ends.

    ``text`` is what a process printed before it ended, or an exception in one line.
    """
    found = _LAST_LINE.search(text)
    return found.group(1) if found else None
