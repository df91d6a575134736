"""Random numbers in forked tasks: siblings differ, and a seed set by the script is kept.

A fresh interpreter runs the script's module level, seeding and all, and gives every
generator that nobody seeded a state of its own. A forked task must look the same.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

from swell.compute.seed_watch import watch_random_seed

_LEAST_SYSTEM_SEED = 1 << 64
"""NumPy's seeds from the system have 128 bits: smaller ones were written by a person."""
_LEAST_SYSTEM_SEED_TORCH = 1 << 33
"""PyTorch's have 53 or 64 bits; people's own seldom have more than 32."""

_SEEDS_AT_TOP = re.compile(r"^(?:random\.)?seed\(\s*[^)\s]", re.MULTILINE)
_IMPORTS_SWELL = re.compile(r"^(?:import|from)\s+swell\b", re.MULTILINE)
_INSTALLED = re.compile(r"/(?:site|dist)-packages/|/lib/python3")
_MAKES_UNSEEDED = re.compile(r"\bRandom\(\s*\)")
_MAKES_SEEDED = re.compile(r"\bRandom\(\s*[^)\s]")


class Seeds(NamedTuple):
    """What the script seeded: Python's generator (its state, or None), NumPy's, PyTorch's."""

    python: Any
    numpy: bool
    torch: bool


def look_at_seeds() -> Seeds:
    """In the driver before it forks: what the script seeded at module level.

    Seeding of Python's generator before swell was imported is found in the source of the
    script and of the modules beside it, where a call at the top level stands as plain text.
    """
    watch_random_seed()
    random: Any = sys.modules.get("random")
    state = None
    if random is not None and (random.seed.seeded or any(map(_seeded_unwatched, _own_modules()))):
        state = random.getstate()
    numpy: Any = sys.modules.get("numpy.random.mtrand")
    torch = _default_generator_of_torch()
    return Seeds(
        python=state,
        numpy=numpy is not None and _numpy_is_seeded(numpy),
        torch=torch is not None and torch.initial_seed() < _LEAST_SYSTEM_SEED_TORCH,
    )


def seeds_at_top(source: str) -> bool:
    """Whether a module seeds Python's generator at its top level, before it imports swell."""
    watched_from = _IMPORTS_SWELL.search(source)
    end = watched_from.start() if watched_from else len(source)
    return bool(_SEEDS_AT_TOP.search(source, 0, end))


def _seeded_unwatched(module: ModuleType) -> bool:
    return seeds_at_top(source_of(module))


def renewals(seeds: Seeds) -> tuple[Callable[[], object], ...]:
    """In the zygote: what each child calls so that its generators are as in a fresh process.

    Python's own takes a new seed in every forked process by itself, so there it is the
    script's state that has to be set again; all others keep theirs, so that they need a
    new one unless the script seeded them.
    """
    found: list[Callable[[], object]] = []
    if seeds.python is not None:
        found.append(partial(sys.modules["random"].setstate, seeds.python))
    numpy: Any = sys.modules.get("numpy.random.mtrand")
    if numpy is not None and not seeds.numpy:
        seed = numpy._rand.seed
        # One 32-bit number: more of them go through array conversions, which in a forked
        # child copy a hundred pages (0.1 against 0.8 ms). Two of 10,000 siblings have the
        # same one in 1 of 86 runs.
        found.append(lambda: seed(int.from_bytes(os.urandom(4), "little")))
        found[-1]()  # what the first call sets up need not be set up in each child
    torch = _default_generator_of_torch()
    if torch is not None and not seeds.torch:
        found.append(lambda: torch.manual_seed(int.from_bytes(os.urandom(7), "little")))
    return tuple(found)


def _numpy_is_seeded(mtrand: Any) -> bool:
    # A generator that was seeded by a number has no seed sequence (seen in NumPy 1.26 to 2.4).
    try:
        return mtrand._rand._bit_generator._seed_seq is None
    except AttributeError:
        return False


def _default_generator_of_torch() -> Any:
    return getattr(sys.modules.get("torch"), "default_generator", None)


def find_unseeded(module: ModuleType | None) -> tuple[str, ...]:
    """Names of ``module``'s own random generators that took their seed from the system.

    Forked tasks would draw the same numbers from each of them. Python's Random does not
    tell how it was seeded, so for it the module's source is asked.
    """
    if module is None:
        return ()
    random, numpy = sys.modules.get("random"), sys.modules.get("numpy.random")
    if random is None and numpy is None:
        return ()
    found = []
    for name, value in list(vars(module).items()):
        kind = type(value)
        if random is not None and kind is random.Random:
            if value is not random._inst and not _was_made_with_seed(module):
                found.append(name)
        elif (
            numpy is not None
            and kind in (numpy.Generator, numpy.RandomState)
            and _has_system_seed(value)
        ):
            found.append(name)
    return tuple(found)


def _has_system_seed(generator: Any) -> bool:
    bits = getattr(generator, "bit_generator", None) or generator._bit_generator
    sequence = getattr(bits, "_seed_seq", None)
    entropy = getattr(sequence, "entropy", 0)
    return isinstance(entropy, int) and entropy >= _LEAST_SYSTEM_SEED


def _was_made_with_seed(module: ModuleType) -> bool:
    source = source_of(module)
    return bool(_MAKES_SEEDED.search(source)) and not _MAKES_UNSEEDED.search(source)


def _own_modules() -> list[ModuleType]:
    """The script and the loaded modules that lie in its directory or below."""
    script = sys.modules.get("__main__")
    path = getattr(script, "__file__", None)
    if script is None or not path:
        return []
    directory = os.path.dirname(os.path.abspath(path)) + os.sep
    beside = [script]
    for module in list(sys.modules.values()):
        place = getattr(module, "__file__", None)
        if (
            isinstance(place, str)
            and place.startswith(directory)
            and place.endswith(".py")
            and not _INSTALLED.search(place, len(directory) - 1)
        ):
            beside.append(module)
    return beside


def source_of(module: ModuleType | None) -> str:
    path = getattr(module, "__file__", None)
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
