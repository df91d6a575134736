"""The question after Ctrl-C: kill what runs elsewhere, or leave it alone."""

from __future__ import annotations

import os

import pytest

from swell.scheduler.events import Interrupted, LeftAlone
from swell.scheduler.loop import Inbox
from swell.session.leaving import LeaveQuestion

DEADLINE_S = 10.0


class Asked:
    """A question on a terminal of its own."""

    def __init__(self, *, can_be_left: bool = True, answer_s: float = DEADLINE_S) -> None:
        self.keys, end = os.openpty()
        self.terminal = os.fdopen(end, encoding="utf-8")
        self.inbox = Inbox()
        self.said: list[str] = []
        self.question = LeaveQuestion(
            self.inbox,
            lambda: can_be_left,
            self.said.append,
            terminal=self.terminal,
            answer_s=answer_s,
        )
        self.question.open()

    def close(self) -> None:
        if self.terminal.closed:
            return
        self.question.close()
        self.terminal.close()
        os.close(self.keys)


@pytest.fixture
def asked():
    made = []

    def make(**how) -> Asked:
        made.append(Asked(**how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("answer", "event"), [(b"d\n", LeftAlone), (b"k\n", Interrupted), (b"\n", Interrupted)]
)
def test_the_answer_decides(asked, answer, event):
    here = asked()
    assert here.question.ask()
    os.write(here.keys, answer)
    (found,) = here.inbox.take(DEADLINE_S)
    assert isinstance(found, event)
    assert "d and Enter" in here.said[0]


def test_without_an_answer_the_run_is_ended(asked):
    here = asked(answer_s=0.01)
    assert here.question.ask()
    (found,) = here.inbox.take(DEADLINE_S)
    assert isinstance(found, Interrupted)


def test_a_second_interrupt_is_not_asked_about(asked):
    here = asked()
    assert here.question.ask()
    assert not here.question.ask()


def test_nothing_is_asked_where_nothing_would_go_on(asked):
    here = asked(can_be_left=False)
    assert not here.question.ask()
    assert here.said == []


def test_an_open_question_goes_with_the_run(asked):
    here = asked()
    assert here.question.ask()
    here.close()
    assert here.inbox.take(0.0) == []
