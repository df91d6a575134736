"""ListJobs: one of three lists, by state or by one filter, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from swell.sandbox.batch.details import milliseconds, summary
from swell.sandbox.batch.entities import ARRAY, MULTINODE, RUNNING, Document, Job
from swell.sandbox.batch.names import last_part
from swell.sandbox.batch.paging import place, size, token
from swell.sandbox.batch.refusal import Refused
from swell.sandbox.batch.world import World

MOST_BY_STATUS, MOST_BY_FILTER = 1_000, 100
_WAYS = ("jobQueue", "arrayJobId", "multiNodeJobId")


def list_jobs(request: Document, world: World) -> Document:
    """The page that a request asks for.

    Of a queue: what was submitted to it, oldest first; newest first where a filter is given, which
    also makes jobStatus count for nothing (but for SHARE_IDENTIFIER). Children and nodes: by index;
    filters do not apply to them.
    """
    given = [way for way in _WAYS if request.get(way)]
    if len(given) != 1:
        raise Refused(f"Exactly one of {', '.join(_WAYS)} must be given, got {len(given)}.")
    way = given[0]
    filters = request.get("filters") or []
    if len(filters) > 1:
        raise Refused(f"At most one filter, got {len(filters)}.")
    after = place(request["nextToken"]) if request.get("nextToken") else None
    status = request.get("jobStatus", RUNNING)
    if way != "jobQueue":
        kind = ARRAY if way == "arrayJobId" else MULTINODE
        parent = world.find(request[way])
        if parent is None or parent.kind != kind:
            raise Refused(f"The job {request[way]} does not exist or is no {kind} job.")
        jobs: Iterable[Job] = (child for child in parent.children if child.status == status)
        return _page(_following(jobs, after, _index), request, MOST_BY_STATUS, world, _index)
    queue = world.resources.queue(request["jobQueue"])
    visible = (job for job in queue.jobs.values() if job.visible_at <= world.now)
    if not filters:
        jobs = (job for job in visible if job.status == status)
        return _page(_following(jobs, after, _sequence), request, MOST_BY_STATUS, world, _sequence)
    matches = _matcher(filters[0])
    keeps_status = filters[0]["name"] == "SHARE_IDENTIFIER"
    jobs = (job for job in visible if matches(job))
    if keeps_status:
        jobs = (job for job in jobs if job.status == status)
    newest_first = sorted(jobs, key=_newest)
    return _page(_following(newest_first, after, _newest), request, MOST_BY_FILTER, world, _newest)


def _sequence(job: Job) -> int:
    return job.sequence


def _newest(job: Job) -> int:
    return -job.sequence


def _index(job: Job) -> int:
    return job.index


def _following(
    jobs: Iterable[Job], after: int | None, order: Callable[[Job], int]
) -> Iterator[Job]:
    return (job for job in jobs if after is None or order(job) > after)


def _page(
    jobs: Iterator[Job], request: Document, most: int, world: World, order: Callable[[Job], int]
) -> Document:
    count = size(request, most)
    found: list[Job] = []
    for job in jobs:
        if len(found) == count:
            shown = [summary(one, world.names) for one in found]
            return {"jobSummaryList": shown, "nextToken": token(order(found[-1]))}
        found.append(job)
    return {"jobSummaryList": [summary(one, world.names) for one in found]}


def _matcher(entry: Document) -> Callable[[Job], bool]:
    name, values = entry.get("name"), entry.get("values") or []
    if len(values) != 1:
        raise Refused(f"A filter takes one value, got {len(values)}.")
    value: str = values[0]
    if name == "JOB_NAME":
        low = value.lower()
        if low.endswith("*"):
            return lambda job: job.work.name.lower().startswith(low[:-1])
        return lambda job: job.work.name.lower() == low
    if name == "JOB_DEFINITION":
        return _by_definition(last_part(value, "job-definition"))
    if name == "SHARE_IDENTIFIER":
        return lambda job: job.work.share == value
    if name in ("BEFORE_CREATED_AT", "AFTER_CREATED_AT"):
        try:
            time_ms = int(value)
        except ValueError:
            raise Refused(f"{name} takes milliseconds, got {value[:80]}.") from None
        if name == "BEFORE_CREATED_AT":
            return lambda job: milliseconds(job.created_at) < time_ms
        return lambda job: milliseconds(job.created_at) > time_ms
    raise Refused(f"Unknown filter {name}.")


def _by_definition(wanted: str) -> Callable[[Job], bool]:
    if wanted.endswith("*"):
        return lambda job: job.work.definition_name.startswith(wanted[:-1])
    if ":" in wanted:
        return lambda job: job.work.definition_arn.endswith(f"/{wanted}")
    return lambda job: job.work.definition_name == wanted
