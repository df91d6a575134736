"""The foreaches around a task as text, for people and tools that list tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swell.errors import StoreError
from swell.model.job import Frame
from swell.model.record import ItemRef

VALUE_CHARACTERS = 30
STACK_CHARACTERS = 256

ItemText = Callable[[ItemRef], str]
"""A short text of a foreach item; '' where it cannot be told without the user's classes."""


def foreach_stack_text(stack: Sequence[Frame], item_text: ItemText) -> tuple[str, ...]:
    """'variable=item' of each foreach, outermost first; inner ones that do not fit are left out.

    An item is cut to 30 characters, all together to 256.
    """
    room = STACK_CHARACTERS
    texts = []
    for frame in stack:
        text = f"{frame.var or 'num_parallel'}={_value_text(frame.item, item_text)}"
        room -= len(text)
        if room < 0:
            break
        texts.append(text)
    return tuple(texts)


def number_text(item: ItemRef) -> str:
    """The text of an item that is a number; '' for any other."""
    return "" if item.number is None else str(item.number)


def _value_text(item: ItemRef, item_text: ItemText) -> str:
    if item.number is not None:
        return number_text(item)
    try:
        return item_text(item)[:VALUE_CHARACTERS]
    except StoreError:
        return ""  # only a label: the step is told when it reads the item itself
