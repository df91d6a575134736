"""What a driver knows of the submissions it watches: which members have not ended, what of
their output was taken; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from swell.model.ids import JobId
from swell.model.job import Launch
from swell.model.remote import News
from swell.seams.queue import MemberUpdate, Submission, Watched


class Member(NamedTuple):
    """One attempt's place: member ``place`` of a submission."""

    flight: Flight
    place: int

    @property
    def launch(self) -> Launch:
        """What it was given."""
        return self.flight.launches[self.place]


class _Taken(NamedTuple):
    """The latest log segment that was taken of a member."""

    attempt: int
    number: int
    key: str


MOST_LOOKS = 5
"""So often log segments are looked for that an attempt says it sent."""


class Flight:
    """A submission some of whose members have not ended."""

    def __init__(
        self, submission: Submission, launches: tuple[Launch, ...], engine_id: str, now: float
    ) -> None:
        self.submission = submission
        self.launches = launches
        self.engine_id = engine_id
        self.submitted_at = now
        self.unfinished = set(range(submission.count))
        self.begun: set[int] = set()
        self.cancelled: set[int] = set()
        # Members that told an end of which only the engine knows the reason.
        self.stopped: set[int] = set()
        self._taken: dict[int, _Taken] = {}
        self._looks: dict[int, int] = {}
        self.ends_without_word: dict[int, MemberUpdate] = {}

    @property
    def has_begun(self) -> bool:
        """Whether a member runs, or did: what ends soon says so by its end alone."""
        return bool(self.begun) or len(self.unfinished) < self.submission.count

    def is_new(self, news: News) -> bool:
        """Whether ``news`` tells of a member that has not ended what was not taken yet."""
        if news.member not in self.unfinished:
            return False
        if news.kind == "began":
            return news.member not in self.begun
        if news.kind == "log":
            taken = self._taken.get(news.member)
            return taken is None or (news.attempt, news.number) > taken[:2]
        return news.kind == "end"

    def is_next(self, news: News) -> bool:
        """Whether no log segment before ``news`` is still on its way."""
        return news.number == self._segments_taken(news.member, news.attempt) + 1

    def has_told_all(self, index: int, attempt: int, segments: int) -> bool:
        """Whether all ``segments`` of an attempt that has ended were taken, or were looked for
        often enough."""
        if self._segments_taken(index, attempt) >= segments:
            return True
        self._looks[index] = self._looks.get(index, 0) + 1
        return self._looks[index] > MOST_LOOKS

    def _segments_taken(self, index: int, attempt: int) -> int:
        taken = self._taken.get(index)
        # They are numbered from 1.
        return taken.number if taken is not None and taken.attempt == attempt else 0

    def take_log(self, news: News) -> None:
        """The log segment ``news`` was taken."""
        self._taken[news.member] = _Taken(news.attempt, news.number, news.key)

    def last_log(self, index: int) -> str | None:
        """The key of the latest log segment of member ``index``."""
        taken = self._taken.get(index)
        return None if taken is None else taken.key

    def watch_more(self, jobs: Collection[JobId]) -> None:
        """Members that run these attempts have not ended."""
        wanted = set(jobs)
        self.unfinished |= {n for n, launch in enumerate(self.launches) if launch.job in wanted}

    def end(self, index: int) -> None:
        """Member ``index`` has ended; nothing more is heard of it."""
        self.unfinished.discard(index)
        self._taken.pop(index, None)
        self._looks.pop(index, None)
        self.ends_without_word.pop(index, None)

    def watched(self) -> Watched:
        """As a queue is asked about it."""
        return Watched(self.engine_id, self.submission, frozenset(self.unfinished))


class Flights:
    """All of them, found by name, by engine id and by job."""

    def __init__(self) -> None:
        self._by_name: dict[str, Flight] = {}
        self._by_engine_id: dict[str, Flight] = {}
        self._by_job: dict[JobId, Member] = {}

    def __iter__(self) -> Iterator[Flight]:
        return iter(list(self._by_name.values()))

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def add(self, flight: Flight) -> None:
        """Watch it from now on."""
        self._by_name[flight.submission.name] = flight
        self._by_engine_id[flight.engine_id] = flight
        for index in flight.unfinished:
            self._by_job[flight.launches[index].job] = Member(flight, index)

    def end(self, member: Member) -> None:
        """A member has ended."""
        flight = member.flight
        flight.end(member.place)
        self._by_job.pop(member.launch.job, None)
        if not flight.unfinished:
            self._by_name.pop(flight.submission.name, None)
            self._by_engine_id.pop(flight.engine_id, None)

    def named(self, name: str) -> Flight | None:
        """The submission called ``name``."""
        return self._by_name.get(name)

    def of_engine(self, engine_id: str) -> Flight | None:
        """The submission that the engine calls so."""
        return self._by_engine_id.get(engine_id)

    def of_jobs(self, jobs: Iterable[JobId]) -> list[Member]:
        """Where these attempts are; those that are not watched are left out."""
        return [self._by_job[job] for job in jobs if job in self._by_job]

    def jobs(self) -> Collection[JobId]:
        """All attempts that have not ended."""
        return tuple(self._by_job)

    def in_flight(self) -> dict[str, int]:
        """How many attempts of each step have not ended."""
        counts: dict[str, int] = {}
        for flight in self._by_name.values():
            step = flight.submission.plan.step
            counts[step] = counts.get(step, 0) + len(flight.unfinished)
        return counts
