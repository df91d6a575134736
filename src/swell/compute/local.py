"""This machine as a backend: attempts are processes of a keeper, watched by one thread."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence

from swell.compute.channel import Begin, Begun, Ended, Kill, SetUp, ToKeeper, driver_end
from swell.compute.flight import Flight, evidence_of
from swell.compute.given import given_to
from swell.compute.keeper_link import KeeperLink
from swell.compute.kernel import (
    adopt_orphans,
    children_of,
    kill_and_reap,
    raise_file_limit,
)
from swell.compute.lanes import Chunk, DriverLane, open_lane
from swell.compute.lost import all_lost, no_script
from swell.compute.oom_watch import OomCounter
from swell.compute.output import OutputSink, TaskOutput
from swell.compute.pack_in_flight import PackInFlight
from swell.compute.pack_lane import Tell, read_pack, read_rest
from swell.compute.watching import Look, look_away
from swell.errors import ComputeError
from swell.model.cause import Evidence
from swell.model.ids import JobId
from swell.model.job import Intent, JobState, JobUpdate, Launch, Pack
from swell.model.record import Usage
from swell.model.wire import encode
from swell.seams.backend import Report
from swell.seams.clock import Clock

TIMEOUT_GRACE_S = 5.0
"""How long an attempt may take to end by itself once its time limit has passed."""
CANCEL_GRACE_S = 5.0
"""Between SIGTERM and SIGKILL."""
NO_SIGN_OF_LIFE_S = 5.0
"""A forked attempt that has not reached its step by then hangs, and is run afresh."""
_TICK_MS = 200
_PACK_READ_MS = 10
"""How often what packs leave is read: by the dozen, or each task would wake this thread up."""
_MARK_BYTES = 16
_LONG_S = 0.2
"""A member of a pack that runs longer is reported as RUNNING before it ends."""


class LocalBackend:
    """Runs each attempt as a process of its own on this machine.

    ``open_cold_keeper`` replaces a keeper that was lost; it starts fresh interpreters
    only. ``fresh``: all attempts get one from the start. With ``enforces_memory`` one that
    takes more memory than it declared is ended. ``look`` is told often what runs.
    """

    def __init__(
        self,
        keeper: KeeperLink,
        set_up: SetUp,
        sink: OutputSink,
        *,
        fresh: bool,
        open_cold_keeper: Callable[[], KeeperLink],
        enforces_memory: bool = False,
        look: Look = look_away,
        clock: Clock = time.time,
    ) -> None:
        self._look = look
        self._keeper = keeper
        self._set_up = set_up
        self._sink = sink
        self._fresh = fresh
        self._open_cold_keeper = open_cold_keeper
        self._enforces_memory = enforces_memory
        self._oom_counter = OomCounter()
        self._oom_kills = self._oom_counter.count()
        self._clock = clock
        self._channel = driver_end(keeper.control)
        self._lock = threading.Lock()
        self._flights: dict[int, Flight] = {}
        self._lane_of: dict[JobId, int] = {}
        self._free: deque[DriverLane] = deque()
        self._lanes_made = 0
        self._poller = select.poll()
        self._lane_of_fd: dict[int, DriverLane] = {}
        self._report: Report = lambda updates: None
        self._packs: dict[int, Flight] = {}
        self._closing = False
        self._unsent = False
        self._own_children = children_of(os.getpid()) - {keeper.pid}
        self._waker_read, self._waker_write = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="swell-local", daemon=True)

    def start(self, report: Report) -> None:
        """Begin to watch. The thread is there so that output is stored while the
        deciding thread is busy, and so that no child blocks on a full pipe."""
        self._report = report
        self._poller.register(self._channel.fileno(), select.POLLIN)
        self._poller.register(self._waker_read, select.POLLIN)
        self._post(self._set_up)
        self._thread.start()

    def submit(self, launches: Sequence[Launch]) -> None:
        """Hand ``launches`` to the keeper, which begins them at once."""
        for launch in launches:
            self._begin(launch, self._fresh or launch.fresh_because is not None)

    def submit_pack(self, pack: Pack) -> None:
        """Hand ``pack`` to the keeper, which begins one process for it."""
        self._begin(pack.launch(0), self._fresh, PackInFlight(pack, os.urandom(_MARK_BYTES)))

    def _begin(self, launch: Launch, fresh: bool, pack: PackInFlight | None = None) -> None:
        jobs = [launch.job] if pack is None else [one.job for one in pack.pack.members]
        if fresh and not self._set_up.fresh_argv:
            self._report(all_lost(jobs, self._clock(), no_script(launch)))
            return
        # Never under the lock: the keeper may be waiting for the watching thread to read,
        # and that for the lock.
        try:
            lane = self._free_lane() or self._open_lane()
        except ComputeError as error:
            self._report(all_lost(jobs, self._clock(), str(error)))
            return
        self._keeper.life.clear(lane.number)
        now = self._clock()
        flight = Flight(
            launch=launch,
            lane=lane,
            begun_at=now,
            fresh=fresh,
            begun_s=time.monotonic(),
            oom_kills=self._oom_kills,
            pack=pack,
        )
        if pack is not None:
            lane.widen()
            for fd in lane.fds:
                self._poller.unregister(fd)
        with self._lock:
            self._flights[lane.number] = flight
            self._lane_of.update(dict.fromkeys(jobs, lane.number))
            if pack is not None:
                self._packs[lane.number] = flight
        given = given_to(launch, enforces_memory=self._enforces_memory)
        if pack is None:
            self._post(Begin(lane.number, encode(launch), fresh, given))
        else:
            self._post(Begin(lane.number, encode(pack.pack), fresh, given, pack.mark))
            self._wake()  # it may be waiting for longer than packs are left unread

    def _free_lane(self) -> DriverLane | None:
        with self._lock:
            return self._free.popleft() if self._free else None

    def _open_lane(self) -> DriverLane:
        if self._lanes_made % 64 == 63:
            raise_file_limit()
        lane = open_lane(self._lanes_made, self._keeper.lanes)
        self._lanes_made += 1
        for fd in lane.fds:
            self._lane_of_fd[fd] = lane
            self._poller.register(fd, select.POLLIN)
        self._wake()
        return lane

    def adopt(self, intents: Sequence[Intent]) -> None:
        """Processes here die with their driver: there is nothing to adopt."""

    def cancel(self, jobs: Collection[JobId], why: str) -> None:
        """SIGTERM to the process groups of ``jobs``, SIGKILL 5 s later, or when asked again."""
        del why
        with self._lock:
            for number, own in self._by_lane(jobs).items():
                flight = self._flights[number]
                if flight.pack is not None:
                    flight.pack.asked_to_end(own)
                if flight.ended_by is None:
                    flight.ended_by = "cancel"
                    flight.kill_at = self._clock() + CANCEL_GRACE_S
                    self._kill(flight, signal.SIGTERM)
                elif flight.ended_by == "cancel":
                    flight.kill_at = self._clock()
                    self._kill(flight, signal.SIGKILL)

    def _by_lane(self, jobs: Collection[JobId]) -> dict[int, list[JobId]]:
        found: dict[int, list[JobId]] = {}
        for job in jobs:
            lane = self._lane_of.get(job)
            if lane is not None:
                found.setdefault(lane, []).append(job)
        return found

    def close(self) -> None:
        """End every attempt and the keeper; returns when all of them are gone."""
        self._closing = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        self._channel.close()
        self._keeper.lanes.close()
        try:
            os.waitpid(self._keeper.pid, 0)  # it has killed and reaped all others first
        except ChildProcessError:
            pass
        for lane in self._free:
            lane.close()
        for flight in self._flights.values():
            flight.lane.close()
        self._keeper.life.close()
        self._oom_counter.close()
        os.close(self._waker_read)
        os.close(self._waker_write)

    def _post(self, message: ToKeeper) -> None:
        try:
            if not self._channel.post(message):
                self._unsent = True
                self._wake()
        except OSError:
            self._wake()  # the keeper is gone; the watching thread replaces it

    def _flush_channel(self) -> None:
        """On the watching thread: what could not be sent at once goes when there is room."""
        try:
            self._unsent = not self._channel.flush()
        except OSError:
            self._unsent = False
        wanted = select.POLLIN | (select.POLLOUT if self._unsent else 0)
        self._poller.modify(self._channel.fileno(), wanted)

    def _wake(self) -> None:
        os.write(self._waker_write, b"x")

    def _kill(self, flight: Flight, number: signal.Signals) -> None:
        if flight.pid is None:
            return  # begun, but its pid has not come yet: _note_begun sends it on
        self._post(Kill(flight.lane.number, flight.pid, number))

    # --- the watching thread -------------------------------------------------

    def _watch(self) -> None:
        adopt_orphans()  # should the keeper be killed, its orphans come here
        next_tick = self._clock()
        while not self._closing:
            for fd, event in self._poller.poll(_PACK_READ_MS if self._packs else _TICK_MS):
                if fd == self._waker_read:
                    os.read(fd, 4096)
                elif fd == self._channel.fileno():
                    if event & ~select.POLLOUT:
                        self._receive()
                else:
                    self._read_output(fd)
            if self._unsent:
                self._flush_channel()
            for flight in list(self._packs.values()):
                if flight.pack is not None and flight.pid is not None:
                    self._report_some(self._read_pack(flight, flight.pack))
            if self._clock() >= next_tick:
                next_tick = self._clock() + _TICK_MS / 1000
                self._check_times()
                self._oom_kills = self._oom_counter.count()
                with self._lock:
                    running = [(flight.launch, flight.pid) for flight in self._flights.values()]
                self._look(self._clock(), running)

    def _read_output(self, fd: int) -> None:
        lane = self._lane_of_fd.get(fd)
        if lane is None:
            return
        flight = self._flights.get(lane.number)
        if flight is not None and flight.pack is not None:
            return  # a poll that began before the pack did: what it leaves is read in its turn
        chunk = lane.read(fd)
        if chunk is not None and flight is not None:
            self._flush(flight, [chunk], self._clock())

    def _receive(self) -> None:
        messages = self._channel.receive()
        if messages is None:
            self._replace_keeper()
            return
        updates: list[JobUpdate] = []
        for message in messages:
            match message:
                case Begun():
                    updates += self._note_begun(message)
                case Ended():
                    updates += self._note_ended(message)
        self._report_some(updates)

    def _report_some(self, updates: list[JobUpdate]) -> None:
        if updates:
            self._report(updates)

    def _note_begun(self, begun: Begun) -> list[JobUpdate]:
        with self._lock:
            flight = self._flights[begun.lane]
            flight.pid = begun.pid
            if flight.ended_by is not None:
                self._kill(flight, signal.SIGTERM)
        if flight.pack is not None:
            return []
        return [JobUpdate(flight.launch.job, JobState.RUNNING, begun.at, pid=begun.pid)]

    def _note_ended(self, ended: Ended) -> list[JobUpdate]:
        flight = self._flights[ended.lane]
        if flight.pack is not None:
            return self._note_pack_ended(flight, flight.pack, ended)
        job = flight.launch.job
        self._flush(flight, flight.lane.drain(), self._clock())
        result = flight.lane.take_result()
        with self._lock:
            self._let_go(flight, [job], is_shared=ended.is_shared)
        if flight.ended_by == "no sign of life":
            self._begin(flight.launch, fresh=True)
            return []
        return [
            JobUpdate(
                job,
                JobState.EXITED,
                ended.at,
                pid=ended.pid,
                result=result,
                evidence=self._evidence_of(ended, flight),
                usage=ended.usage,
            )
        ]

    def _evidence_of(self, ended: Ended, flight: Flight) -> Evidence:
        self._oom_kills = self._oom_counter.count()
        return evidence_of(ended, flight, self._oom_kills)

    def _let_go(self, flight: Flight, jobs: Collection[JobId], *, is_shared: bool) -> None:
        del self._flights[flight.lane.number]
        for job in jobs:
            self._lane_of.pop(job, None)
        if is_shared:
            self._retire(flight.lane)
        else:
            self._free.append(flight.lane)

    # --- packs ---------------------------------------------------------------

    def _read_pack(self, flight: Flight, pack: PackInFlight) -> list[JobUpdate]:
        """What the members of a pack have left since the last time."""
        begun_at = self._keeper.life.began_at(flight.lane.number) or flight.begun_at
        return read_pack(pack, flight.lane, begun_at, flight.pid, self._teller(flight, pack))

    def _teller(self, flight: Flight, pack: PackInFlight) -> Tell:
        now = self._clock()

        def tell(member: int, stream: str, data: bytes) -> None:
            self._sink(TaskOutput(pack.pack.launch(member), flight.pid, stream, data, now))

        return tell

    def _note_pack_ended(self, flight: Flight, pack: PackInFlight, ended: Ended) -> list[JobUpdate]:
        updates = self._read_pack(flight, pack)
        updates += read_rest(pack, flight.lane, ended.at, ended.pid, self._teller(flight, pack))
        begun = self._keeper.life.member(flight.lane.number)
        with self._lock:
            del self._packs[flight.lane.number]
            for fd in flight.lane.fds:
                self._poller.register(fd, select.POLLIN)
            self._let_go(flight, pack.jobs, is_shared=ended.is_shared)
        if flight.ended_by == "no sign of life":
            self._begin(flight.launch, True, PackInFlight(pack.pack, pack.mark))
            return []
        evidence = self._evidence_of(ended, flight)
        ended_well = ended.status == 0
        return updates + pack.leave(
            ended.at, evidence, ended.usage, begun=begun, ended_well=ended_well
        )

    def _watch_pack(self, flight: Flight, pack: PackInFlight, now: float) -> list[JobUpdate]:
        """RUNNING for a member that lasts; ends the process for one that lasts too long."""
        member = self._keeper.life.member(flight.lane.number)
        began_at = self._keeper.life.began_at(flight.lane.number)
        if member is None or began_at is None or member < pack.ended:
            return []
        limit = flight.launch.timeout_s
        if limit is not None and now - began_at > limit + TIMEOUT_GRACE_S:
            pack.overdue = member
            self._end(flight, "timeout", now)
        return pack.announce(member, began_at, flight.pid) if now - began_at > _LONG_S else []

    def _flush(self, flight: Flight, chunks: list[Chunk], now: float) -> None:
        for chunk in chunks:
            self._sink(TaskOutput(flight.launch, flight.pid, chunk.stream, chunk.data, now))

    def _retire(self, lane: DriverLane) -> None:
        for fd in lane.fds:
            self._poller.unregister(fd)
            del self._lane_of_fd[fd]
        lane.close()

    def _check_times(self) -> None:
        now = self._clock()
        updates: list[JobUpdate] = []
        with self._lock:
            for number, flight in self._flights.items():
                if flight.kill_at is not None:
                    if now >= flight.kill_at:
                        self._kill(flight, signal.SIGKILL)
                    continue
                began_at = self._keeper.life.began_at(number)
                limit = flight.launch.timeout_s
                if began_at is None:
                    if not flight.fresh and now - flight.begun_at > NO_SIGN_OF_LIFE_S:
                        self._end(flight, "no sign of life", now)
                elif flight.pack is not None:
                    updates += self._watch_pack(flight, flight.pack, now)
                elif limit is not None and now - began_at > limit + TIMEOUT_GRACE_S:
                    self._end(flight, "timeout", now)
        self._report_some(updates)

    def _end(self, flight: Flight, why: str, now: float) -> None:
        flight.ended_by = why
        flight.kill_at = now
        self._kill(flight, signal.SIGKILL)

    def _replace_keeper(self) -> None:
        """The keeper is gone, and with it (by the kernel's hand) all its attempts."""
        now = self._clock()
        with self._lock:
            self._poller.unregister(self._channel.fileno())
            lost = list(self._flights.values())
            begun = {
                flight.lane.number: self._keeper.life.member(flight.lane.number) for flight in lost
            }
            self._flights.clear()
            self._packs.clear()
            self._lane_of.clear()
            for lane in [*self._free, *(flight.lane for flight in lost)]:
                self._retire(lane)
            self._free.clear()
            self._channel.close()
            self._keeper.lanes.close()
            self._keeper.life.close()
            os.waitpid(self._keeper.pid, 0)
            kill_and_reap(children_of(os.getpid()) - self._own_children)
            self._keeper = self._open_cold_keeper()
            self._fresh = True
            self._channel = driver_end(self._keeper.control)
            self._poller.register(self._channel.fileno(), select.POLLIN)
            self._post(self._set_up)
        evidence = Evidence(
            host_lost=True, reason="The process that watches the tasks of this machine was killed."
        )
        for flight in lost:
            if flight.pack is None:
                job = flight.launch.job
                self._report([JobUpdate(job, JobState.LOST, now, evidence=evidence)])
            else:
                last = begun[flight.lane.number]
                left = flight.pack.leave(now, evidence, Usage(), begun=last, ended_well=False)
                self._report(left)
