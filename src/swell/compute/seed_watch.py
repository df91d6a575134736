"""Notices whether the script seeds Python's global generator; loaded with the first import.

``random`` itself is not imported here: where the script does without it, no task has to
renew its state.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # type checkers take it for true; typing itself would cost 10 ms

if TYPE_CHECKING:
    from typing import Any


class WatchedSeed:
    """Stands in for ``random.seed`` and knows whether it was last called with a seed."""

    def __init__(self, seed: Any) -> None:
        self._seed = seed
        self.seeded = False
        self.__doc__ = seed.__doc__
        self.__name__ = "seed"
        self.__module__ = "random"

    def __call__(self, a: Any = None, version: int = 2) -> None:
        """Seed Python's global generator."""
        self._seed(a, version)
        self.seeded = a is not None

    def __reduce__(self) -> str:
        return "seed"


class _RandomFinder:
    """Finds ``random`` when it is first imported, once, so that its ``seed`` is watched."""

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> Any:
        if name != "random":
            return None
        sys.meta_path.remove(cls)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, None, None)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _WatchingLoader(spec.loader)  # type: ignore[assignment]  # duck
                return spec
        return None


class _WatchingLoader:
    """The loader of ``random`` for the time of its import."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        module.seed = WatchedSeed(module.seed)


def watch_random_seed() -> None:
    """Note from now on whether ``random.seed`` is called. Twice is as good as once."""
    random: Any = sys.modules.get("random")
    if random is not None:
        if not isinstance(random.seed, WatchedSeed):
            random.seed = WatchedSeed(random.seed)
    elif _RandomFinder not in sys.meta_path:
        sys.meta_path.insert(0, _RandomFinder)
