"""The tutorials in Metaflow's own package: which run here, and how their artifacts compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
VERSION = (ROOT / "tests/tutorials.txt").read_text().strip().split("==")[1]
FOLDER = ROOT / f"build/metaflow-{VERSION}/metaflow/tutorials"
RECORDED = ROOT / f"tests/data/metaflow-{VERSION}/tutorials.json"
# Genres come from a set of strings, whose order this decides; the same for both systems.
VARIABLES = {"PYTHONHASHSEED": "0"}


class Tutorial(NamedTuple):
    """A script, its flow and its steps."""

    script: str
    flow: str
    steps: tuple[str, ...]


PLAYLIST = ("start", "bonus_movie", "genre_movies", "join", "end")
# In the order in which they build on each other.
TUTORIALS = (
    Tutorial("00-helloworld/helloworld.py", "HelloFlow", ("start", "hello", "end")),
    Tutorial("01-playlist/playlist.py", "PlayListFlow", PLAYLIST),
    Tutorial(
        "02-statistics/stats.py", "MovieStatsFlow", ("start", "compute_statistics", "join", "end")
    ),
    Tutorial("03-playlist-redux/playlist.py", "PlayListFlow", PLAYLIST),
)
REFUSED = {
    "04-playlist-plus/playlist.py": "conda",
    "05-hello-cloud/hello-cloud.py": "kubernetes",
}
NOTEBOOKS = (
    "01-playlist/playlist.ipynb",
    "02-statistics/stats.ipynb",
    "06-statistics-redux/stats.ipynb",
)
LEFT_OUT = {
    "05-hello-cloud/hello-cloud.ipynb": "reads a run that was made on Kubernetes",
    "07-worldview/worldview.ipynb": "reads a run that was made on Kubernetes",
    "08-autopilot/autopilot.ipynb": "reads a run that was made on Argo Workflows",
}
LONGEST = 400


def comparable(artifacts: Mapping[str, Any]) -> dict[str, Any]:
    """Artifacts of a task as they are compared: what was shuffled is sorted, what was drawn
    is known by its kind alone, what is long by its hash."""
    found = {}
    for name, value in artifacts.items():
        if name == "bonus":
            value = [type(part).__name__ for part in value]
        if name in ("movies", "playlist"):
            value = sorted(value)
        text = json.dumps(value, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        found[name] = {"sha256": digest} if len(text) > LONGEST else json.loads(text)
    return found
