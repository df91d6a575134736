"""Finished cards as people read them: a lazy sequence of cards of one task."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import msgspec

from swell.cards.component import escape
from swell.errors import InternalError
from swell.model.record import CardRef

DATA_ELEMENT = '<script type="application/json" id="swell-card-data">'
"""What stands before the data given to ``refresh`` in a rendered card."""
_DATA = re.compile(re.escape(DATA_ELEMENT) + r"(.*?)</script>", re.DOTALL)


class TaskCards(msgspec.Struct, frozen=True):
    """The cards of one task. ``load`` reads a card's HTML; it may raise StoreError.

    ``origin_pathspec`` is set where the task was adopted by resume and its origin's
    cards are shown.
    """

    pathspec: str
    refs: tuple[CardRef, ...]
    load: Callable[[CardRef], bytes]
    origin_pathspec: str | None = None


class Card:
    """One card; its HTML is read when it is first asked for."""

    def __init__(self, cards: TaskCards, ref: CardRef) -> None:
        self._cards = cards
        self._ref = ref
        self._html: str | None = None
        self.from_resumed = cards.origin_pathspec is not None
        self.origin_pathspec = cards.origin_pathspec

    @property
    def type(self) -> str:
        """The card's type, e.g. 'default'."""
        return self._ref.type

    @property
    def id(self) -> str | None:
        """What ``@card(id=…)`` said."""
        return self._ref.id

    @property
    def hash(self) -> str:
        """SHA-1 of the HTML, in hex; a few first digits are enough on the command line."""
        return self._ref.hash

    @property
    def path(self) -> str:
        """Names the card within its store: ``Flow/run/step/task/type-id-hash.html``."""
        name = "-".join(part for part in (self.type, self.id, self.hash) if part)
        return f"{self._cards.pathspec}/{name}.html"

    def get(self) -> str:
        """The card's HTML, a document that needs no other file."""
        if self._html is None:
            self._html = self._cards.load(self._ref).decode()
        return self._html

    def get_data(self) -> Any:
        """What the step last gave to ``current.card.refresh(data)``; None if nothing."""
        found = _DATA.search(self.get())
        return None if found is None else json.loads(found[1])

    def view(self) -> None:
        """Open the card in the web browser of this machine."""
        import tempfile
        import webbrowser

        # It stays: the browser reads it at its own time.
        with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False) as file:
            file.write(self.get())
        webbrowser.open(f"file://{file.name}")

    def __str__(self) -> str:
        return f"<Card at '{self.path}'>"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        style = "width:100%;height:70vh;border:0"
        return f'<iframe srcdoc="{escape(self.get())}" style="{style}"></iframe>'


class CardContainer(Sequence[Card]):
    """Cards of one task, in the order of their decorators."""

    def __init__(self, cards: TaskCards) -> None:
        self._cards = cards
        self._members = [Card(cards, ref) for ref in cards.refs]
        self.from_resumed = cards.origin_pathspec is not None
        self.origin_pathspec = cards.origin_pathspec

    def select(
        self, *, type: str | None = None, id: str | None = None, hash: str | None = None
    ) -> CardContainer:
        """Those that match all that is given; ``hash`` may be the first digits."""
        refs = tuple(
            ref
            for ref in self._cards.refs
            if type in (None, ref.type)
            and id in (None, ref.id)
            and (hash is None or ref.hash.startswith(hash))
        )
        return CardContainer(msgspec.structs.replace(self._cards, refs=refs))

    def __len__(self) -> int:
        return len(self._members)

    @overload
    def __getitem__(self, index: int) -> Card: ...
    @overload
    def __getitem__(self, index: slice) -> list[Card]: ...
    def __getitem__(self, index: int | slice) -> Card | list[Card]:
        return self._members[index]

    def __iter__(self) -> Iterator[Card]:
        return iter(self._members)

    def __repr__(self) -> str:
        return f"<{len(self)} cards of {self._cards.pathspec}>"

    def _repr_html_(self) -> str:
        return "".join(
            f"<h3>{escape(card.id or card.type)}</h3>{card._repr_html_()}" for card in self
        )


class CardAccess:
    """How ``get_cards`` reaches stored tasks; the session installs the way.

    ``opener(task, follow_resumed)`` takes a Task object or a pathspec. One object per
    process: ``get_cards`` is a plain function that scripts import, and cards may not
    import the client.
    """

    def __init__(self) -> None:
        self._opener: Callable[[Any, bool], TaskCards] | None = None

    def install_opener(self, opener: Callable[[Any, bool], TaskCards]) -> None:
        """Called once by the session, before user code runs."""
        self._opener = opener

    def open(self, task: Any, follow_resumed: bool) -> TaskCards:
        """The cards of ``task``. InternalError if no opener was installed."""
        if self._opener is None:
            raise InternalError("Nobody installed a way to read cards.")
        return self._opener(task, follow_resumed)


access = CardAccess()


def get_cards(
    task: Any, id: str | None = None, type: str | None = None, follow_resumed: bool = True
) -> CardContainer:
    """The cards of a Task, or of the path ``Flow/run/step/task``.

    ``follow_resumed``: where the task was adopted by resume, those of its origin.
    """
    return CardContainer(access.open(task, follow_resumed)).select(id=id, type=type)
