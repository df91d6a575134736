"""Runs one attempt: claims it, fetches what it needs, starts the flow, and tells the end."""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping

from swell.bootstrap.child import Child, adopt_orphans, start_python
from swell.bootstrap.ends import (
    EXIT_ENVIRONMENT,
    EXIT_TRY_AGAIN,
    STOP_BUDGET_S,
    exit_code_of,
)
from swell.bootstrap.engine import with_its_array
from swell.bootstrap.folders import cache_folder, put_whole, temporary_folder
from swell.bootstrap.gang import NodeBeats, OtherNodes
from swell.bootstrap.log_feed import LogFeed
from swell.bootstrap.manifest import Manifest, check_interpreter, read_member
from swell.bootstrap.missing import explain_missing, missing_module
from swell.bootstrap.packages import check_hash, fetch, unpack, unpacked
from swell.bootstrap.place import Ending, Keys, Refused, encode_began, facts_of, find_place
from swell.bootstrap.sender import Sender
from swell.bootstrap.store import Store, StoreFailure
from swell.bootstrap.sweeping import remove_tree
from swell.bootstrap.threads import thread_variables
from swell.bootstrap.twin import Twin, Waiting, fork_twin, needs_new_process
from swell.bootstrap.usage import MemoryGroup
from swell.bootstrap.wake import Stopped, Wake
from swell.bootstrap.watch import Watch
from swell.bootstrap.watchers import LeaseWatch, SpotWatch

FLUSH_S = 120.0
"""How long the end is tried to be told when nobody is in a hurry."""


class Claimed(Exception):
    """Another job of the engine runs this member."""


class Prepared:
    """What the flow's process is started with."""

    def __init__(self, interpreter: str, folder: str, layers: list[str]) -> None:
        self.interpreter = interpreter
        self.folder = folder
        self.layers = layers


def main() -> int | Callable[[], int]:
    """Run the attempt that the environment names; returns the exit code (see ``ends``).

    What cannot be told to the store is told on stderr. In the flow's own process it returns
    what runs the script, for a caller that has nothing of the supervisor on its stack.
    """
    adopt_orphans()
    twin = fork_twin()
    if isinstance(twin, Waiting):
        return twin.script()
    gc.enable()  # the loader put it off: all that is made while modules are loaded stays
    wake = Wake()
    try:
        return Attempt(os.environ, wake, twin).run()
    except StoreFailure as failure:
        return _fail(str(failure), EXIT_TRY_AGAIN if failure.is_passing else EXIT_ENVIRONMENT)
    except (Refused, OSError) as error:
        return _fail(str(error), EXIT_ENVIRONMENT)
    except Stopped:
        return _fail("The engine ended the attempt before it began.", 1)
    finally:
        if twin is not None:
            twin.leave()


class Attempt:
    """One attempt, from its manifest to its end. Raises what keeps its end from being told."""

    def __init__(self, environ: Mapping[str, str], wake: Wake, twin: Twin | None) -> None:
        """Reads the manifest; nothing is claimed yet."""
        self._environ = environ
        self._wake = wake
        self._twin = twin
        self._place = find_place(environ)
        self._store = Store(_needed(environ, "SWELL_STORE"), environ)
        self._submission = _needed(environ, "SWELL_SUBMISSION")
        key, _, wanted = _needed(environ, "SWELL_MANIFEST").partition("#")
        data = self._store.read(key)
        check_hash(key, hashlib.sha256(data).hexdigest(), wanted)
        self._manifest = Manifest(data)
        self._keys = Keys(self._manifest.root, self._submission, self._place)
        self._ending = Ending(self._place, facts_of(environ))
        self._memory = MemoryGroup()

    def run(self) -> int:
        """Do it all; returns the exit code."""
        folder = os.path.join(
            temporary_folder(self._environ), f"swell-{os.getpid()}-{os.urandom(6).hex()}"
        )
        os.mkdir(folder, 0o700)
        sender = Sender(self._store, self._keys)
        beats = NodeBeats(self._store, self._keys) if self._place.is_follower else None
        try:
            self._try_to_run(folder, sender)
            self._wake.quietly()
            code = self._tell_end(folder, sender)
            if beats is not None:
                beats.end()
            if self._place.is_main and code == 0:
                self._await_gang()
            return code
        finally:
            remove_tree(folder)

    def _try_to_run(self, folder: str, sender: Sender) -> None:
        ending = self._ending
        try:
            interpreter = check_interpreter(self._manifest)
            self._claim()
            prepared = self._prepare(interpreter, folder)
            self._wake.quietly()
            self._wake.check()
            self._watch(prepared, sender)
        except Claimed as other:
            ending.ended_by, ending.sentence = "claimed", str(other)
        except Stopped:
            ending.ended_by = "stop"
            ending.sentence = "The engine ended the attempt before the flow began."
        except StoreFailure as failure:
            if failure.is_passing:
                raise
            ending.ended_by, ending.sentence = "environment", str(failure)
        except (Refused, OSError) as error:
            ending.ended_by, ending.sentence = "environment", str(error)
        if ending.ended_by == "environment":
            sys.stderr.write(f"swell: {ending.sentence}\n")

    def _claim(self) -> None:
        job = self._place.job.encode()
        if not self._store.write(lambda: self._keys.claim, job):
            # Another try of the same job, or a claim whose answer was lost, goes on.
            owner = self._store.read(self._keys.claim)
            if owner != job:
                raise Claimed(f"The job {owner.decode('utf-8', 'replace')} does this work.")

    def _prepare(self, interpreter: str, folder: str) -> Prepared:
        store, manifest = self._store, self._manifest
        cache = cache_folder(self._environ)

        def take_code() -> str:
            # The flow may write beside its script: that folder is never shared.
            code = os.path.join(folder, "code")
            unpack(fetch(store, manifest.code, cache), code)
            return code

        def take_member() -> str:
            member, shared = read_member(
                lambda start, length: store.read(self._submission, start, length),
                self._place.index,
            )
            put_whole(os.path.join(folder, "member"), member)
            put_whole(os.path.join(folder, "shared"), shared)
            return folder

        put_whole(os.path.join(folder, "manifest.json"), manifest.data)
        layers = [_call(unpacked, store, layer, cache) for layer in manifest.layers]
        _, _, *found = together([take_member, take_code, *layers])
        return Prepared(interpreter, folder, found)

    def _watch(self, prepared: Prepared, sender: Sender) -> None:
        manifest, ending, folder = self._manifest, self._ending, prepared.folder
        notice = os.path.join(folder, "spot-notice")
        kills = self._memory.oom_kills()
        ending.started_at = time.time()
        environ = child_environment(self._environ, manifest, prepared, notice)
        child = self._start(prepared, environ)
        feed = LogFeed(manifest.max_log_bytes)
        watch = Watch(child, sender, feed, self._wake)
        spot = SpotWatch(self._environ, notice, ending.facts)
        lease = self._lease(watch.expire)
        began = encode_began(self._place, child.pid, ending.facts)
        watch.until_gone(manifest.timeout_s, manifest.log_segment_s, began)
        spot.stop()
        if lease is not None:
            lease.stop()
        ending.note_end(child.status, child.usage)
        ending.ended_by, ending.sentence = watch.ends.ended_by, watch.ends.sentence
        is_told = os.path.exists(os.path.join(folder, "result"))
        if ending.exit_code == 1 and ending.ended_by is None and not is_told:
            module = missing_module(watch.last_words.decode("utf-8", "replace"))
            if module is not None:
                ending.ended_by, ending.sentence = "environment", explain_missing(module)
        ending.memory_limit_mb = self._memory.limit_mb()
        kills_now = self._memory.oom_kills()
        if kills is not None and kills_now is not None:
            ending.oom_kills = kills_now - kills
        if spot.has_notice and is_taken_back(ending):
            ending.ended_by = "spot"
            ending.sentence = "The spot machine is taken back."
        ending.log_ends, ending.log_segments = feed.ends, watch.segments

    def _start(self, prepared: Prepared, environ: Mapping[str, str]) -> Child:
        manifest, twin = self._manifest, self._twin
        script, folder = [manifest.script, *manifest.arguments], prepared.folder + "/code"
        is_same = manifest.executable is None
        if twin and is_same and not needs_new_process(self._environ, manifest.environment):
            child = Child(twin.pid, twin.outs)
            twin.become(script, environ, folder)
            return child
        if twin is not None:
            twin.leave()
        return start_python([prepared.interpreter, "-u", *script], environ, folder)

    def _await_gang(self) -> None:
        """The engine ends all nodes with this one, so the others may end first."""
        wake, others = self._wake, OtherNodes(self._store, self._keys, self._place)
        expired = threading.Event()

        def expire(sentence: str) -> None:
            expired.set()
            wake.wake()

        lease = self._lease(expire)
        others.wait(lambda: wake.stopped_at is not None or expired.is_set(), wake.pause)
        if lease is not None:
            lease.stop()

    def _lease(self, expired: Callable[[str], None]) -> LeaseWatch | None:
        if self._manifest.lease_s is None:
            return None
        ends = with_its_array(expired, self._environ)
        return LeaseWatch(self._store, self._keys.leases, self._manifest.lease_s, ends)

    def _tell_end(self, folder: str, sender: Sender) -> int:
        ending = self._ending
        if ending.started_at is None:
            ending.ended_at = time.time()
        try:
            with open(os.path.join(folder, "result"), "rb") as file:
                result = file.read()
        except FileNotFoundError:
            result = b""
        sender.send("end", 0, ending.encode(result))
        limit_s = FLUSH_S
        if self._wake.stopped_at is not None:
            limit_s = max(1.0, self._wake.stopped_at + STOP_BUDGET_S - time.monotonic())
        sender.finish(limit_s)
        return exit_code_of(ending.exit_code, ending.ended_by, ending.signal is not None)


def is_taken_back(ending: Ending) -> bool:
    """Whether an end after a spot notice came from outside, and not from memory or a limit."""
    is_ended = ending.signal in (signal.SIGTERM, signal.SIGKILL) and not ending.oom_kills
    return ending.ended_by == "stop" or (ending.ended_by is None and is_ended)


def child_environment(
    environ: Mapping[str, str], manifest: Manifest, prepared: Prepared, notice: str
) -> dict[str, str]:
    """The environment of the flow's process: the container's, with what it needs to be told."""
    given = dict(environ)
    for name in ("SWELL_BOOTSTRAP", "SWELL_MANIFEST", "SWELL_SUBMISSION"):
        given.pop(name, None)
    given.update(manifest.environment)
    if manifest.threads is not None:
        given.update(thread_variables(manifest.threads, given))
    paths = [*prepared.layers, *filter(None, [given.get("PYTHONPATH")])]
    if paths:
        given["PYTHONPATH"] = os.pathsep.join(paths)
    given["SWELL_ATTEMPT"] = f"remote:{prepared.folder}"
    given["SWELL_SPOT_NOTICE"] = notice
    return given


def together(jobs: list[Callable[[], str]]) -> list[str]:
    """Do ``jobs`` at the same time; their results in order. Raises the first failure at once.

    Threads, since each waits for the store most of the time.
    """
    results: dict[int, str] = {}
    failures: list[BaseException] = []
    change = threading.Condition()

    def run(number: int, job: Callable[[], str]) -> None:
        try:
            result = job()
        except BaseException as failure:
            with change:
                failures.append(failure)
                change.notify()
        else:
            with change:
                results[number] = result
                change.notify()

    for number, job in enumerate(jobs):
        threading.Thread(target=run, args=(number, job), daemon=True).start()
    with change:
        while not failures and len(results) < len(jobs):
            change.wait()
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(jobs))]


def _call(work: Callable[..., str], *arguments: object) -> Callable[[], str]:
    return lambda: work(*arguments)


def _needed(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise Refused(f"{name} is not set: this program is started by a submission of swell.")
    return environ[name]


def _fail(sentence: str, code: int) -> int:
    sys.stderr.write(f"swell: {sentence}\n")
    return code
