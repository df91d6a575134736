"""What to do when a task on another machine cannot import a module."""

from __future__ import annotations

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
