"""The artifacts of a task as attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from swell.errors import Untrusted
from swell.model.record import ArtifactRef


class TaskData:
    """The artifacts of a task as attributes, each loaded when it is read."""

    def __init__(
        self, path: str, refs: Mapping[str, ArtifactRef], load: Callable[[ArtifactRef], object]
    ) -> None:
        self._path = path
        self._refs = refs
        self._load = load

    def __getattr__(self, name: str) -> Any:
        refs = self.__dict__.get("_refs", {})
        if name not in refs:
            path = self.__dict__.get("_path", "?")
            raise AttributeError(f"Task {path} has no artifact '{name}'.")
        try:
            return self._load(refs[name])
        except Untrusted as error:
            raise error.located(f"Artifact {self._path}/{name}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._refs

    def __dir__(self) -> list[str]:
        return [name for name in self._refs if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"<TaskData: {', '.join(dir(self))}>"
