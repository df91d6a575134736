"""What the command line asks of a run, and how it went."""

from __future__ import annotations

from typing import Any

import msgspec

from swell.model.facts import RunFact
from swell.scheduler.loop import RunEnd

BATCH_BACKEND = "batch"
"""The backend of steps on AWS Batch, whose jobs go on without a driver."""


class RunOrder(msgspec.Struct, frozen=True):
    """What the command line asks of a run.

    ``parameters`` are values by attribute name; ignored where ``resumes`` is set.
    ``max_log_mb`` holds per stream and attempt. ``namespace`` is for client calls in
    tasks: None is the user's own, "" is all. ``attaches_to`` is the number of a run to go on
    with; ``canary`` is for foreaches that say none themselves; with ``enforces_memory`` a task
    on this machine that takes more memory than it declared is ended; ``leaves`` lets the driver
    leave as soon as all that runs goes on elsewhere.
    ``limits`` bound what tasks hold together, by name; with ``strict_resources`` a step that
    asks for more than there is does not run.
    """

    parameters: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    max_workers: int = 16
    max_num_splits: int = 100
    max_log_mb: float = 10.0
    keep_going: bool = False
    isolation: str = "auto"
    namespace: str | None = None
    run_id_file: str | None = None
    attributes_file: str | None = None
    resumes: bool = False
    origin_run: str | None = None
    from_step: str | None = None
    branch: str | None = None
    production: bool | None = None
    package_suffixes: str = ".py"
    environment: str = "local"
    attaches_to: str | None = None
    leaves: bool = False
    enforces_memory: bool = False
    canary: int = 0
    limits: dict[str, float] = {}
    strict_resources: bool = False


class RunResult(msgspec.Struct, frozen=True):
    """How it went; ``signal`` is the one that ended the driver, if any."""

    run: RunFact
    end: RunEnd
    signal: int | None = None
