"""``current.card``: what a step puts on its cards while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from swell.cards.component import MetaflowCardComponent, say
from swell.errors import CardError


class Components:
    """The components of one card, in order, each with an id within the card."""

    def __init__(self, components: Iterable[object] = ()) -> None:
        self._by_id: dict[str, MetaflowCardComponent] = {}
        self.extend(components)

    def append(self, component: object, id: str | None = None) -> None:
        """Add ``component``; what is no component is left out, and this is said."""
        if not isinstance(component, MetaflowCardComponent):
            say(
                f"a {type(component).__name__} is not a card component and is left out. "
                "Wrap it, for example in Markdown(…) or Artifact(…)."
            )
            return
        if id is not None:
            component.component_id = id
        elif component.component_id is None:
            component.component_id = self._free_id(type(component).__name__.lower())
        self._by_id[str(component.component_id)] = component

    def extend(self, components: Iterable[object]) -> None:
        """Add several."""
        for component in components:
            self.append(component)

    def clear(self) -> None:
        """Take all away."""
        self._by_id.clear()

    def keys(self) -> list[str]:
        """The ids, in order."""
        return list(self._by_id)

    def values(self) -> list[MetaflowCardComponent]:
        """The components, in order."""
        return list(self._by_id.values())

    def _free_id(self, stem: str) -> str:
        number = len(self._by_id) + 1
        while f"{stem}_{number}" in self._by_id:
            number += 1
        return f"{stem}_{number}"

    def __getitem__(self, key: str) -> MetaflowCardComponent:
        found = self._by_id.get(key)
        if found is None:
            say(f"no component has the id '{key}'; updates of it are ignored.")
            return _NoComponent()
        return found

    def __setitem__(self, key: str, component: object) -> None:
        if key in self._by_id:
            raise CardError(
                f"The card already has a component with the id '{key}'.",
                remedy="Call its update method, or delete it first.",
            )
        self.append(component, id=key)

    def __delitem__(self, key: str) -> None:
        if key not in self._by_id:
            known = ", ".join(self._by_id) or "none"
            raise KeyError(f"No component has the id '{key}'; the card has: {known}.")
        del self._by_id[key]

    def __contains__(self, key: object) -> bool:
        return key in self._by_id

    def __iter__(self) -> Iterator[MetaflowCardComponent]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)


class _NoComponent(MetaflowCardComponent):
    """Stands for a component that is not there."""

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to change."""

    def render(self) -> str:
        return ""


class CardEditor:
    """One card of the running step."""

    def __init__(self, type: str = "", id: str | None = None, customize: bool = False) -> None:
        self.type = type
        self.id = id
        self.customize = customize
        self.components = Components()
        self.data: Any = None

    def append(self, component: object, id: str | None = None) -> None:
        """Put ``component`` at the end of the card; by ``id`` it is found again."""
        self.components.append(component, id=id)

    def extend(self, components: Iterable[object]) -> None:
        """Put several at the end of the card."""
        self.components.extend(components)

    def clear(self) -> None:
        """Take all components off the card."""
        self.components.clear()

    def refresh(self, data: Any = None, force: bool = False) -> None:
        """Keep ``data`` (JSON-able) with the card. The card is rendered when the step ends."""
        try:
            json.dumps(data)
        except (TypeError, ValueError) as error:
            say(f"refresh was given data that is not JSON ({error}); it is not kept.")
            return
        self.data = data

    def __iter__(self) -> Iterator[MetaflowCardComponent]:
        return iter(self.components)

    def __len__(self) -> int:
        return len(self.components)


class StepCards:
    """All cards of the running step; acts itself as the one card that is meant without an id.

    That is the only card; or the one with ``customize=True``; or the only one without id.
    """

    def __init__(self) -> None:
        self.editors: list[CardEditor] = []
        self.notices: list[str] = []
        """What went wrong and is shown on the cards too, each once."""

    def add(self, editor: CardEditor) -> None:
        """A further card, in the order of the decorators."""
        self.editors.append(editor)

    def append(self, component: object, id: str | None = None) -> None:
        """Put ``component`` at the end of the step's card."""
        self._meant("append").append(component, id=id)

    def extend(self, components: Iterable[object]) -> None:
        """Put several at the end of the step's card."""
        self._meant("extend").extend(components)

    def clear(self) -> None:
        """Take all components off the step's card."""
        self._meant("clear").clear()

    def refresh(self, data: Any = None, force: bool = False) -> None:
        """Keep ``data`` with the step's card; see ``CardEditor.refresh``."""
        self._meant("refresh").refresh(data, force)

    @property
    def components(self) -> Components:
        """The components of the step's card, by id."""
        return self._meant("components").components

    def get(self, type: str | None = None) -> list[list[MetaflowCardComponent]]:
        """The components of every card of ``type``."""
        return [list(editor) for editor in self.editors if editor.type == type]

    def __getitem__(self, id: str) -> CardEditor:
        matching = [editor for editor in self.editors if editor.id == id]
        if len(matching) == 1:
            return matching[0]
        self._complain_about_id(id, len(matching))
        return CardEditor()

    def __setitem__(self, id: str, components: Sequence[object]) -> None:
        if not isinstance(components, (list, tuple)):
            self._complain(f"current.card['{id}'] takes a list of components; it stays as it was.")
            return
        editor = self[id]
        editor.clear()
        editor.extend(components)

    def __iter__(self) -> Iterator[MetaflowCardComponent]:
        return iter(self.components)

    def _meant(self, call: str) -> CardEditor:
        found = meant_without_id(self.editors)
        if found is not None:
            return found
        ids = ", ".join(repr(editor.id) for editor in self.editors if editor.id)
        self._complain(
            f"current.card.{call} does not know which of the step's {len(self.editors)} cards is "
            f"meant, and does nothing. Say @card(id=…) on all but one of them, then "
            f"current.card[id].{call}(…)." + (f" Ids so far: {ids}." if ids else "")
        )
        return CardEditor()

    def _complain_about_id(self, id: str, matches: int) -> None:
        ids = ", ".join(repr(editor.id) for editor in self.editors if editor.id) or "none"
        if matches:
            self._complain(f"{matches} cards of this step have the id '{id}'; give each its own.")
            return
        self._complain(
            f"no card of this step has the id '{id}' (there is: {ids}), so that what is put "
            f"there is not shown. Write @card(id='{id}')."
        )

    def _complain(self, line: str) -> None:
        if line not in self.notices:
            self.notices.append(line)
            say(line)


def meant_without_id(editors: Sequence[CardEditor]) -> CardEditor | None:
    """The card that ``current.card.append`` means; None if that cannot be told."""
    if len(editors) == 1:
        return editors[0]
    customized = [editor for editor in editors if editor.customize]
    if len(customized) == 1:
        return customized[0]
    without_id = [editor for editor in editors if editor.id is None]
    return without_id[0] if len(without_id) == 1 else None
