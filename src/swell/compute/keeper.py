"""The keeper: a process that starts, reaps and, at the driver's end, kills every attempt.

Forked from the driver while that holds the user's imported script and nothing else, it
is a zygote: each attempt is one more fork. It never runs user code itself.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from swell.compute import hygiene
from swell.compute.channel import (
    Begin,
    Begun,
    Channel,
    Ended,
    FromKeeper,
    Kill,
    SetUp,
    keeper_end,
)
from swell.compute.given import Given, take, variables
from swell.compute.kernel import (
    adopt_orphans,
    children_of,
    kill_and_reap,
    limit_own_data,
    prepare_to_die_with_parent,
    raise_file_limit,
)
from swell.compute.life import LifeTable
from swell.compute.measuring import Inherited, own_memory, usage_of
from swell.compute.memory_groups import MemoryGroup
from swell.compute.memory_hold import MemoryHold, usage_in_group
from swell.compute.packed import Origin, RunLaunch, Streams, run_pack, write_all, write_framed
from swell.model.wire import decode_launch, decode_pack

FIRST_FD = 256
"""The keeper's own descriptors stand from here on, so that a child closes them at once."""
_FD_LIMIT = 1 << 16
_KILL_WAIT_S = 10.0
_BEGUN_WAIT_MS = 4
_LOOK_MS = 500
"""How often groups are asked whether the kernel has killed in them."""

PrepareAttempts = Callable[[bytes], RunLaunch]
"""encoded RunContext → what runs attempts; called once in the keeper, before any fork."""


class Lane(NamedTuple):
    """Write ends of the pipes of one attempt at a time."""

    result: int
    stdout: int
    stderr: int


class Fresh(NamedTuple):
    """What a fresh interpreter is told through its environment: descriptors, its lane, the MB
    it has to hold itself to (0: none), and whether it has begun again with more variables."""

    launch_fd: int
    result_fd: int
    life_fd: int
    lane: int
    own_limit_mb: int = 0
    is_again: int = 0


class _Running(NamedTuple):
    """An attempt whose process lives."""

    lane: int
    fresh: bool
    given: Given
    group: MemoryGroup | None


class FreshLaunch(NamedTuple):
    """What a fresh interpreter reads from its ``launch_fd``; ``mark`` as in Begin, ``oom_events``
    where the kernel counts in a control group of its own."""

    context: bytes
    launch: bytes
    mark: bytes
    oom_events: str = ""


class Keeper:
    """Serves one driver until the driver closes its end of the channel.

    ``prepare`` gives what runs forked attempts; None in a keeper that only starts fresh
    interpreters. Those learn from ``attempt_variable`` what they are. ``import_peak_mb`` is
    what importing the script took in the process that this one was forked from.
    """

    def __init__(
        self,
        control: socket.socket,
        lanes: socket.socket,
        life: LifeTable,
        prepare: PrepareAttempts | None,
        *,
        attempt_variable: str,
        warm: hygiene.Warm | None = None,
        import_peak_mb: float = 0.0,
    ) -> None:
        self._control = control
        self._lane_socket = lanes
        self._life = life
        self._prepare = prepare
        self._warm = warm
        self._inherited = Inherited(import_peak_mb=import_peak_mb)
        self._attempt: RunLaunch | None = None
        self._attempt_variable = attempt_variable
        self._channel: Channel = keeper_end(control)
        self._lanes: dict[int, Lane] = {}
        self._running: dict[int, _Running] = {}
        self._hold = MemoryHold()
        self._look_at = 0.0
        self._context = b""
        self._fresh_argv: tuple[str, ...] = ()
        self._highest_fd = FIRST_FD
        self._orphans: set[int] = set()
        self._begun: list[Begun] = []
        self._asked: deque[object] = deque()
        self._die_with_parent = prepare_to_die_with_parent()

    def serve(self) -> None:
        """Work until the driver is gone, then leave no descendant alive."""
        adopt_orphans()
        self._lane_socket.setblocking(False)
        wake_read, wake_write = os.pipe()
        for fd in (wake_read, wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, hygiene.HELD)
        poller = select.poll()
        poller.register(self._channel.fileno(), select.POLLIN)
        poller.register(wake_read, select.POLLIN)
        poller.register(self._lane_socket, select.POLLIN)
        try:
            while self._serve_once(poller, wake_read):
                pass
        except OSError:
            pass  # the driver is gone in the middle of a message
        finally:
            kill_descendants()
            self._hold.close()

    def _serve_once(self, poller: select.poll, wake_read: int) -> bool:
        # A task of a few milliseconds is told in one message: its driver wakes up once.
        wait_ms = 0 if self._asked else _BEGUN_WAIT_MS if self._begun else self._end_exceeding()
        ready = poller.poll(wait_ms)
        if not ready and self._begun:
            self._channel.send(*self._take_begun())
        for fd, _event in ready:
            if fd == wake_read:
                os.read(wake_read, 4096)
                self._reap()
            elif fd == self._lane_socket.fileno():
                self._receive_lane()
            else:
                messages = self._channel.receive()
                if messages is None:
                    return False
                self._asked.extend(messages)
        if self._asked:
            # One at a time: what has ended meanwhile is reaped before the next fork.
            self._perform(self._asked.popleft())
        return True

    def _perform(self, message: object) -> None:
        match message:
            case Begin():
                self._begin(message)
            case Kill():
                self._kill(message)
            case SetUp():
                self._context = message.context
                self._fresh_argv = message.fresh_argv
                if self._prepare is not None and self._warm is not None:
                    self._attempt = self._prepare(message.context)
                    hygiene.prepare_to_fork(self._warm)
                    peak_mb = self._inherited.import_peak_mb
                    self._inherited = own_memory()._replace(import_peak_mb=peak_mb)

    def _take_begun(self) -> list[Begun]:
        begun, self._begun = self._begun, []
        return begun

    # --- starting ------------------------------------------------------------

    def _begin(self, begin: Begin) -> None:
        while begin.lane not in self._lanes:
            select.select([self._lane_socket], [], [])
            self._receive_lane()
        lane = self._lanes[begin.lane]
        group = self._hold.begin(begin.given, 0.0 if begin.fresh else self._inherited.shared_mb)
        keeper_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_attempt(keeper_pid, lane, begin, group)
        try:
            os.setpgid(pid, pid)
        except OSError:
            pass  # it has done so itself, or is already gone
        self._running[pid] = _Running(begin.lane, begin.fresh, begin.given, group)
        self._begun.append(Begun(begin.lane, pid, time.time()))

    def _receive_lane(self) -> None:
        try:
            number, fds, _flags, _address = socket.recv_fds(self._lane_socket, 8, 3)
        except BlockingIOError:
            return  # a Begin for that lane came first and has taken it
        if not fds:
            raise OSError("the driver is gone")
        if self._highest_fd + len(fds) >= resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
            raise_file_limit()
        high = [_move_up(fd) for fd in fds]
        self._highest_fd = max(self._highest_fd, *high)
        self._lanes[int.from_bytes(number, "little")] = Lane(*high)

    def _become_attempt(
        self, keeper_pid: int, lane: Lane, begin: Begin, group: MemoryGroup | None
    ) -> None:
        """In the child: never returns."""
        code = 1
        try:
            os.setpgid(0, 0)
            self._die_with_parent(keeper_pid)
            signal.set_wakeup_fd(-1)
            _attach(lane)
            if group is not None:
                group.enter()
            own_limit_mb = begin.given.memory_mb if group is None else None
            oom_events = "" if group is None else group.events
            if begin.fresh:
                self._become_fresh(lane, begin, own_limit_mb, oom_events)
            _close_others(lane if begin.mark else (lane.result,), self._highest_fd)
            assert self._attempt is not None, "a cold keeper was asked to fork an attempt"
            assert self._warm is not None, "a keeper that forks attempts knows its own beginning"
            hygiene.cleanse_child(self._warm)
            take(begin.given)
            if own_limit_mb is not None:
                limit_own_data(own_limit_mb)
            if begin.mark:
                self._run_pack(
                    lane,
                    begin,
                    self._attempt,
                    Origin(self._warm.seeds, self._inherited, oom_events),
                )
                hygiene.end_child(self._warm)
            else:
                number = begin.lane
                launch = decode_launch(begin.launch)
                result = self._attempt(launch, lambda: self._life.mark(number, time.time()))
                hygiene.end_child(self._warm)
                write_framed(lane.result, result)
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)

    def _run_pack(self, lane: Lane, begin: Begin, attempt: RunLaunch, origin: Origin) -> None:
        number = begin.lane
        run_pack(
            decode_pack(begin.launch),
            attempt,
            Streams(*lane, begin.mark),
            lambda at, member: self._life.mark(number, at, member),
            origin,
        )

    def _become_fresh(
        self, lane: Lane, begin: Begin, own_limit_mb: int | None, oom_events: str
    ) -> None:
        import msgspec

        launch_fd = os.memfd_create("swell-launch", 0)
        passed = FreshLaunch(self._context, begin.launch, begin.mark, oom_events)
        write_all(launch_fd, msgspec.msgpack.encode(passed))
        os.lseek(launch_fd, 0, os.SEEK_SET)
        fresh = Fresh(launch_fd, lane.result, self._life.fileno(), begin.lane, own_limit_mb or 0)
        for fd in fresh[:3]:
            os.set_inheritable(fd, True)
        environ = dict(os.environ)
        environ.update(variables(begin.given, environ))
        environ[self._attempt_variable] = ",".join(map(str, fresh))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, hygiene.HELD)
        os.execvpe(self._fresh_argv[0], list(self._fresh_argv), environ)

    # --- ending --------------------------------------------------------------

    def _kill(self, kill: Kill) -> None:
        running = self._running.get(kill.pid)
        if running is not None and running.lane == kill.lane:
            _signal_group(kill.pid, kill.signal)

    def _reap(self) -> None:
        ended: list[Ended] = []
        while True:
            try:
                # Not yet reaped, so that its process group id cannot have a new owner.
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                break
            if found is None:
                break
            pid = found.si_pid
            running = self._running.pop(pid, None)
            if running is not None:
                _signal_group(pid, signal.SIGKILL)
            _pid, status, counted = os.wait4(pid, 0)
            self._orphans.discard(pid)
            if running is not None:
                ended.append(self._ended(running, pid, status, counted))
        if not ended:
            return
        messages: list[FromKeeper] = [*self._take_begun()]
        strangers = children_of(os.getpid()) - self._running.keys() - {one.pid for one in ended}
        is_shared = bool(strangers - self._orphans)
        self._orphans |= strangers
        for one in ended:
            if is_shared:
                self._forget(one.lane)
            messages.append(replace(one, is_shared=is_shared))
        self._channel.send(*messages)

    def _ended(
        self, running: _Running, pid: int, status: int, counted: resource.struct_rusage
    ) -> Ended:
        usage = usage_of(counted, None if running.fresh else self._inherited)
        limit_mb, group, oom_kills = running.given.memory_mb, running.group, None
        if limit_mb is not None:
            usage = replace(usage, memory_limit_mb=limit_mb)
        if group is not None:
            oom_kills = group.oom_kills()
            usage = usage_in_group(usage, group, oom_kills)
            self._hold.end(group)
        return Ended(running.lane, pid, time.time(), status, usage, False, oom_kills)

    def _end_exceeding(self) -> int | None:
        """End attempts of which the kernel has killed a part: what is left may wait for it for
        ever. Returns after how many ms to look again."""
        limited = [(pid, one.group) for pid, one in self._running.items() if one.group is not None]
        if not limited:
            return None
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_MS / 1000
            for pid, group in limited:
                if group.oom_kills():
                    _signal_group(pid, signal.SIGKILL)
                    group.kill()
        return _LOOK_MS

    def _forget(self, lane: int) -> None:
        """An orphan may hold this lane's pipes: the driver retires it and opens another."""
        for fd in self._lanes.pop(lane):
            os.close(fd)


def kill_descendants() -> None:
    """Kill and reap every descendant of this process; gives up after 10 s.

    As the nearest subreaper it inherits the orphans of those it kills.
    """
    deadline = time.monotonic() + _KILL_WAIT_S
    while (children := children_of(os.getpid())) and time.monotonic() < deadline:
        kill_and_reap(children)


def fork_keeper(
    control: socket.socket,
    lanes: socket.socket,
    life: LifeTable,
    prepare: PrepareAttempts,
    *,
    attempt_variable: str,
    driver_ends: tuple[socket.socket, ...],
) -> int:
    """Fork a warm keeper from this process, which must have no thread of ours; its pid."""
    warm = hygiene.before_fork()
    import_peak_mb = own_memory().import_peak_mb
    pid = os.fork()
    if pid:
        return pid
    try:
        for sock in driver_ends:
            sock.close()
        os.setsid()
        keeper = Keeper(
            _socket_up(control),
            _socket_up(lanes),
            life,
            prepare,
            attempt_variable=attempt_variable,
            warm=warm,
            import_peak_mb=import_peak_mb,
        )
        keeper.serve()
    finally:
        os._exit(0)


def serve_cold(control: int, lanes: int, life: int, attempt_variable: str) -> None:
    """The main function of a keeper that was started by exec; takes descriptors."""
    Keeper(
        socket.socket(fileno=_move_up(control)),
        socket.socket(fileno=_move_up(lanes)),
        LifeTable(life),
        None,
        attempt_variable=attempt_variable,
    ).serve()


def _socket_up(sock: socket.socket) -> socket.socket:
    return socket.socket(fileno=_move_up(sock.detach()))


def _move_up(fd: int) -> int:
    """The same open file at a number from FIRST_FD on, closed on exec."""
    import fcntl

    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_FD)
    os.close(fd)
    return high


def _attach(lane: Lane) -> None:
    """Empty stdin; stdout and stderr to the lane's pipes."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(lane.stdout, 1)
    os.dup2(lane.stderr, 2)


def _close_others(kept: Sequence[int], highest: int) -> None:
    begin = FIRST_FD
    for keep in sorted(kept):
        os.closerange(begin, keep)
        begin = keep + 1
    os.closerange(begin, highest + 1)


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass
