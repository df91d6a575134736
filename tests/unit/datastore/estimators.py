"""Estimators as users write them.

Tests import them in the test: every worker of a session reads all files of tests, and
scikit-learn takes three seconds to load.
"""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator


class OwnEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    def __init__(self, rate: float = 0.5, **others: int) -> None:
        self.rate = rate
        self.power = others.get("power", 1)

    def get_params(self, deep: bool = True) -> dict[str, object]:
        raise AssertionError("called")


class ParentModel(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    def __init__(self, depth: int | None = None, rate: float | None = None) -> None:
        self.depth = depth
        self.rate = rate


class ChildModel(ParentModel):
    """Takes its parent's parameters as keywords, as XGBoost's classes do."""

    def __init__(self, *, objective: str = "linear", **keywords: Any) -> None:
        super().__init__(**keywords)
        self.objective = objective


class Broken(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    __slots__ = ()

    @property
    def __dict__(self) -> Any:  # type: ignore[override]  # meant to break
        raise RuntimeError("broken")
