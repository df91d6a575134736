"""Ctrl-C in a program is passed on to its runs, then to whoever had it before."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from swell.programs.interrupts import InterruptWatch


class Recorded:
    """A command that notes which signals it is sent."""

    def __init__(self, returncode: int | None = None) -> None:
        self.returncode = returncode
        self.signals: list[int] = []

    def ask_to_end(self, number: int) -> None:
        self.signals.append(number)


@pytest.fixture
def before() -> Iterator[list[int]]:
    """What another handler of SIGINT was given."""
    seen: list[int] = []
    original = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    yield seen
    signal.signal(signal.SIGINT, original)


def watch_of(*commands: Recorded) -> InterruptWatch:
    listed: Callable[[], tuple[Recorded, ...]] = lambda: commands  # noqa: E731  # typed
    return InterruptWatch(listed)  # type: ignore[arg-type]  # stands for commands


def test_an_interrupt_reaches_what_runs_and_then_the_handler_before(before: list[int]) -> None:
    running, ended = Recorded(), Recorded(returncode=0)
    watch = watch_of(running, ended)
    watch.install()
    signal.raise_signal(signal.SIGINT)
    assert (running.signals, ended.signals) == ([signal.SIGINT], [])
    assert before == [signal.SIGINT]


def test_installing_twice_passes_an_interrupt_on_once(before: list[int]) -> None:
    running = Recorded()
    watch = watch_of(running)
    watch.install()
    watch.install()
    signal.raise_signal(signal.SIGINT)
    assert running.signals == [signal.SIGINT]
    assert before == [signal.SIGINT]


def test_what_was_there_before_comes_back(before: list[int]) -> None:
    running = Recorded()
    original = signal.getsignal(signal.SIGINT)
    watch = watch_of(running)
    watch.install()
    watch.remove()
    assert signal.getsignal(signal.SIGINT) is original
    signal.raise_signal(signal.SIGINT)
    assert running.signals == []


def test_a_handler_that_came_later_stays(before: list[int]) -> None:
    watch = watch_of(Recorded())
    watch.install()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch.remove()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_where_pythons_own_handler_took_the_place_it_is_taken_again(before: list[int]) -> None:
    running = Recorded()
    watch = watch_of(running)
    watch.install()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    watch.install()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert running.signals == [signal.SIGINT]


def test_an_ignored_interrupt_stays_ignored(before: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch_of(Recorded()).install()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_in_another_thread_nothing_is_done(before: list[int]) -> None:
    original = signal.getsignal(signal.SIGINT)
    watch = watch_of(Recorded())
    thread = threading.Thread(target=lambda: (watch.install(), watch.remove()))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is original
