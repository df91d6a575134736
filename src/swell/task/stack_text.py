"""The foreaches around a task as text, for tools that list tasks by what they work on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from swell.errors import StoreError
from swell.model.job import Frame
from swell.model.record import ItemRef

NAME = "foreach-stack"
VALUE_CHARACTERS = 30
STACK_CHARACTERS = 256


def foreach_stack_text(stack: Sequence[Frame], item_text: Callable[[ItemRef], str]) -> str:
    """A JSON list of 'variable=item', outermost first; inner ones that do not fit are left out.

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
    return msgspec.json.encode(texts).decode()


def _value_text(item: ItemRef, item_text: Callable[[ItemRef], str]) -> str:
    if item.inline is None and item.key is None:
        return str(item.number)
    try:
        return item_text(item)[:VALUE_CHARACTERS]
    except StoreError:
        return ""  # a fact for tools only: the step is told when it reads the item itself
