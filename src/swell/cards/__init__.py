"""HTML reports of a step: components, rendering, and the public names users import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swell.cards.charts import VegaChart
    from swell.cards.collection import get_cards
    from swell.cards.component import MetaflowCard, MetaflowCardComponent
    from swell.cards.components import Artifact, Error, Markdown, ProgressBar, PythonCode, ValueBox
    from swell.cards.pictures import Image
    from swell.cards.tables import Table
    from swell.cards.timeline import EventsTimeline
    from swell.cards.viewers import JSONViewer, YAMLViewer

__all__ = [
    "Artifact",
    "Error",
    "EventsTimeline",
    "Image",
    "JSONViewer",
    "Markdown",
    "MetaflowCard",
    "MetaflowCardComponent",
    "ProgressBar",
    "PythonCode",
    "Table",
    "ValueBox",
    "VegaChart",
    "YAMLViewer",
    "get_cards",
]

# Loaded when asked for: the decorator lives in this package, and a flow that uses it
# should not wait for components it does not name.
_HOMES = {
    "charts": ("VegaChart",),
    "component": ("MetaflowCard", "MetaflowCardComponent"),
    "components": ("Artifact", "Error", "Markdown", "ProgressBar", "PythonCode", "ValueBox"),
    "pictures": ("Image",),
    "tables": ("Table",),
    "timeline": ("EventsTimeline",),
    "viewers": ("JSONViewer", "YAMLViewer"),
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "get_cards":
        # Cards know no store: the package gives this one joined to those of the client.
        return import_module("swell").get_cards
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
