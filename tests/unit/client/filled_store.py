"""A store of one SQLite file, artifacts and logs in memory; filled through facts."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

from swell.metastore.sqlite import open_metastore
from swell.model.cause import Cause
from swell.model.facts import (
    AttemptEnded,
    AttemptStarted,
    NewRun,
    RunEnded,
    RunStatus,
    TaskCreated,
)
from swell.model.graph import Graph, Node, NodeType
from swell.model.ids import JobId, RunId
from swell.model.record import ArtifactRef, ErrorInfo, Outcome, Record
from swell.model.wire import encode
from swell.seams.metastore import Metastore

GRAPH = Graph(
    "SumFlow",
    {
        "start": Node("start", NodeType.FOREACH, ("each",)),
        "each": Node("each", NodeType.LINEAR, ("join",), ("start",)),
        "join": Node("join", NodeType.JOIN, ("finale",), ("each",)),
        "finale": Node("finale", NodeType.END, (), ("join",)),
    },
    start="start",
    end="finale",
)


class CountingMetastore:
    """Passes everything on and counts the questions."""

    def __init__(self, store: Metastore) -> None:
        self._store = store
        self.questions: list[str] = []

    def __getattr__(self, name: str) -> object:
        self.questions.append(name)
        return getattr(self._store, name)


class MemoryStores:
    """Fills ``client.stores.Stores``."""

    datastore = "/data/.swell"

    def __init__(self, folder: Path) -> None:
        self.metastore = CountingMetastore(open_metastore(folder / "metadata.db"))
        self.address = str(folder)
        self.packages: dict[str, bytes] = {}
        self.logs: dict[tuple[RunId, str, int, str], list[tuple[float, bytes]]] = {}

    def load(self, ref: ArtifactRef) -> object:
        assert ref.inline is not None
        return pickle.loads(ref.inline)

    def load_package(self, location: str) -> bytes:
        return self.packages[location]

    def log_lines(
        self, run: RunId, task: str, attempt: int, stream: str
    ) -> Iterator[tuple[float, bytes]]:
        return iter(self.logs.get((run, task, attempt, stream), []))

    def log_size(self, run: RunId, task: str, attempt: int, stream: str) -> int:
        return sum(len(line) + 1 for _, line in self.logs.get((run, task, attempt, stream), []))


def open_stores(address: str | None) -> MemoryStores:
    """An opener as ``session`` installs one: a function at module level."""
    assert address is not None
    return MemoryStores(Path(address))


def record_of(values: dict[str, object]) -> Record:
    refs = {}
    for name, value in values.items():
        data = pickle.dumps(value)
        refs[name] = ArtifactRef(data, None, len(data), type(value).__name__, repr(value))
    return Record(refs)


class Writer:
    """Plays the driver: makes runs and tasks, one second after the other."""

    def __init__(self, store: Metastore) -> None:
        self.store = store
        self.now = 1_700_000_000.0

    def tick(self) -> float:
        self.now += 1
        return self.now

    def run(self, *tags: str, user: str = "ann", flow: str = "SumFlow", **also: object) -> RunId:
        new = NewRun(
            flow=flow,
            user=user,
            created_at=self.tick(),
            script="/flows/sum.py",
            system_tags=(f"user:{user}", "runtime:dev", "python_version:3.11.7"),
            user_tags=tags,
            graph=encode(GRAPH),
            **also,  # type: ignore[arg-type]
        )
        return self.store.create_run(new).id

    def task(self, run: RunId, step: str, task: str, **also: object) -> TaskCreated:
        created = TaskCreated(run, step, task, self.tick(), **also)  # type: ignore[arg-type]
        self.store.commit([created])
        return created

    def attempt(
        self,
        created: TaskCreated,
        values: dict[str, object] | None = None,
        number: int = 0,
        outcome: Outcome | None = None,
    ) -> None:
        job = JobId(created.task, number)
        self.store.commit(
            [
                AttemptStarted(created.run, job, self.tick(), pid=100),
                AttemptEnded(
                    created.run,
                    job,
                    self.tick(),
                    outcome or Outcome(True),
                    encode(record_of({"name": created.run.flow} | (values or {}))),
                ),
            ]
        )

    def whole_run(self, *tags: str, width: int = 3, **also: object) -> RunId:
        """_parameters, start, ``width`` × each, join and finale, all ended well."""
        run = self.run(*tags, **also)  # type: ignore[arg-type]
        self.attempt(self.task(run, "_parameters", "0"), {"n": width})
        start = self.task(run, "start", "1", parents=("_parameters/0",))
        self.attempt(start, {"xs": list(range(width)), "_hidden": 1})
        for index in range(width):
            each = self.task(
                run,
                "each",
                str(index + 2),
                parents=("start/1",),
                indices=(index,),
                path_text=f"start:{index}",
                stack_text=(f"xs={index}",),
            )
            self.attempt(each, {"square": index * index})
        join = str(width + 2)
        parents = tuple(f"each/{index + 2}" for index in range(width))
        self.attempt(self.task(run, "join", join, parents=parents), {"sum": 5})
        last = self.task(run, "finale", str(width + 3), parents=(f"join/{join}",))
        self.attempt(last, {"sum": 5})
        self.store.commit([RunEnded(run, self.tick(), RunStatus.DONE)])
        return run


FAILED = Outcome(
    False,
    Cause.USER_ERROR,
    "ValueError: no",
    error=ErrorInfo("builtins.ValueError", "no", "Traceback: at line 3"),
)
CAUGHT = Outcome(True, Cause.USER_ERROR, "ValueError: no", error=FAILED.error, caught=True)
