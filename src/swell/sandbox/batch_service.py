"""AWS Batch on this machine, whole: what decides and what serves it on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from swell.errors import StoreError
from swell.sandbox.batch.default_resources import ResourceCall, default_resources
from swell.sandbox.batch.keep import Kept
from swell.sandbox.batch.tuning import BatchSettings
from swell.sandbox.batch_http import BatchServer
from swell.sandbox.deciding import Decider
from swell.sandbox.jobs import JobRunner


class BatchService:
    """The service for one account and Region; its jobs run by ``runner``.

    ``clock`` gives Unix seconds. ``resources``: what is set up before the first call; None: the
    default queues. ``announce`` is told a host's name and the Unix time at which it will be
    reclaimed (a Spot notice), from any thread. ``folder``: where jobs and resources are kept when
    it closes, and found when it is served again; None: nowhere. ``close`` also closes the runner.
    A context manager, once served.
    """

    def __init__(
        self,
        settings: BatchSettings,
        runner: JobRunner,
        clock: Callable[[], float] = time.time,
        *,
        resources: Sequence[ResourceCall] | None = None,
        seed: int | None = None,
        announce: Callable[[str, float], None] | None = None,
        folder: Path | None = None,
    ) -> None:
        more = {} if announce is None else {"announce": announce}
        self.decider = Decider(settings, runner, clock, seed=seed, **more)
        self._file = None if folder is None else folder / "batch.json"
        self._server = BatchServer(self.decider)
        self._resources = default_resources(settings) if resources is None else resources

    def serve(self, port: int = 0) -> str:
        """Start; the endpoint's URL. ``port`` 0 takes a free one."""
        kept = self._found()
        self.decider.open(kept)
        if kept is None:
            self.decider.make(self._resources)
        return self._server.open(port)

    def close(self) -> None:
        """Stop serving, kill what runs, keep what is to be kept."""
        self._server.close()
        self.decider.close()
        if self._file is not None:
            fresh = self._file.with_suffix(".new")
            fresh.write_bytes(msgspec.json.encode(self.decider.kept()))
            fresh.replace(self._file)

    def _found(self) -> Kept | None:
        if self._file is None or not self._file.exists():
            return None
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Kept)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(
                f"{self._file} cannot be read: {error}.",
                remedy="Remove it to begin with an empty sandbox.",
            ) from error

    def __enter__(self) -> BatchService:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
