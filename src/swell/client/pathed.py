"""What all client objects share: a path, tags, a namespace, and pickling."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from swell.client.access import ACCESS
from swell.client.stores import Opener, Stores
from swell.errors import InvalidPathspec, NamespaceMismatch, NotFound
from swell.model.facts import RunFact
from swell.model.ids import PathSpec, parse_pathspec

Child = TypeVar("Child", bound="Pathed[Any]")


class Place:
    """Where an object was looked up: the store, and the namespace in force then."""

    __slots__ = ("namespace", "stores")

    def __init__(self, stores: Stores, namespace: str | None) -> None:
        self.stores = stores
        self.namespace = namespace


class Pathed(ABC, Generic[Child]):
    """One object of the client: read-only, loading what is asked for when it is asked for.

    Concrete classes say ``__module__ = "swell"``: pickles then name the public place,
    whose import prepares the whole client, in a process that has not used it yet.
    """

    _parts: ClassVar[int]
    _kinds: ClassVar[dict[int, type[Pathed[Any]]]] = {}
    """Each class by the length of its paths: parents and children know each other by it,
    without their modules importing each other."""

    def __init_subclass__(cls) -> None:
        Pathed._kinds[cls._parts] = cls

    def __init__(self, pathspec: str, attempt: int | None = None) -> None:
        """Find the object in the store and namespace in force.

        Raises InvalidPathspec, NotFound, NamespaceMismatch.
        """
        path = _parsed(pathspec, self._parts)
        self._check_attempt(attempt)
        self._place = Place(ACCESS.stores(), ACCESS.namespace)
        self._path = path
        self._find(path, attempt)
        self._check_namespace()

    @classmethod
    def _at(cls, place: Place, path: PathSpec) -> Any:
        """An object whose facts the caller fills in."""
        made = cls.__new__(cls)
        made._place = place
        made._path = path
        return made

    def _check_attempt(self, attempt: int | None) -> None:
        if attempt is not None:
            raise NotFound(
                f"attempt={attempt} was given for a {type(self).__name__}, which has none.",
                remedy="Only a Task or a DataArtifact can be looked at as one attempt left it.",
            )

    @abstractmethod
    def _find(self, path: PathSpec, attempt: int | None) -> None:
        """Fill in the facts. Raises NotFound."""

    @abstractmethod
    def _run_fact(self) -> RunFact | None:
        """The run this belongs to; None for a flow."""

    @abstractmethod
    def _children(self) -> Iterator[Child]:
        """Visible children, newest first."""

    @abstractmethod
    def _child(self, name: str) -> Child | None:
        """The child called ``name``, hidden ones too; None if there is none."""

    def _check_namespace(self) -> None:
        if not self.is_in_namespace():
            raise NamespaceMismatch(
                f"{type(self).__name__} '{self.pathspec}' is not in the namespace "
                f"'{self._place.namespace}'.",
                self._place.namespace,
                remedy="Call namespace(None) to see the runs of everybody.",
            )

    @property
    def id(self) -> str:
        """The last part of the path."""
        return self.path_components[-1]

    @property
    def pathspec(self) -> str:
        """``Flow/run/step/task/artifact``, as far as it goes."""
        return str(self._path)

    @property
    def path_components(self) -> list[str]:
        """The parts of the path."""
        return [part for part in self._path if part is not None]

    @property
    @abstractmethod
    def parent(self) -> Any:
        """The object one level up; None for a flow."""

    @property
    def system_tags(self) -> frozenset[str]:
        """Tags that swell gave to the run."""
        run = self._run_fact()
        return run.system_tags if run else frozenset()

    @property
    def user_tags(self) -> frozenset[str]:
        """Tags that people gave to the run."""
        run = self._run_fact()
        return run.user_tags if run else frozenset()

    @property
    def tags(self) -> frozenset[str]:
        """All tags of the run."""
        return self.system_tags | self.user_tags

    @property
    def created_at(self) -> datetime:
        """When it came into being, in local time without a zone."""
        return datetime.fromtimestamp(self._created_at())

    @abstractmethod
    def _created_at(self) -> float:
        """Unix seconds."""

    @property
    @abstractmethod
    def origin_pathspec(self) -> str | None:
        """The path of what resume took this over from; None on an ordinary run."""

    def is_in_namespace(self) -> bool:
        """Whether the run has the tag that is this object's namespace."""
        return self._place.namespace is None or self._place.namespace in self.tags

    def __iter__(self) -> Iterator[Child]:
        return self._children()

    def __getitem__(self, name: str) -> Child:
        found = self._child(str(name))
        if found is None:
            raise KeyError(name)
        found._check_namespace()
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._child(name) is not None

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.pathspec}')"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pathed):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[type, str, str, int | None]:
        return type(self), self._place.stores.address, self.pathspec, self._chosen_attempt()

    def _chosen_attempt(self) -> int | None:
        return None

    def __reduce__(self) -> tuple[object, ...]:
        place = self._place
        attempt = self._chosen_attempt()
        facts = (ACCESS.opener, place.stores.address, place.namespace)
        return rebuild, (type(self), self.pathspec, attempt, *facts)


def rebuild(
    kind: type[Pathed[Any]],
    pathspec: str,
    attempt: int | None,
    opener: Opener,
    address: str,
    namespace: str | None,
) -> Any:
    """A pickled object again, in its own store and namespace, whatever is in force now."""
    if not ACCESS.has_opener:
        ACCESS.install_opener(opener)
    path = _parsed(pathspec, kind._parts)
    made = kind._at(Place(ACCESS.stores(address), namespace), path)
    made._find(path, attempt)
    return made


def _parsed(pathspec: object, parts: int) -> PathSpec:
    if not isinstance(pathspec, str):
        raise InvalidPathspec(
            f"A path is text, and this is of type {type(pathspec).__name__}: {pathspec!r}.",
            remedy="Write it like 'MyFlow/15/start/1/x', as far down as the object is.",
        )
    return parse_pathspec(pathspec, parts=parts)
