"""The flow object: artifacts as attributes, ``self.next`` and what a task asks of it.

It does not store, schedule or read files; all data comes through its FlowDoor.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from types import MethodType
from typing import TYPE_CHECKING, Any, NoReturn

from swell.authoring.step import steps_of
from swell.errors import SwellError

if TYPE_CHECKING:
    from swell.authoring.context import FlowDoor
    from swell.authoring.transition import Chosen
    from swell.model.graph import Node

_OWN_NAMES = ("next", "merge_artifacts", "foreach_stack")
_SHOWN_INPUT_CHARACTERS = 20
_UNREAD = object()


class _Machinery:
    """What a flow object knows besides artifacts, out of reach of ``vars(flow)``."""

    __slots__ = ("chosen", "door", "item", "loaded", "node", "read_only")

    def __init__(self) -> None:
        self.door: FlowDoor | None = None
        self.node: Node | None = None
        self.chosen: Chosen | None = None
        self.loaded: dict[str, object] = {}
        self.read_only: Mapping[str, str] = {}
        self.item: object = _UNREAD


class Flow:
    """What ``self`` is inside a step. ``FlowSpec`` adds the command line."""

    # The machinery lives in a slot, so that vars(self) holds artifacts and nothing else.
    __slots__ = ("__dict__", "__swell__", "__weakref__")
    __swell__: _Machinery

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        flow = object.__new__(cls)
        object.__setattr__(flow, "__swell__", _Machinery())
        return flow

    # --- what a step says -------------------------------------------------

    def next(self, *targets: Any, **keywords: Any) -> None:
        """Say where the flow goes from here: the last statement of a step.

        ``self.next(self.a)``, ``self.next(self.a, self.b)``,
        ``self.next(self.a, foreach="items")``, ``self.next(self.a, num_parallel=4)``,
        ``self.next({"x": self.a, "y": self.b}, condition="kind")``. Raises
        InvalidNextException, and RuntimeError where a switch has no case for its value.
        """
        from swell.authoring.transition import Call, choose, plain_choice

        machinery = self.__swell__
        if machinery.chosen is None and not keywords and machinery.node is not None:
            machinery.chosen = plain_choice(self, machinery.node, targets)
            if machinery.chosen is not None:
                return
        caller = sys._getframe(1)
        call = Call(targets, keywords, caller.f_code.co_filename, caller.f_lineno)
        self.__swell__.chosen = choose(self, call)

    def merge_artifacts(
        self,
        inputs: Iterable[Any],
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """In a join: take over by reference what all ``inputs`` that have it agree on.

        Names assigned before the call, and those in ``exclude``, are left out; with
        ``include`` only those are taken. All or nothing. Raises SwellError outside a join
        or with both lists, UnhandledInMergeArtifactsException on conflicts,
        MissingInMergeArtifactsException for an ``include`` that no input has.
        """
        machinery = self.__swell__
        node, door = machinery.node, machinery.door
        if node is None or door is None or not node.is_join:
            where = f"in step '{node.name}', which is not a join" if node else "outside a step"
            raise SwellError(
                f"merge_artifacts was called {where}.",
                remedy="Call it in a step with a second argument: 'def join(self, inputs)'.",
            )
        if exclude and include:
            raise SwellError(
                f"merge_artifacts in step '{node.name}' was given both include and exclude.",
                remedy="Choose one: include names what to take, exclude what to leave.",
            )
        door.merge_artifacts(inputs, _names(exclude), _names(include))

    # --- what a step asks -------------------------------------------------

    @property
    def index(self) -> int | None:
        """0-based place in the innermost foreach; None outside."""
        door = self.__swell__.door
        return None if door is None else door.index

    @property
    def input(self) -> Any:
        """The item of the innermost foreach; None outside."""
        machinery = self.__swell__
        if machinery.item is _UNREAD:
            machinery.item = None if machinery.door is None else machinery.door.input
        return machinery.item

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """``(index, number of splits, value)`` of every foreach around, outermost first."""
        door = self.__swell__.door
        return [] if door is None else door.foreach_stack()

    @property
    def script_name(self) -> str:
        """The base name of the file that defines the flow."""
        module = sys.modules.get(type(self).__module__)
        path = getattr(module, "__file__", None) or sys.argv[0]
        return path.replace("\\", "/").rpartition("/")[2]

    def __iter__(self) -> Iterator[Any]:
        for name in steps_of(type(self)):
            yield getattr(self, name)

    def __str__(self) -> str:
        machinery = self.__swell__
        if machinery.node is None:
            return f"<flow {type(self).__name__}>"
        place = ",".join(str(index) for index, _, _ in self.foreach_stack())
        text = f"<flow {type(self).__name__} step {machinery.node.name}"
        if not place:
            return f"{text}>"
        if self.input is None:
            return f"{text}[{place}]>"
        item = str(self.input)
        if len(item) > _SHOWN_INPUT_CHARACTERS:
            item = item[:_SHOWN_INPUT_CHARACTERS] + "..."
        return f"{text}[{place}] (input: {item})>"

    __repr__ = __str__

    # --- artifacts as attributes ------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        machinery = self.__swell__
        if machinery.door is not None:
            try:
                value = machinery.door.load(name)
            except KeyError:
                pass
            else:
                machinery.loaded[name] = value
                self.__dict__[name] = value
                return value
        return self.__missing(name)

    def __missing(self, name: str) -> Any:
        declared = _class_attribute(type(self), name)
        if isinstance(declared, property):
            # Python hides an AttributeError raised inside a property: raise it again.
            return declared.__get__(self, type(self))
        if name == "name":
            return type(self).__name__
        machinery = self.__swell__
        if machinery.door is None and declared is not None:
            return declared
        where = f" in step '{machinery.node.name}'" if machinery.node else ""
        raise AttributeError(
            f"Flow {type(self).__name__} has no attribute '{name}'{where}. "
            "An artifact is there once this step, or a step before it, has assigned it.",
            name=name,
            obj=self,
        )

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self.__swell__.read_only.get(name)
        if kind is not None:
            raise AttributeError(
                f"'{name}' is a {kind} of flow {type(self).__name__} and cannot be assigned. "
                "Use another name for the new value.",
                name=name,
                obj=self,
            )
        if name in ("index", "input"):
            raise AttributeError(
                f"'self.{name}' belongs to the foreach around the step and cannot be assigned. "
                "Use another name.",
                name=name,
                obj=self,
            )
        if name in _OWN_NAMES:
            raise AttributeError(
                f"'self.{name}' is a method of every flow and cannot be assigned. "
                "Use another name.",
                name=name,
                obj=self,
            )
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        machinery = self.__swell__
        machinery.loaded.pop(name, None)
        if name in self.__dict__:
            del self.__dict__[name]
        elif machinery.door is None or name not in machinery.door.names():
            self.__missing(name)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise SwellError(
            f"A flow object ({self}) cannot be stored: it was assigned to an attribute, "
            "or is part of a value that was.",
            remedy="Store the fields you want instead, such as self.x = inputs[0].x.",
        )


# --- what the task runner does with a flow object ------------------------------


def bind(flow: Flow, door: FlowDoor, node: Node) -> None:
    """Make ``flow`` the object of one attempt of ``node``: its data comes from ``door``."""
    machinery = flow.__swell__
    machinery.door = door
    machinery.node = node
    machinery.chosen = None
    machinery.loaded = {}
    machinery.item = _UNREAD
    machinery.read_only = door.read_only_names()


def chosen_transition(flow: Flow) -> Chosen | None:
    """What ``self.next`` chose; None while it was not called."""
    return flow.__swell__.chosen


def follow_own_transition(flow: Flow, keywords: Mapping[str, object] | None = None) -> None:
    """Choose the transition that the step declares or is written with.

    For steps of the builder, and where a decorator skips or replaces the step.
    ``keywords`` replace those of the transition; then an earlier choice is replaced too.
    The terminal step chooses nothing. Raises as ``Flow.next`` does.
    """
    from swell.authoring.transition import own_call, resolve

    machinery = flow.__swell__
    if machinery.node is not None and not machinery.node.targets:
        return
    if machinery.chosen is None or keywords is not None:
        machinery.chosen = resolve(flow, own_call(flow, keywords))


def own_artifacts(flow: Flow) -> dict[str, object]:
    """Attributes that this step set, by name; what it only loaded is left out."""
    loaded = flow.__swell__.loaded
    return {
        name: value
        for name, value in vars(flow).items()
        if not name.startswith("__")
        and (name not in loaded or loaded[name] is not value)
        and not (isinstance(value, MethodType) and value.__self__ is flow)
    }


def loaded_artifacts(flow: Flow) -> dict[str, object]:
    """Artifacts that this step loaded and did not assign anew (it may have changed them
    in place)."""
    own = vars(flow)
    return {
        name: value
        for name, value in flow.__swell__.loaded.items()
        if name in own and own[name] is value
    }


def node_of(flow: Flow) -> Node | None:
    """The step that ``flow`` is bound to."""
    return flow.__swell__.node


def _class_attribute(flow_class: type[Flow], name: str) -> object:
    for one_class in flow_class.__mro__:
        if name in vars(one_class):
            return vars(one_class)[name]
    return None


def _names(names: Iterable[str] | None) -> list[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)
