"""``@card``: a report of the step, rendered after it, whatever happens without harm to it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from swell.authoring.context import TaskContext
from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.model.graph import Graph
from swell.model.job import StepPlan

if TYPE_CHECKING:
    from swell.cards.current_card import CardEditor, StepCards

KNOWN_TYPES = ("default", "blank")
_ID = re.compile(r"[A-Za-z0-9_-]+")


class CardDecorator(StepDecorator):
    """Make a report of this step: an HTML page with what the step puts on it.

    In the step, ``current.card.append(Markdown("# Done"))`` adds to it. ``type`` is
    'default' (the step's parameters, artifacts, code and place in the flow, and what was
    appended) or 'blank' (only what was appended). Several cards on a step are told apart
    by ``id``. ``timeout``: seconds for rendering; with ``save_errors`` a card that cannot
    be made is replaced by one that says why. A card never fails its task.

    Example::

        @card
        @step
        def end(self):
            current.card.append(Table.from_dataframe(self.result))
    """

    name = "card"
    repeatable: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, object]] = {
        "type": "default",
        "id": None,
        "options": {},
        "timeout": 45,
        "refresh_interval": 5,
        "customize": False,
        "save_errors": True,
        "scope": "task",
        "rank": None,
    }

    def check_arguments(self) -> None:
        """Raise FlowError for a card type that does not exist and for values of wrong kind."""
        wanted = self.attributes
        if wanted["type"] not in KNOWN_TYPES:
            raise self.problem(
                f"@card(type={wanted['type']!r}) asks for a type of card that does not exist.",
                remedy=f"Known types: {', '.join(KNOWN_TYPES)}.",
            )
        self.timeout_s()
        if not isinstance(wanted["options"], Mapping):
            raise self.problem(
                f"@card(options={wanted['options']!r}) is not a dictionary.",
                remedy='Write, for example, options={"title": "My report"}.',
            )

    def plan(self, plan: StepPlan) -> StepPlan:
        """A warning for an id that cannot be used; the card is made without it."""
        given = self.attributes["id"]
        if given is None or self.id is not None:
            return plan
        warning = (
            f"@card(id={given!r}) on step '{plan.step}': an id has letters, digits, '_' and '-' "
            "only, so the card is made without it."
        )
        return msgspec.structs.replace(plan, warnings=(*plan.warnings, warning))

    def check(self, graph: Graph, step: str) -> None:
        """Nothing can be wrong with where it stands; loads what its tasks will need."""
        import swell.cards.preload  # noqa: F401  # see there

    def around(self, task: TaskContext) -> AbstractContextManager[object]:
        """Give the step ``current.card``; render once the step and its decorators are done."""
        return self._around(task)

    @contextmanager
    def _around(self, task: TaskContext) -> Iterator[None]:
        from swell.cards.current_card import CardEditor, StepCards

        wanted = self.attributes
        cards = task.get_current("card")
        if not isinstance(cards, StepCards):
            cards = StepCards()
            task.set_current("card", cards)
        editor = CardEditor(wanted["type"], self.id, bool(wanted["customize"]))
        cards.add(editor)
        rendering = _Rendering(self, task, cards, editor)
        task.after_step(rendering.finish)
        try:
            yield
        except Exception as error:
            rendering.error = error
            raise

    @property
    def id(self) -> str | None:
        """The id, if it is one that paths and commands can carry."""
        given = self.attributes["id"]
        return given if isinstance(given, str) and _ID.fullmatch(given) else None

    @property
    def called(self) -> str:
        """What messages call this card."""
        name = "" if self.id is None else f" '{self.id}'"
        return f"the {self.attributes['type']} card{name}"

    def timeout_s(self) -> float:
        """Seconds that rendering may take. Raises FlowError if that is no number above 0."""
        given = self.attributes["timeout"]
        try:
            seconds = float(given)
        except (TypeError, ValueError):
            seconds = 0.0
        if isinstance(given, bool) or not 0 < seconds < math.inf:
            raise self.problem(
                f"@card(timeout={given!r}) is no number of seconds.",
                remedy="Give a number above 0; 45 is the default.",
            )
        return seconds


class _Rendering:
    """Makes one card of one attempt; ``error`` is what the step raised, if it did."""

    def __init__(
        self, card: CardDecorator, task: TaskContext, cards: StepCards, editor: CardEditor
    ) -> None:
        self._card = card
        self._task = task
        self._cards = cards
        self._editor = editor
        self._started_at = time.time()
        self.error: BaseException | None = None

    def finish(self) -> None:
        """Never raises: the step is done, its card is not worth its failure."""
        from swell.cards.component import say

        try:
            self._make()
        except Exception as error:
            say(f"{self._card.called} was not stored: {type(error).__name__}: {error}")

    def _make(self) -> None:
        from swell.cards.child import ChildFailed, make_in_child
        from swell.cards.component import say
        from swell.cards.render import RENDERERS, Content, render_error
        from swell.cards.subject import subject_of

        wanted: dict[str, Any] = self._card.attributes
        editor = self._editor
        subject = subject_of(self._task, self._started_at, time.time(), self.error)
        content = Content(
            editor.components.values(), dict(wanted["options"]), self._cards.notices, editor.data
        )
        render = RENDERERS[wanted["type"]]
        try:
            html = make_in_child(lambda: render(subject, content).encode(), self._card.timeout_s())
        except ChildFailed as failure:
            say(f"{self._card.called} could not be made: {failure.message}")
            if not wanted["save_errors"]:
                return
            text = failure.trace or failure.message
            html = render_error(subject, "This card could not be made", text).encode()
        self._task.add_card(wanted["type"], self._card.id, html)


card = StepDecoratorFactory(CardDecorator)
