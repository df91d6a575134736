"""What the metadata store asks of a SQL database: transactions, and rows in thousands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

_T = TypeVar("_T")


class Answer(Protocol):
    """Rows of one query, read once."""

    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


class Transaction(Protocol):
    """What runs statements within one transaction."""

    def execute(self, sql: str, given: Sequence[Any] = (), /) -> Answer: ...

    def insert(self, insert: Insert, given: Sequence[Sequence[Any]], /) -> None:
        """Write rows, thousands as fast as one can."""
        ...


class Database(Protocol):
    """Runs functions in transactions, again where others or an outage came between.

    So they must bear being called more than once, even after a commit whose answer was
    lost. All methods raise MetadataError.
    """

    @property
    def address(self) -> str:
        """As ``Metastore.address``."""
        ...

    @property
    def row_lock(self) -> str:
        """What follows a SELECT to keep other writers off its row until the commit."""
        ...

    def asking(self, question: Callable[[Transaction], _T]) -> _T:
        """One question, answered from one state of the database."""
        ...

    def changing(self, change: Callable[[Transaction], _T]) -> _T:
        """``change`` in one transaction, durable on return."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


class Insert(NamedTuple):
    """Rows for ``columns`` of ``table``, and what is done where one is there already."""

    table: str
    columns: tuple[str, ...]
    on_conflict: str = "ON CONFLICT DO NOTHING"

    @property
    def sql(self) -> str:
        """The statement for one row."""
        columns, values = ", ".join(self.columns), marks(self.columns)
        return f"INSERT INTO {self.table} ({columns}) VALUES ({values}) {self.on_conflict}"


def marks(values: Sequence[object]) -> str:
    """One ``?`` a value."""
    return ",".join("?" * len(values))
