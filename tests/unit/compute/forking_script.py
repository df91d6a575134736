"""Prelude of the scripts in test_hygiene: forks tasks as a zygote does.

A script imports it first, as a flow script imports swell, runs its own module level, and
calls ``fork_tasks``. Not part of swell: the zygote proper adds pipes and signals.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from swell.compute.seed_watch import watch_random_seed

watch_random_seed()


def fork_tasks(*bodies: Callable[[], object]) -> list[Any]:
    """What each body returned, evaluated in a grandchild of its own; None if it died."""
    from swell.compute import hygiene

    warm = hygiene.before_fork()
    results = []
    read_end, write_end = os.pipe()
    zygote = os.fork()
    if zygote == 0:
        hygiene.prepare_to_fork(warm)
        for body in bodies:
            os.set_inheritable(write_end, True)
            child = os.fork()
            if child == 0:
                hygiene.cleanse_child(warm)
                line = repr(body()) + "\n"
                hygiene.end_child(warm)
                os.write(write_end, line.encode())
                os._exit(0)
            _pid, status = os.waitpid(child, 0)
            if status:
                os.write(write_end, b"None\n")
        os._exit(0)
    os.close(write_end)
    os.waitpid(zygote, 0)
    with open(read_end) as lines:
        for line in lines:
            results.append(eval(line, {"inf": float("inf")}))
    return results


def show(values: object) -> None:
    """Print what a test reads back."""
    sys.stdout.write(repr(values) + "\n")
