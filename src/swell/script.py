"""``FlowSpec``: the class that a flow script extends; an instance of it runs the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from swell.authoring.flow import Flow
from swell.compute.seed_watch import watch_random_seed
from swell.errors import SwellError

if TYPE_CHECKING:
    from types import TracebackType

    from swell.authoring.describe import GraphView


def _tell_plainly(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A flow that cannot even be declared gets a sentence, not our stack trace."""
    if not isinstance(error, SwellError):
        sys.__excepthook__(kind, error, trace)
        return
    from swell.cli.render import say_error_of
    from swell.settings import load_settings

    settings = load_settings()
    if settings.is_debug:
        sys.__excepthook__(kind, error, trace)
    else:
        say_error_of(error, no_color=settings.no_color)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _tell_plainly

# A forked task has to know whether the script seeds: watched from the first import on.
watch_random_seed()


class FlowSpec(Flow):
    """A flow written as a class; its methods marked ``@step`` are its steps.

    ``MyFlow()`` under ``if __name__ == "__main__":`` runs the command line and ends the
    process; ``MyFlow(use_cli=False)`` only makes an object.
    """

    def __init__(self, use_cli: bool = True) -> None:
        if use_cli:
            from swell.cli.begin import begin

            begin(type(self))

    @property
    def _graph(self) -> GraphView:
        """The graph as tools read it: ``flow._graph[step].type``, ``.out_funcs`` and so on."""
        from swell.authoring.describe import GraphView
        from swell.authoring.parse import parse_flow

        return GraphView(parse_flow(type(self)))
