"""Time a block of code, in one line of a script."""

from __future__ import annotations

import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager


@contextmanager
def profile(label: str, stats_dict: MutableMapping[str, int] | None = None) -> Iterator[None]:
    """Print how long the block took, or add its milliseconds to ``stats_dict[label]``.

    The time counts too when the block raises.
    """
    started = time.perf_counter()
    if stats_dict is None:
        print(f"{label}: started")
    try:
        yield
    finally:
        took_ms = int((time.perf_counter() - started) * 1000)
        if stats_dict is None:
            print(f"{label}: took {took_ms} ms")
        else:
            stats_dict[label] = stats_dict.get(label, 0) + took_ms
