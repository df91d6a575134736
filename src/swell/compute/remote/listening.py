"""Hears what became of attempts: by what they told through the store, and else by the engine.

An end that an attempt told itself goes before what the engine says of it, which is waited with
for a while.
"""

from __future__ import annotations

import msgspec

from swell.compute.output import OutputSink, TaskOutput
from swell.compute.remote.flights import Flights, Member
from swell.compute.remote.last_lines import LastLines
from swell.compute.remote.pace import Paces
from swell.compute.remote.postbox import Postbox
from swell.compute.remote.results import engine_cause, went_well, with_facts
from swell.model.cause import Cause, Evidence
from swell.model.job import JobState, JobUpdate
from swell.model.remote import Ended, News, parse_end, parse_log
from swell.seams.backend import Report
from swell.seams.queue import JobQueue, MemberUpdate


class Listening:
    """Turns news of ``flights`` into updates for ``report``, and ends their members.

    ``word_grace_s``: how long the last word of a job that has ended for the engine may be on
    its way. Belongs to the backend's thread; both ways to ask raise SwellError.
    """

    def __init__(
        self,
        flights: Flights,
        paces: Paces,
        *,
        postbox: Postbox,
        jobs: JobQueue,
        last_lines: LastLines,
        sink: OutputSink,
        report: Report,
        word_grace_s: float,
    ) -> None:
        self._flights = flights
        self._paces = paces
        self._postbox = postbox
        self._jobs = jobs
        self._last_lines = last_lines
        self._sink = sink
        self._report = report
        self._word_grace_s = word_grace_s
        self._sweep = False

    def hear_all(self) -> None:
        """The next look at the store is at all there is: something may lie behind."""
        self._sweep = True

    # --- what attempts told -------------------------------------------------------------

    def hear(self, now: float) -> None:
        """Read what attempts told."""
        everything, self._sweep = self._sweep, False
        fresh = []
        for news in self._postbox.look(everything=everything):
            flight = self._flights.named(news.name)
            if flight is not None and flight.is_new(news):
                fresh.append(news)
        # The times in keys are those of the writing machine, to a second.
        fresh.sort(key=lambda news: news.kind == "end")
        bodies = iter(self._postbox.read([one for one in fresh if one.kind != "began"]))
        updates: list[JobUpdate] = []
        for news in fresh:
            flight = self._flights.named(news.name)
            body = next(bodies) if news.kind != "began" else b""
            if flight is None or not flight.is_new(news):
                continue
            member = Member(flight, news.member)
            if news.kind == "began":
                updates += self._began(member, news.at_ms / 1000)
            elif news.kind == "end":
                updates += self._take_end(member, news.attempt, parse_end(body), now)
            elif flight.is_next(news):
                self._take_output(member, news, body)
            else:
                self._sweep = True
        if updates:
            self._report(updates)
        self._paces.store.looked(now, found=bool(fresh))
        self._give_up_waiting(now)

    def _began(self, member: Member, at: float) -> list[JobUpdate]:
        if member.place in member.flight.begun:
            return []
        member.flight.begun.add(member.place)
        return [JobUpdate(member.launch.job, JobState.RUNNING, at, note=member.flight.engine_id)]

    def _take_output(self, member: Member, news: News, body: bytes) -> None:
        member.flight.take_log(news)
        for frame in parse_log(body):
            self._sink(TaskOutput(member.launch, None, frame.stream, frame.data, frame.at))

    def _take_end(self, member: Member, attempt: int, ended: Ended, now: float) -> list[JobUpdate]:
        note = ended.note
        if note.ended_by == "claimed":
            return []
        if not member.flight.has_told_all(member.place, attempt, note.log_segments):
            self._sweep = True
            self._paces.store.hurry(now)
            return []
        is_cancelled = member.place in member.flight.cancelled
        if note.ended_by == "stop" and not is_cancelled and not went_well(ended.result):
            # Only the engine knows why it stopped the attempt: its word follows. What the flow
            # made of SIGTERM, an exception maybe, would look like a failure of its own.
            member.flight.stopped.add(member.place)
            self._paces.engine.hurry(now)
            return []
        evidence = note.evidence()
        if ended.result is None and is_cancelled:
            evidence = msgspec.structs.replace(evidence, ended_by="cancel")
        updates = self._began(member, note.started_at or now)
        updates.append(
            JobUpdate(
                member.launch.job,
                JobState.EXITED,
                note.ended_at or now,
                result=with_facts(ended),
                evidence=evidence,
                usage=note.usage(),
            )
        )
        self._flights.end(member)
        return updates

    # --- what the engine says -----------------------------------------------------------

    def look(self, now: float) -> None:
        """Ask the engine about all submissions; what ended there without a word is waited for."""
        watched = [flight.watched() for flight in self._flights]
        found = self._jobs.look(watched)
        for update in found:
            flight = self._flights.of_engine(update.engine_id)
            if flight is None or update.index not in flight.unfinished:
                continue
            member = Member(flight, update.index)
            if update.state is JobState.RUNNING:
                self._report(self._began(member, update.at))
            elif update.state in (JobState.EXITED, JobState.LOST):
                flight.ends_without_word.setdefault(
                    update.index, msgspec.structs.replace(update, at=now)
                )
                self._sweep = True
                self._paces.store.hurry(now)
        self._paces.engine.looked(now, found=bool(found))

    def _give_up_waiting(self, now: float) -> None:
        """Report ends that the engine told and no attempt confirmed in time."""
        given_up = {
            Member(flight, index): told
            for flight in self._flights
            for index, told in flight.ends_without_word.items()
            if now - told.at >= self._word_grace_s
            or (index not in flight.begun and index in flight.cancelled)
            # What was killed from outside had its time to speak, and the store was looked
            # at after the engine said that it has ended.
            or engine_cause(told) in (Cause.CANCELLED, Cause.DRIVER_LOST)
            # A machine that is gone says nothing more.
            or (told.evidence is not None and told.evidence.host_lost)
        }
        if given_up:
            self._last_lines.bring(given_up)
        for member, told in given_up.items():
            self._report_unconfirmed(member, told)

    def _report_unconfirmed(self, member: Member, told: MemberUpdate) -> None:
        evidence = told.evidence or Evidence()
        if member.place in member.flight.cancelled:
            evidence = msgspec.structs.replace(evidence, ended_by="cancel")
        job = member.launch.job
        self._flights.end(member)
        self._report([JobUpdate(job, told.state, told.at, evidence=evidence, note=told.note)])
