"""A batch system as a backend: one thread submits, listens and cancels, whatever the width."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from swell.compute.output import OutputSink
from swell.compute.remote.contact import Contact
from swell.compute.remote.flights import Flight, Flights, Member
from swell.compute.remote.gathering import Gathering
from swell.compute.remote.last_lines import LastLines
from swell.compute.remote.lease import Lease
from swell.compute.remote.listening import Listening
from swell.compute.remote.pace import Paces
from swell.compute.remote.postbox import Postbox
from swell.compute.remote.submitting import Preparation, Submitter
from swell.errors import SwellError
from swell.model.cause import Cause, Evidence
from swell.model.ids import JobId
from swell.model.job import Intent, JobState, JobUpdate, Launch, StepPlan
from swell.model.remote import RunKeys
from swell.seams.backend import Report
from swell.seams.clock import Clock
from swell.seams.queue import JobQueue
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
        self._say = say
        self._clock = clock
        self._report: Report = lambda updates: None
        self._gathering = Gathering(settings.max_workers)
        self._flights = Flights()
        self._submitter = Submitter(jobs, storage, keys, preparation, clock)
        self._postbox = Postbox(storage, keys)
        self._lease = Lease(storage, keys, settings.lease_s)
        self._paces = Paces(settings.poll_s)
        self._listening = Listening(
            self._flights,
            self._paces,
            postbox=self._postbox,
            jobs=jobs,
            last_lines=LastLines(jobs, storage, sink, self._tell),
            sink=sink,
            report=lambda updates: self._report(updates),
            word_grace_s=settings.word_grace_s,
        )
        self._ask_at = 0.0
        self._told: set[str] = set()
        self._adopted: dict[JobId, Intent] = {}
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
        paces, listening = self._paces, self._listening
        if now >= paces.store.next_at and not self._tried("store", listening.hear, now):
            return
        if now >= paces.engine.next_at and not self._tried("engine", listening.look, now):
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
            self._paces.failed(now)
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
            times += [self._paces.store.next_at, self._paces.engine.next_at, self._ask_at]
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
            self._paces.engine.hurry(now)
        self._flights.add(flight)
        self._paces.store.hurry(now)
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
        self._listening.hear_all()

    # --- asking the engine ---------------------------------------------------------------

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
        self._paces.hurry(self._clock())

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
            self._paces.engine.hurry(self._clock())
            self._take_messages()
            self._turn()
        self._lose_all("It was asked to end, and the engine does not say that it has.")

    def _lose_all(self, reason: str) -> None:
        self._report_ends(self._flights.jobs(), Evidence(host_lost=True, reason=reason))

    def _report_ends(self, jobs: Collection[JobId], evidence: Evidence) -> None:
        now = self._clock()
        if jobs:
            self._report([JobUpdate(job, JobState.EXITED, now, evidence=evidence) for job in jobs])
