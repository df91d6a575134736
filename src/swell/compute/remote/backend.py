"""A batch system as a backend: one thread submits, listens and cancels, whatever the width."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from swell.compute.output import OutputSink, TaskOutput
from swell.compute.remote.contact import Contact
from swell.compute.remote.flights import Flight, Flights, Member
from swell.compute.remote.gathering import Gathering
from swell.compute.remote.last_lines import LastLines
from swell.compute.remote.lease import Lease
from swell.compute.remote.pace import Pace
from swell.compute.remote.postbox import Postbox
from swell.compute.remote.results import engine_cause, went_well, with_facts
from swell.compute.remote.submitting import Preparation, Submitter
from swell.errors import SwellError
from swell.model.cause import Cause, Evidence
from swell.model.ids import JobId
from swell.model.job import Intent, JobState, JobUpdate, Launch, StepPlan
from swell.model.remote import Ended, News, RunKeys, parse_end, parse_log
from swell.seams.backend import Report
from swell.seams.clock import Clock
from swell.seams.queue import JobQueue, MemberUpdate
from swell.seams.storage import Storage

SLOW_START_S = 30.0
"""What does not run after that is asked about, and why it waits is told."""
_ASK_AGAIN_S = 120.0
_CLOSE_S = 90.0

Say = Callable[[str], None]


class RemoteSettings(msgspec.Struct, frozen=True):
    """``poll_s`` is the shortest wait between two looks at the store, ``lease_s`` how long
    attempts go on without a sign of life of their driver, ``word_grace_s`` how long the last
    word of a job may be on its way when it has ended for the engine. The driver leaves the run
    when a store or an engine has not answered for ``patience_s``."""

    max_workers: int = 16
    poll_s: float = 1.0
    lease_s: float = 600.0
    word_grace_s: float = 20.0
    patience_s: float = 600.0


class _Submit(msgspec.Struct, frozen=True):
    launches: tuple[Launch, ...]


class _Cancel(msgspec.Struct, frozen=True):
    jobs: tuple[JobId, ...]
    why: str


class _Adopt(msgspec.Struct, frozen=True):
    intents: tuple[Intent, ...]


class _Close(msgspec.Struct, frozen=True):
    detach: bool


class RemoteBackend:
    """Runs attempts by ``jobs``, a batch system, and hears of them through ``storage``.

    ``preparation`` makes what attempts of a step need (in this backend's thread, once a step);
    ``say`` tells the user a sentence. ``leave`` is told, from that thread, why nothing more can
    be done: whoever decides detaches then.
    """

    def __init__(
        self,
        jobs: JobQueue,
        storage: Storage,
        keys: RunKeys,
        preparation: Preparation,
        plans: Mapping[str, StepPlan],
        sink: OutputSink,
        say: Say,
        settings: RemoteSettings,
        clock: Clock = time.time,
        *,
        leave: Callable[[SwellError], None] = lambda why: None,
    ) -> None:
        self._jobs = jobs
        self._leave = leave
        self._is_left = False
        self._contact = Contact(settings.patience_s)
        self._plans = plans
        self._sink = sink
        self._say = say
        self._clock = clock
        self._report: Report = lambda updates: None
        self._gathering = Gathering(settings.max_workers)
        self._flights = Flights()
        self._submitter = Submitter(jobs, storage, keys, preparation, clock)
        self._postbox = Postbox(storage, keys)
        self._last_lines = LastLines(jobs, storage, sink, self._tell)
        self._lease = Lease(storage, keys, settings.lease_s)
        self._store_pace = Pace(settings.poll_s, 10 * settings.poll_s)
        self._engine_pace = Pace(min(5.0, 5 * settings.poll_s), 30.0, growth=1.5)
        self._word_grace_s = settings.word_grace_s
        self._ask_at = 0.0
        self._told: set[str] = set()
        self._adopted: dict[JobId, Intent] = {}
        self._sweep = False
        self._leased = False
        self._close: _Close | None = None
        self._inbox: queue.SimpleQueue[_Submit | _Cancel | _Adopt | _Close] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="swell-remote", daemon=True)

    # --- for the deciding thread ------------------------------------------------

    def start(self, report: Report) -> None:
        """Begin. The thread is there because requests to an engine take long, and uploads
        minutes: the run goes on meanwhile."""
        self._report = report
        self._thread.start()

    def submit(self, launches: Sequence[Launch]) -> None:
        """See Backend: they are written down and submitted soon."""
        self._inbox.put(_Submit(tuple(launches)))

    def adopt(self, intents: Sequence[Intent]) -> None:
        """See Backend."""
        self._inbox.put(_Adopt(tuple(intents)))

    def cancel(self, jobs: Collection[JobId], why: str) -> None:
        """See Backend."""
        self._inbox.put(_Cancel(tuple(jobs), why))

    def close(self) -> None:
        """See Backend."""
        self._end(_Close(detach=False))

    def detach(self) -> None:
        """Leave what was submitted to itself: attempts go on and finish without a driver."""
        self._end(_Close(detach=True))

    def _end(self, message: _Close) -> None:
        if self._thread.ident is None:
            self._jobs.close()
            return
        if self._thread.is_alive():
            self._inbox.put(message)
        self._thread.join()

    # --- the thread ---------------------------------------------------------------

    def _work(self) -> None:
        try:
            while self._close is None:
                self._take_messages()
                self._turn()
            self._finish(self._close)
        except BaseException as error:
            self._fail(f"The backend failed: {type(error).__name__}: {error}")
            raise
        finally:
            self._postbox.close()
            self._submitter.close()
            self._lease.close(1.0 if self._contact.is_silent("store") else None)
            self._jobs.close()

    def _fail(self, reason: str) -> None:
        """Go on answering until the run closes: it must not wait for a backend that is gone."""
        self._tell(reason)
        self._lose_all(reason)
        evidence = Evidence(engine_cause=Cause.PLACEMENT, reason=reason)
        for launches in self._gathering.rest():
            self._report_ends([launch.job for launch in launches], evidence)
        self._cancel_now(self._flights.jobs(), "its driver failed")
        while self._close is None:
            match self._inbox.get():
                case _Submit(launches):
                    self._report_ends([launch.job for launch in launches], evidence)
                case _Adopt(intents):
                    self._report_ends([job for one in intents for job in one.jobs], evidence)
                case _Close() as close:
                    self._close = close

    def _turn(self) -> None:
        """One round: submit what is due, then look where it is time to."""
        now = self._clock()
        if self._is_left:
            return
        for launches in self._gathering.due(self._flights.in_flight(), now):
            self._submit(launches)
        if not self._flights:
            return
        if now >= self._store_pace.next_at and not self._tried("store", self._hear, now):
            return
        if now >= self._engine_pace.next_at and not self._tried("engine", self._look, now):
            return
        if now >= self._ask_at:
            self._tried("engine", self._ask_why, now)

    def _tried(self, who: str, look: Callable[[float], None], now: float) -> bool:
        """Whether ``who`` answered; where that may pass, it is told and tried again later."""
        try:
            look(now)
        except SwellError as error:
            if not error.retryable:
                raise
            self._tell(str(error))
            self._store_pace.looked(now, found=False)
            self._engine_pace.looked(now, found=False)
            why = self._contact.failed(who, error, self._clock())
            if why is not None and self._close is None:
                self._is_left = True
                self._leave(why)
            return False
        self._contact.answered(who)
        return True

    def _take_messages(self) -> None:
        try:
            message = self._inbox.get(timeout=self._patience_s())
            while True:
                self._take(message)
                message = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _patience_s(self) -> float:
        if self._is_left:
            return 3600.0
        times = [due] if (due := self._gathering.next_due()) is not None else []
        if self._flights:
            times += [self._store_pace.next_at, self._engine_pace.next_at, self._ask_at]
        return min(3600.0, max(0.0, min(times) - self._clock())) if times else 3600.0

    def _take(self, message: _Submit | _Cancel | _Adopt | _Close) -> None:
        match message:
            case _Submit(launches):
                known = [one for one in launches if one.job in self._adopted]
                self._watch_again(known)
                new = [one for one in launches if one.job not in self._adopted]
                self._gathering.add(new, self._clock())
            case _Cancel(jobs, why):
                self._cancel_now(jobs, why)
            case _Adopt(intents):
                self._adopted |= {job: intent for intent in intents for job in intent.jobs}
            case _Close():
                self._close = message

    # --- submitting -----------------------------------------------------------------

    def _submit(self, launches: tuple[Launch, ...]) -> None:
        try:
            self._take_lease()
            flight = self._submitter.submit(self._plans[launches[0].step], launches)
        except Exception as error:
            evidence = Evidence(engine_cause=Cause.PLACEMENT, reason=str(error))
            self._report_ends([launch.job for launch in launches], evidence)
            if isinstance(error, SwellError):
                return
            raise
        self._watch(flight)

    def _take_lease(self) -> None:
        if not self._leased:
            self._leased = True
            self._lease.open()

    def _watch(self, flight: Flight) -> None:
        now = self._clock()
        if not self._flights.in_flight().get(flight.submission.plan.step):
            # Of what joins others nothing is to be learned that they do not show.
            self._engine_pace.hurry(now)
        self._flights.add(flight)
        self._store_pace.hurry(now)
        self._ask_at = max(self._ask_at, now + SLOW_START_S)

    def _watch_again(self, launches: Sequence[Launch]) -> None:
        """Watch jobs that another driver submitted."""
        by_name: dict[str, list[JobId]] = {}
        for launch in launches:
            by_name.setdefault(self._adopted[launch.job].name, []).append(launch.job)
        for name, jobs in by_name.items():
            flight = self._flights.named(name)
            if flight is not None:
                flight.watch_more(jobs)
                self._flights.add(flight)
            else:
                self._find(self._adopted[jobs[0]], jobs)

    def _find(self, intent: Intent, jobs: Sequence[JobId]) -> None:
        try:
            self._take_lease()
            flight = self._submitter.find(intent, jobs, self._plans)
        except SwellError as error:
            self._report_ends(jobs, Evidence(host_lost=True, reason=str(error)))
            return
        if flight is None:
            reason = "Its submission never reached the engine."
            self._report_ends(jobs, Evidence(host_lost=True, reason=reason))
            return
        self._watch(flight)
        self._sweep = True

    # --- hearing of attempts -----------------------------------------------------------

    def _hear(self, now: float) -> None:
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
        self._store_pace.looked(now, found=bool(fresh))
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
            self._store_pace.hurry(now)
            return []
        is_cancelled = member.place in member.flight.cancelled
        if note.ended_by == "stop" and not is_cancelled and not went_well(ended.result):
            # Only the engine knows why it stopped the attempt: its word follows. What the flow
            # made of SIGTERM, an exception maybe, would look like a failure of its own.
            member.flight.stopped.add(member.place)
            self._engine_pace.hurry(now)
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

    # --- asking the engine ---------------------------------------------------------------

    def _look(self, now: float) -> None:
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
                self._store_pace.hurry(now)
        self._engine_pace.looked(now, found=bool(found))

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

    def _ask_why(self, now: float) -> None:
        self._ask_at = now + _ASK_AGAIN_S
        slow = [
            flight.watched()
            for flight in self._flights
            if not flight.has_begun and now - flight.submitted_at >= SLOW_START_S
        ]
        for waiting in self._jobs.waiting(slow) if slow else ():
            self._tell(f"{waiting.sentence} {waiting.remedy}".strip())

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._say(sentence)

    # --- ending -------------------------------------------------------------------------

    def _cancel_now(self, jobs: Collection[JobId], why: str) -> None:
        unsent = self._gathering.remove(frozenset(jobs))
        self._report_ends([launch.job for launch in unsent], Evidence(ended_by="cancel"))
        whole: dict[str, None] = {}
        single: list[tuple[str, int]] = []
        by_flight: dict[str, list[Member]] = {}
        for member in self._flights.of_jobs(jobs):
            member.flight.cancelled.add(member.place)
            by_flight.setdefault(member.flight.engine_id, []).append(member)
        for engine_id, members in by_flight.items():
            if members[0].flight.cancelled >= members[0].flight.unfinished:
                whole[engine_id] = None
            else:
                single += [(engine_id, member.place) for member in members]
        try:
            if whole:
                self._jobs.cancel(list(whole), why)
            if single:
                self._jobs.cancel_members(single, why)
        except SwellError as error:
            self._tell(f"Jobs could not be ended yet: {error}")
        now = self._clock()
        self._engine_pace.hurry(now)
        self._store_pace.hurry(now)

    def _finish(self, how: _Close) -> None:
        """End what is left, or leave it alone."""
        if how.detach:
            for launches in () if self._is_left else self._gathering.rest():
                self._submit(launches)
            if self._leased and not (self._is_left and self._contact.is_silent("store")):
                self._lease.detach()
            return
        self._is_left = False
        self._cancel_now(self._flights.jobs(), "its driver ends")
        deadline = self._clock() + _CLOSE_S
        while self._flights and self._clock() < deadline:
            self._engine_pace.hurry(self._clock())
            self._take_messages()
            self._turn()
        self._lose_all("It was asked to end, and the engine does not say that it has.")

    def _lose_all(self, reason: str) -> None:
        self._report_ends(self._flights.jobs(), Evidence(host_lost=True, reason=reason))

    def _report_ends(self, jobs: Collection[JobId], evidence: Evidence) -> None:
        now = self._clock()
        if jobs:
            self._report([JobUpdate(job, JobState.EXITED, now, evidence=evidence) for job in jobs])
