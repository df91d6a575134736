"""Words for jobs on AWS Batch: their states, how many, whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from swell.cli.render import count_text

if TYPE_CHECKING:
    from swell.compute.batch.api import Refusal
    from swell.compute.batch.listing import ListedJob

_ORDER = ("RUNNING", "STARTING", "RUNNABLE", "PENDING", "SUBMITTED", "SUCCEEDED", "FAILED")
_NOT_YET = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING")


def state_text(job: ListedJob) -> str:
    """'running'; of an array '40 running, 60 runnable, 900 succeeded'; of a gang 'starting, 4
    nodes'."""
    counts = dict(job.states)
    if job.is_gang:
        return f"{job.state.lower()}, {count_text(job.count, 'node')}"
    if not counts:
        tasks = f", {count_text(job.count, 'task')}" if job.count > 1 else ""
        return f"{job.state.lower()}{tasks}"
    return ", ".join(f"{counts[state]:,} {state.lower()}" for state in _ORDER if counts.get(state))


def sum_text(jobs: Sequence[ListedJob]) -> str:
    """'1 job', '3 jobs with 1,002 tasks'."""
    tasks = sum(job.count for job in jobs)
    text = count_text(len(jobs), "job")
    return text if tasks == len(jobs) else f"{text} with {count_text(tasks, 'task')}"


def on_its_way(job: ListedJob) -> bool:
    """Whether some members of an array have not begun, although others have."""
    return any(count for state, count in job.states if state in _NOT_YET)


def scope_text(flow: str, runs: Sequence[str], options: Mapping[str, Any], me: str) -> str:
    """'run 15', 'all runs of BigSum by ada'; ``runs`` are paths of those that are meant.

    Where there are none, what there is none of: 'run 15 by ada', 'run of BigSum by ada'.
    """
    user = me if options["my_runs"] else options["user"]
    by = f" by {user}" if user else ""
    if options["run_id"] is not None:
        return f"run {options['run_id']}{by}"
    if not runs:
        return f"run of {flow}{by}"
    return f"all runs of {flow}{by}" if user else f"run {runs[0]}"


def left_text(left: Sequence[ListedJob], refused: Sequence[Refusal]) -> str:
    """That jobs are left although all was tried, and what AWS Batch said."""
    words = f"{sum_text(left)} had not ended when time was up: {left[0].engine_id}"
    words += f" and {len(left) - 1:,} more." if len(left) > 1 else "."
    if refused:
        words += f" AWS Batch refused {refused[0].job}: {refused[0].message}"
    return words
