"""A run on a scripted backend and a real store, with a clock that tests move."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from swell.compute.packing import Machine
from swell.metastore.sqlite import open_metastore
from swell.model.ids import JobId
from swell.model.job import Launch, StepPlan
from swell.model.record import ArtifactRef, Record
from swell.model.wire import decode_record
from swell.scheduler.book import RecordBook
from swell.scheduler.launching import Launching
from swell.scheduler.loop import Inbox, RunEnd, RunLoop
from swell.scheduler.observe import Notice
from swell.scheduler.state import UNBOUNDED, Limits, RunState
from swell.scheduler.writer import FactWriter
from swell.seams.metastore import Metastore
from swell.testing.fake_clock import FakeClock
from swell.testing.scripted_backend import Answer, ScriptedBackend, going_to
from swell.testing.stored_facts import new_run
from tests.unit.scheduler.scheduler_shapes import Shape


class Watcher:
    """An Observer that keeps all it is told."""

    progress_every_s: float | None = None

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def of(self, kind: type) -> list[Notice]:
        return [notice for notice in self.notices if isinstance(notice, kind)]


class Lines:
    """A TaskLog in memory."""

    def __init__(self) -> None:
        self.said: list[tuple[JobId, str]] = []
        self.ended: list[JobId] = []

    def say(self, job: JobId, text: str) -> None:
        self.said.append((job, text))

    def end(self, job: JobId) -> None:
        self.ended.append(job)


class Stage:
    """One run of ``shape``; ``answer`` says what becomes of each Launch (None: by default)."""

    def __init__(
        self,
        folder: Path,
        shape: Shape,
        answer: Callable[[Launch], Answer] | None = None,
        *,
        plans: Mapping[str, StepPlan] | None = None,
        limits: Limits | None = None,
        metastore: Callable[[Metastore], Metastore] = lambda store: store,
        machine: Machine = UNBOUNDED,
    ) -> None:
        self.shape = shape
        self.clock = FakeClock(step_s=0.001)
        self.backend = ScriptedBackend(answer or self.ends_well, self.clock)
        self.watcher = Watcher()
        self.lines = Lines()
        self.inbox = Inbox()
        self.packed: list[str] = []
        self.synced: list[str] = []
        self._folder = folder
        self.store = open_metastore(folder / "metadata.db")
        self.run = self.store.create_run(new_run("F")).id
        steps = shape.graph.nodes
        all_plans = {name: StepPlan(name) for name in steps} | dict(plans or {})
        self.writer = FactWriter(
            self.run, metastore(self.store), self.synced.extend, self.inbox.put
        )
        self.book = RecordBook(lambda tasks: self.store.encoded_records(self.run, tasks))
        launching = Launching(self.run, shape.graph, all_plans, self.book, self._pack)
        self.loop = RunLoop(
            self.run,
            shape.graph,
            RunState(
                shape.graph, all_plans, limits or Limits(max_num_splits=1000), machine=machine
            ),
            {"local": self.backend},
            launching,
            self.writer,
            self.inbox,
            self.watcher,
            self.lines,
            clock=self.clock,
        )

    def ends_well(self, launch: Launch) -> Answer:
        """Every attempt goes where the shape says, and hands on ``by``: what it is."""
        record = Record({"by": artifact(f"{launch.step}/{launch.job.task}")})
        return going_to(self.shape.transition(launch), record)  # type: ignore[arg-type]

    def drive(self) -> RunEnd:
        """Run it to its end."""
        self.writer.start()
        self.backend.start(self.inbox.put_updates)
        return self.loop.drive()

    def _pack(self, name: str, records: Sequence[bytes]) -> str:
        self.packed.append(name)
        return os.path.join(self._folder, name)

    def close(self) -> None:
        self.store.close()


def artifact(text: str, size: int = 10) -> ArtifactRef:
    """An artifact whose inline bytes are ``text``, padded to ``size``."""
    return ArtifactRef(text.encode().ljust(size), None, size, "str", text)


def read(launch: Launch) -> list[str]:
    """What the parents of ``launch`` left as ``by``."""
    found = []
    for record in launch.inputs.records:
        inline = decode_record(record).artifacts["by"].inline
        assert inline is not None
        found.append(inline.decode().strip())
    return found
