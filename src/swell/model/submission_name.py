"""Names of submissions: the same each time, allowed by every batch system, readable.

``swell-<store>-<flow>-<run>-<step>-<hash>``: what a queue's own tools show, and what a
driver that was killed is found by.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from swell.model.ids import JobId

LONGEST = 128
"""Letters of a name of a job that AWS Batch takes."""

_LONGEST_PART = 40
_LONGEST_RUN = 12
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_]")
_STORE_LETTERS = 8
_FORM = re.compile(r"^swell-(\w+)-(\w+)-(\w+)-(\w+)-([0-9a-f]{16})$", re.ASCII)


class NamedSubmission(NamedTuple):
    """What a name says; flow and step as they stand in it."""

    store: str
    flow: str
    run: str
    step: str


def submission_name(store_id: str, flow: str, run: str, step: str, jobs: Iterable[JobId]) -> str:
    """The name of the submission of ``jobs``, in whatever order they are given.

    It differs for other jobs, and for other attempts of the same.
    """
    told = "\n".join(sorted(str(job) for job in jobs))
    digest = hashlib.sha256(f"{store_id}\n{flow}\n{run}\n{step}\n{told}".encode()).hexdigest()[:16]
    return f"{name_prefix(store_id, flow, run)}{_part(step)}-{digest}"


def name_prefix(store_id: str, flow: str, run: str | None = None) -> str:
    """What the names of all submissions of ``flow``, or of one run of it, begin with.

    Submissions of other flows, runs and stores never begin so.
    """
    prefix = f"swell-{_NOT_ALLOWED.sub('', store_id)[:_STORE_LETTERS]}-{_part(flow)}-"
    return prefix if run is None else f"{prefix}{_part(run, _LONGEST_RUN)}-"


def read_name(name: str) -> NamedSubmission | None:
    """What the name of a job says; None for a job that is not swell's."""
    found = _FORM.match(name)
    return NamedSubmission(*found.groups()[:4]) if found else None


def named_as(step: str) -> str:
    """A step as it stands in names."""
    return _part(step)


def _part(text: str, longest: int = _LONGEST_PART) -> str:
    """``text`` in letters that names may have; changed or cut, it carries a mark of its own."""
    clean = _NOT_ALLOWED.sub("_", text)
    if clean == text and len(text) <= longest:
        return text
    mark = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{clean[: longest - 7]}_{mark}"
