"""The pickler for what has no importable name; loaded only when a value needs it."""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
import types
from collections import ChainMap
from typing import Any, ClassVar

import cloudpickle  # type: ignore[import-untyped]  # it ships no types


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """Lambdas, closures and local classes by value; all that can be imported by reference.

    cloudpickle alone would store everything of ``__main__`` by value, and then an enum of
    the script is not itself in the next step. It would also turn open files into text
    and memory views into bytes; here those resist.
    """

    dispatch_table: ClassVar[Any] = ChainMap(
        {
            kind: reduce
            for kind, reduce in cloudpickle.Pickler.dispatch_table.items()
            if kind not in (io.TextIOWrapper, memoryview)
        }
    )

    def reducer_override(self, obj: Any) -> Any:
        """Ask cloudpickle only where no name leads to ``obj``."""
        if isinstance(obj, (type, types.FunctionType)) and has_importable_name(obj):
            return NotImplemented
        return super().reducer_override(obj)


class OlderPickler(pickle.Pickler):
    """What does not know protocol 5 is asked for protocol 4; all else is out of band as ever."""

    def reducer_override(self, obj: Any) -> Any:
        """Ask for an older protocol only where this one is refused."""
        return _older(obj)


class OlderByValuePickler(ByValuePickler):
    """That, and by value what has no importable name."""

    def reducer_override(self, obj: Any) -> Any:
        """Ask for an older protocol only where this one is refused."""
        found = super().reducer_override(obj)
        return _older(obj) if found is NotImplemented else found


def _older(obj: Any) -> Any:
    """What protocol 4 makes of ``obj``, where 5 is refused; else it is left to the pickler."""
    if isinstance(obj, (type, types.FunctionType)) or type(obj) in copyreg.dispatch_table:
        return NotImplemented
    for protocol in (5, 4):
        try:
            reduced = obj.__reduce_ex__(protocol)
        except Exception:
            continue
        return NotImplemented if protocol == 5 else reduced
    return NotImplemented


def has_importable_name(thing: type | types.FunctionType) -> bool:
    """Whether its module's attributes lead to this very object."""
    found: object = sys.modules.get(thing.__module__ or "")
    if found is None:
        return False
    for part in thing.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is thing
