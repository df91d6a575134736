"""Work spread over threads whose owner can be interrupted while it waits."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

_POLL_S = 0.5


def spread(work: Callable[[_T], _R], items: Iterable[_T], threads: int) -> Iterator[_R]:
    """``work`` of every item, in the order they are finished, by up to ``threads`` at once.

    ``items`` is gone through by those threads, one at a time. The first error is raised;
    what is under way is then left to end by itself.
    """
    done: queue.SimpleQueue[tuple[bool, object]] = queue.SimpleQueue()
    source = iter(items)
    lock = threading.Lock()
    stop = threading.Event()

    def labour() -> None:
        while not stop.is_set():
            try:
                with lock:
                    item = next(source, stop)
                if item is stop:
                    break
                done.put((True, work(item)))  # type: ignore[arg-type]  # stop is no item
            except BaseException as error:
                stop.set()
                done.put((False, error))
                return
        done.put((False, None))

    # Daemons: an interrupt must not wait for a request that hangs.
    workers = [
        threading.Thread(target=labour, name="swell-transfer", daemon=True) for _ in range(threads)
    ]
    for worker in workers:
        worker.start()
    try:
        ended = 0
        while ended < len(workers):
            try:
                is_result, answer = done.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if is_result:
                yield answer  # type: ignore[misc]  # what work returned
            elif answer is None:
                ended += 1
            else:
                assert isinstance(answer, BaseException)
                raise answer
    finally:
        stop.set()


def interruptibly(work: Callable[[], _R]) -> _R:
    """``work()``, which may block in foreign code; on the main thread a signal is still
    handled at once."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    return next(spread(lambda call: call(), [work], 1))
