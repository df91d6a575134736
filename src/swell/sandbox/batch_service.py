"""AWS Batch on this machine, whole: what decides and what serves it on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from swell.sandbox.batch.default_resources import ResourceCall, default_resources
from swell.sandbox.batch.tuning import BatchSettings
from swell.sandbox.batch_http import BatchServer
from swell.sandbox.deciding import Decider
from swell.sandbox.jobs import JobRunner


class BatchService:
    """The service for one account and Region; its jobs run by ``runner``.

    ``clock`` gives Unix seconds. ``resources``: what is set up before the first call; None: the
    default queues. ``close`` also closes the runner. A context manager, once served.
    """

    def __init__(
        self,
        settings: BatchSettings,
        runner: JobRunner,
        clock: Callable[[], float] = time.time,
        *,
        resources: Sequence[ResourceCall] | None = None,
        seed: int | None = None,
    ) -> None:
        self.decider = Decider(settings, runner, clock, seed=seed)
        self._server = BatchServer(self.decider)
        self._resources = default_resources(settings) if resources is None else resources

    def serve(self, port: int = 0) -> str:
        """Start; the endpoint's URL. ``port`` 0 takes a free one."""
        self.decider.open()
        self.decider.make(self._resources)
        return self._server.open(port)

    def close(self) -> None:
        """Stop serving, then kill what runs."""
        self._server.close()
        self.decider.close()

    def __enter__(self) -> BatchService:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
