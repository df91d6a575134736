"""What stored values may load: checked by name before it is imported, and again when found."""

from __future__ import annotations

import enum
import os
import sys
import types
from typing import Any, NamedTuple

import msgspec

from swell.datastore.safe_names import CLASSES, CODE, NAMES, NEVER, NEVER_NAMES, PLAIN_INSTEAD
from swell.errors import Untrusted, UsageError

OWN = "own"
ALLOW_LIST = "allow-list"

_GETATTR = ("builtins", "getattr")


class Trust(msgspec.Struct, frozen=True):
    """``folder`` is what counts as the user's own code; ``allowed`` are names, modules and
    packages that the user trusts besides."""

    kind: str
    folder: str
    allowed: tuple[str, ...] = ()

    def check_code(self) -> None:
        """Raises Untrusted for a value that carries code, unless that is allowed."""
        if CODE not in self.allowed:
            raise Untrusted(
                "carries code of its own (a lambda, a closure or a local class), which "
                f"SWELL_UNPICKLE={self.kind} does not load.",
                remedy="Store functions and classes that a module or the script defines. Where "
                "everybody who can write to the store is trusted: SWELL_UNPICKLE=allow-list and "
                f"SWELL_UNPICKLE_ALLOW={CODE}.",
            )

    def check_name(self, module: str, name: str) -> None:
        """Raises Untrusted for what may not even be imported."""
        if _has_stand_in(module, name) or self._is_listed(module, name):
            return
        if is_never(module, name):
            raise self._refused(module, name, is_never=True)
        if not (self._is_allowed(module, name) or _is_class_module(module) or self._is_own(module)):
            raise self._refused(module, name)

    def checked(self, module: str, name: str, found: Any) -> Any:
        """``found`` under a name that passed ``check_name``, or what stands in for it.

        What a module has merely imported from elsewhere (``numpy.os``) is judged by where it
        comes from.
        """
        if (module, name) == _GETATTR:
            return self._attribute
        if _has_stand_in(module, name):
            return getattr(sys.modules[module], PLAIN_INSTEAD[f"{module}.{name}"].split(".")[-1])
        if self._is_listed(module, name):
            return found
        home, own_name = _home(found)
        if isinstance(found, types.ModuleType) or is_never(home, own_name):
            raise self._refused(module, name, is_never=True)
        is_class = isinstance(found, type)
        if (
            self._is_listed(home, own_name)
            or self._is_allowed(home, own_name)
            or f"{module}.{name}" in self.allowed
            or (is_class and _is_class_module(home))
            or (is_class and home == "builtins" and issubclass(found, BaseException))
            or self._is_own(home)
        ):
            return found
        raise self._refused(module, name)

    def _is_listed(self, module: str, name: str) -> bool:
        return name in NAMES.get(module, "").split()

    def _is_allowed(self, module: str, name: str) -> bool:
        full = f"{module}.{name}."
        return any(full.startswith(f"{one}.") for one in self.allowed)

    def _is_own(self, module: str) -> bool:
        return module == "__main__" or _is_below(_place_of(module.partition(".")[0]), self.folder)

    def _attribute(self, thing: Any, name: str) -> Any:
        """Stands in for ``getattr``, which enums and time zones are stored with."""
        if isinstance(thing, enum.EnumMeta) and name in thing.__members__:
            return thing.__members__[name]
        kind = (getattr(thing, "__module__", ""), getattr(thing, "__qualname__", ""))
        if kind == ("zoneinfo", "ZoneInfo") and name == "_unpickle":
            return thing._unpickle
        what = type(thing) if not isinstance(thing, type) else thing
        raise self._refused(what.__module__, f"{what.__qualname__}.{name}")

    def _refused(self, module: str, name: str, *, is_never: bool = False) -> Untrusted:
        full = f"{module}.{name}"
        if is_never:
            return Untrusted(
                f"asks for '{full}', which can run anything and is never loaded under "
                f"SWELL_UNPICKLE={self.kind}.",
                remedy="Swell stores no such value by itself: find out who wrote it, and who can "
                "write to the store.",
            )
        allow = ",".join([*self.allowed, full])
        return Untrusted(
            f"needs '{full}', which SWELL_UNPICKLE={self.kind} does not load.",
            remedy=f"If you trust it: SWELL_UNPICKLE={ALLOW_LIST} and SWELL_UNPICKLE_ALLOW={allow}",
        )


def trust_of(kind: str, allowed: str | None, script: str) -> Trust:
    """What the settings ask for; ``script`` is the flow's file, '' where there is none.

    Raises UsageError for a setting that cannot be.
    """
    if kind not in (OWN, ALLOW_LIST):
        raise UsageError(
            f"SWELL_UNPICKLE is '{kind}'.",
            remedy=f"Set it to {OWN} or {ALLOW_LIST}, or unset it to load everything.",
        )
    names = tuple(name.strip().rstrip(".") for name in (allowed or "").split(",") if name.strip())
    if names and kind == OWN:
        raise UsageError(
            f"SWELL_UNPICKLE_ALLOW has names, and SWELL_UNPICKLE is '{OWN}', which takes none.",
            remedy=f"Set SWELL_UNPICKLE={ALLOW_LIST}, or unset SWELL_UNPICKLE_ALLOW.",
        )
    for name in names:
        if is_never(*name.partition(".")[::2]) or not _is_dotted(name):
            raise UsageError(
                f"SWELL_UNPICKLE_ALLOW names '{name}', which cannot be allowed.",
                remedy="Name packages, modules or classes, such as sklearn or mypkg.models.Net.",
            )
    return Trust(kind, _folder_of(script), names)


def is_never(module: str, name: str) -> bool:
    """Whether it can run or open anything, so that no list may allow it."""
    full = f"{module}.{name}".rstrip(".")
    is_error = module == "builtins" and _is_exception(name)
    return not is_error and (module.partition(".")[0] in NEVER or full in NEVER_NAMES)


def _is_exception(name: str) -> bool:
    import builtins

    found = getattr(builtins, name, None)
    return isinstance(found, type) and issubclass(found, BaseException)


def _has_stand_in(module: str, name: str) -> bool:
    return (module, name) == _GETATTR or f"{module}.{name}" in PLAIN_INSTEAD


def _is_class_module(module: str) -> bool:
    is_error = module == "builtins"
    return is_error or any(f"{module}.".startswith(f"{one}.") for one in CLASSES)


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


class _Home(NamedTuple):
    """Where something was defined, and as what."""

    module: str
    name: str


def _home(found: Any) -> _Home:
    # A value that is stored by its name (a sentinel) is judged as its class is.
    thing = found if hasattr(found, "__qualname__") else type(found)
    return _Home(str(getattr(thing, "__module__", "")), str(thing.__qualname__))


def _folder_of(script: str) -> str:
    main = script or getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.realpath(os.path.dirname(os.path.abspath(main)) if main else os.getcwd())


def _place_of(top: str) -> str | None:
    """Where the top-level module is; None where it has no file. Imports nothing."""
    import importlib.util

    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        file = getattr(sys.modules.get(top), "__file__", None)
        return os.path.realpath(file) if file else None
    if spec is None or not (spec.has_location or spec.submodule_search_locations):
        return None
    found = spec.origin if spec.has_location else next(iter(spec.submodule_search_locations or ()))
    return os.path.realpath(found) if found else None


def _is_below(path: str | None, folder: str) -> bool:
    """Whether ``path`` is the user's own code in ``folder``, not an installed package."""
    if path is None or not path.startswith(folder.rstrip(os.sep) + os.sep):
        return False
    parts = set(path[len(folder) :].split(os.sep))
    is_python = path.startswith(os.path.realpath(os.path.dirname(os.__file__)) + os.sep)
    return not (is_python or parts & {"site-packages", "dist-packages"})
