"""What every card component and card type derives from, under the names scripts know."""

from __future__ import annotations

import html
import sys
from typing import Any, ClassVar

from swell.errors import CardError


def escape(value: object) -> str:
    """``str(value)`` as text that is safe in HTML and in attribute values."""
    return html.escape(str(value), quote=True)


def say(line: str) -> None:
    """One line to the author of the step, in the task's own log."""
    print(f"card: {line}", file=sys.stderr)


class MetaflowCardComponent:
    """One thing on a card. Subclasses return HTML from ``render``; it is not escaped again.

    ``component_id`` names it within its card.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = False
    wide: ClassVar[bool] = True
    """False for what may stand beside its neighbours."""

    _component_id: str | None = None

    @property
    def component_id(self) -> str | None:
        return self._component_id

    @component_id.setter
    def component_id(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"A component's id is text, not {type(value).__name__}.")
        self._component_id = value

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Change what is shown; says so where a kind of component cannot."""
        say(f"{type(self).__name__} has nothing to update; the call is ignored.")

    def render(self) -> str:
        """HTML of this component."""
        raise CardError(
            f"{type(self).__name__} does not define render().",
            remedy="Give it a method render(self) that returns HTML.",
        )


class MetaflowCard:
    """The base of card types: ``type`` names it, ``render(task)`` returns the HTML."""

    type: ClassVar[str | None] = None
    scope: ClassVar[str] = "task"
    ALLOW_USER_COMPONENTS: ClassVar[bool] = False
    RUNTIME_UPDATABLE: ClassVar[bool] = False

    def __init__(
        self,
        options: dict[str, Any] | None = None,
        components: list[MetaflowCardComponent] | None = None,
        graph: object = None,
        flow: object = None,
    ) -> None:
        self.options = options or {}
        self.components = components or []
        self.graph = graph
        self.flow = flow

    def render(self, task: Any) -> str:
        """HTML of the whole card for a finished ``task``."""
        raise CardError(
            f"{type(self).__name__} does not define render(task).",
            remedy="Give it a method render(self, task) that returns HTML.",
        )


def render_safely(component: MetaflowCardComponent) -> str:
    """HTML of ``component``; if it fails, a box that names component and error instead."""
    try:
        made = component.render()
    except Exception as error:
        name = type(component).__name__
        return error_box(f"{name} could not be shown", f"{type(error).__name__}: {error}")
    return made if isinstance(made, str) else escape(made)


def error_box(title: str, text: str) -> str:
    """A box in the colour of failure; both texts are escaped here."""
    body = f"<pre>{escape(text)}</pre>" if text else ""
    return f'<div class="error" role="alert"><strong>{escape(title)}</strong>{body}</div>'
