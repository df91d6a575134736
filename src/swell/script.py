"""``FlowSpec``: the class that a flow script extends; an instance of it runs the command line."""

from __future__ import annotations

from swell.authoring.flow import Flow


class FlowSpec(Flow):
    """A flow written as a class; its methods marked ``@step`` are its steps.

    ``MyFlow()`` under ``if __name__ == "__main__":`` runs the command line and ends the
    process; ``MyFlow(use_cli=False)`` only makes an object.
    """

    def __init__(self, use_cli: bool = True) -> None:
        if use_cli:
            from swell.cli.main import main

            main(type(self))
