"""A temporary folder at module level, deleted when the script ends."""

import tempfile
from pathlib import Path as _Path

FOLDER = tempfile.TemporaryDirectory()
_Path(FOLDER.name, "data").write_text("42")


def use():
    return int(_Path(FOLDER.name, "data").read_text())
