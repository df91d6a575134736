"""How slow, how small and how forgetful the service is; every number can be set."""

from __future__ import annotations

import msgspec


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Delays in seconds, as short as lets them still be seen; AWS takes longer for most."""

    region: str = "us-east-1"
    account: str = "123456789012"
    submitted_s: float = 0.05
    """From SUBMITTED to PENDING or RUNNABLE."""
    starting_s: float = 0.05
    """From STARTING to RUNNING: host chosen, image pulled."""
    scale_up_s: float = 0.5
    """From asking for an instance to its joining the cluster."""
    scale_down_s: float = 60.0
    """How long an idle instance is kept."""
    describe_lag_s: float = 0.05
    """How long a fresh job may be missing from DescribeJobs and ListJobs."""
    summary_lag_s: float = 0.2
    """How long an array's statusSummary, and its parent's end, lag behind its children."""
    blocked_after_s: float = 2.0
    """How long the head of a queue must be stuck before its statusReason says why."""
    expiry_s: float = 7 * 86_400.0
    """How long a finished job is remembered."""
    stop_grace_s: float = 30.0
    """From SIGTERM to SIGKILL."""
    limit_scale: float = 1.0
    """Real seconds that a second of attemptDurationSeconds or maxTimeSeconds lasts. The API
    takes 60 and 600 at least; a rehearsal may not want to wait for them."""
    calls_per_s: float = 50.0
    """Calls a second for each operation; as many may come at once."""
    agent_memory_mib: int = 32
    """What the ECS agent keeps of an instance's memory."""
    checks_signature: bool = False
    """Refuse a request that carries no SigV4 Authorization header. It is never verified."""
    log_group: str = "/aws/batch/job"
