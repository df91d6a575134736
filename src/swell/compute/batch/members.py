"""The members of a submission as Batch names them, and what a look at its parent calls for."""

from __future__ import annotations

import enum
from collections.abc import Collection
from typing import NamedTuple

from swell.compute.batch.records import ENDED, Job

DESCRIBED_AT_ONCE = 300
"""Up to so many members are described by their ids, a hundred a call; beyond, they are listed
by state, a thousand a call."""


class Form(enum.Enum):
    """What a submission became in Batch."""

    LONE = "lone"
    """A plain job."""
    ARRAY = "array"
    """A parent and its children."""
    GANG = "gang"
    """A multi-node job and its nodes."""


def form_of(count: int, is_gang: bool) -> Form:
    """What a submission of so many members becomes."""
    if is_gang:
        return Form.GANG
    return Form.LONE if count == 1 else Form.ARRAY


def form_of_job(job: Job) -> Form:
    """What a job in Batch is, from its own words."""
    if job.node_properties is not None and job.node_properties.num_nodes is not None:
        return Form.GANG
    array = job.array_properties
    return Form.LONE if array is None or array.size is None else Form.ARRAY


def member_id(engine_id: str, index: int, form: Form) -> str:
    """The id of member ``index``."""
    if form is Form.LONE:
        return engine_id
    return f"{engine_id}{':' if form is Form.ARRAY else '#'}{index}"


def member_index(job_id: str) -> int:
    """The member that a job's id names; 0 for a plain job."""
    _, mark, index = job_id.replace("#", ":").rpartition(":")
    return int(index) if mark and index.isdecimal() else 0


class Look(NamedTuple):
    """Whether to ask for members now, and whether some have ended unheard of."""

    asks: bool
    is_late: bool


def look_at_members(parent: Job, count: int, left: Collection[int], was_late: bool) -> Look:
    """Ask for members where Batch counts more ends than the driver has heard of.

    Only at the second look that finds it so: what ended a moment ago tells it by itself,
    through the object store. A parent that has ended is asked at once.
    """
    if not left:
        return Look(False, False)
    if parent.has_ended:
        return Look(True, True)
    summary = parent.array_properties.status_summary if parent.array_properties else {}
    ended = sum(summary.get(state, 0) for state in ENDED)
    is_late = ended > count - len(left)
    return Look(is_late and was_late, is_late)


def is_cheaper_listed(left: int) -> bool:
    """Whether listing children by state takes fewer calls than describing ``left`` of them."""
    return left > DESCRIBED_AT_ONCE
