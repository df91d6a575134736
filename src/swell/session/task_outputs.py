"""What tasks print on its way: stored first, then shown."""

from __future__ import annotations

import time
from collections.abc import Callable

from swell.compute.output import TaskOutput
from swell.datastore.log_writer import LogWriter
from swell.errors import StoreError
from swell.model.ids import JobId
from swell.scheduler.loop import Inbox
from swell.scheduler.observe import Observer, Output
from swell.scheduler.writer import WriteFailed


class TaskOutputs:
    """Stores and shows what tasks print; a log that cannot be written ends the run."""

    def __init__(self, logs: LogWriter, observer: Observer, inbox: Inbox) -> None:
        self._logs = logs
        self._observer = observer
        self._inbox = inbox
        self._failed = False

    def take(self, output: TaskOutput) -> None:
        """From the backend: bytes as read."""
        job = output.launch.job
        self._store(
            lambda: self._logs.append(job.task, job.attempt, output.stream, output.data, output.at)
        )
        self._observer.notice(
            Output(job, output.launch.step, output.at, output.stream, output.data, output.pid)
        )

    def say(self, job: JobId, text: str) -> None:
        """A line about an attempt."""
        line = f"{text}\n".encode()
        self._store(lambda: self._logs.append(job.task, job.attempt, "system", line, time.time()))

    def end(self, job: JobId) -> None:
        """No more output comes from this attempt."""
        self._store(lambda: self._logs.end(job.task, job.attempt))

    def _store(self, write: Callable[[], None]) -> None:
        try:
            write()
        except StoreError as error:
            if not self._failed:
                self._failed = True
                self._inbox.put(WriteFailed(error))
