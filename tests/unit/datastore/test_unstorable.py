"""What cannot be stored is an error that names the artifact, the part and a remedy."""

from __future__ import annotations

import functools
import socket
import threading
from types import SimpleNamespace

import pytest

from swell.datastore.artifacts import Artifacts
from swell.errors import UnstorableArtifact
from swell.testing.memory_storage import MemoryStorage


class Holder:
    def __init__(self, **parts: object) -> None:
        vars(self).update(parts)


class Slotted:
    __slots__ = ("inner",)

    def __init__(self, inner: object) -> None:
        self.inner = inner


class Refuses:
    def __reduce__(self) -> str:
        raise ValueError("I stay here")


LOCK = threading.Lock()


def uses_lock() -> object:
    lock = threading.Lock()
    return lambda: lock


def uses_global() -> object:
    return lambda: LOCK


def deep() -> list[object]:
    outer: list[object] = []
    for _ in range(100_000):
        outer = [outer]
    return outer


CASES = {
    "lock": (threading.Lock, "self.x", "lock", "__getstate__"),
    "generator": (lambda: (n for n in range(3)), "self.x", "generator", "list("),
    "socket": (socket.socket, "self.x", "socket", "Open it anew"),
    "text file": (lambda: open(__file__), "self.x", "TextIOWrapper", "path or the content"),  # noqa: SIM115
    "binary file": (lambda: open(__file__, "rb"), "self.x", "Buffered", "path or the content"),  # noqa: SIM115
    "memory view": (lambda: memoryview(b"x"), "self.x", "memoryview", "bytes("),
    "thread": (lambda: threading.Thread(), "self.x._", "lock", "__getstate__"),
    "in a list": (lambda: [1, [2, LOCK]], "self.x[1][1]", "lock", "Make it"),
    "in a dict": (lambda: {"a": {"b": LOCK}}, "self.x['a']['b']", "lock", "Make it"),
    "in an object": (lambda: Holder(model=Holder(lock=LOCK)), "self.x.model.lock", "lock", "Make"),
    "in a slot": (lambda: Slotted(Slotted(LOCK)), "self.x.inner.inner", "lock", "Make it"),
    "in a namespace": (lambda: SimpleNamespace(a=1, b=LOCK), "self.x.b", "lock", "Make it"),
    "in a closure": (uses_lock, "the variable 'lock' that self.x uses", "lock", "Make it"),
    "a global": (uses_global, "the global 'LOCK' that self.x uses", "lock", "Make it"),
    "in a partial": (lambda: functools.partial(print, LOCK), "self.x.args[0]", "lock", "Make it"),
    "its own refusal": (lambda: [Refuses()], "self.x[0]", "Refuses", "local variable"),
    "too deep": (deep, "self.x", "nested too deeply", "flatter"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_part_that_resists_is_named_with_a_remedy(case):
    make, path, kind, remedy = CASES[case]
    value = make()
    try:
        with pytest.raises(UnstorableArtifact) as caught:
            Artifacts(MemoryStorage()).save({"ok": 1, "x": value})
    finally:
        if hasattr(value, "close"):
            value.close()
    assert path in caught.value.message
    assert kind in caught.value.message
    assert remedy in caught.value.remedy


def test_the_word_of_a_class_that_refuses_is_kept():
    with pytest.raises(UnstorableArtifact, match="I stay here"):
        Artifacts(MemoryStorage()).save({"x": Refuses()})


def test_the_search_ends_in_a_wide_and_cyclic_value():
    cyclic: list[object] = [[n] for n in range(5000)]
    cyclic.append(cyclic)
    cyclic.append(LOCK)
    with pytest.raises(UnstorableArtifact, match=r"self\.x"):
        Artifacts(MemoryStorage()).save({"x": cyclic})
