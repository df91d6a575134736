"""The foreaches around a task as short texts."""

from __future__ import annotations

from swell.errors import DataMissing
from swell.model.job import Frame
from swell.model.record import ItemRef
from swell.scheduler.stack_text import foreach_stack_text


def frame(var: str, text: str | int) -> Frame:
    ref = ItemRef(number=text) if isinstance(text, int) else ItemRef(inline=text.encode())
    return Frame("start", var, 3, 0, ref)


def texts(*stack: Frame) -> list[str]:
    return list(foreach_stack_text(stack, lambda ref: (ref.inline or b"").decode()))


def test_one_text_a_foreach_outermost_first() -> None:
    assert texts(frame("xs", 7), frame("words", "é")) == ["xs=7", "words=é"]


def test_an_item_is_cut_to_30_characters() -> None:
    assert texts(frame("x", "a" * 31)) == ["x=" + "a" * 30]


def test_all_together_stay_within_256_characters() -> None:
    stack = [frame("v" * 20, "a" * 30)] * 6
    assert texts(*stack) == ["v" * 20 + "=" + "a" * 30] * 5


def test_a_gang_has_no_variable() -> None:
    assert texts(frame("", 1)) == ["num_parallel=1"]


def test_an_item_that_is_gone_is_left_to_the_step_that_reads_it() -> None:
    def gone(ref: ItemRef) -> str:
        raise DataMissing("gone")

    assert foreach_stack_text([frame("x", "a")], gone) == ("x=",)
