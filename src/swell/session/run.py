"""Runs a settled flow from its first number to its last committed fact."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from swell.compute.channel import SetUp
from swell.compute.isolation import Isolation, choose_isolation
from swell.compute.keeper_link import KeeperLink
from swell.compute.local import LocalBackend
from swell.compute.memory_groups import open_memory_groups
from swell.compute.packing import Machine
from swell.compute.process_facts import inspect_process
from swell.errors import UsageError
from swell.model.ids import RunId
from swell.model.job import LOCAL_BACKEND
from swell.model.wire import encode
from swell.scheduler.loop import Inbox, OutOfTouch, RunLoop
from swell.scheduler.observe import Observer, RunBegan, Told
from swell.seams.backend import Backend
from swell.session.beginning import Beginning, Begun, give_up
from swell.session.flow import SettledFlow
from swell.session.history import sized, sized_as_before
from swell.session.keepers import fresh_argv, open_cold_keeper, open_keeper
from swell.session.place import find_place, make_place
from swell.session.room import (
    refuse_what_never_fits,
    room_for_flow,
    words_on_what_never_fits,
)
from swell.session.run_order import RunOrder, RunResult
from swell.session.run_stores import RunStores
from swell.session.signals import signals_into
from swell.session.sizing import with_reach
from swell.session.user import default_namespace
from swell.settings import Settings

if TYPE_CHECKING:
    from swell.session.leaving import LeaveQuestion
    from swell.session.remote import Remote


def run_flow(
    flow: SettledFlow, order: RunOrder, observer: Observer, settings: Settings
) -> RunResult:
    """Run ``flow``; when this returns or raises, no process of the run is left.

    Raises SwellError for what makes a run impossible; a run that fails is a result.
    """
    place = find_place(settings, flow.at_hand.script, os.getcwd())
    make_place(place)
    machine = room_for_flow(flow.plans, order)
    isolation = choose_isolation(order.isolation, inspect_process())  # type: ignore[arg-type]  # the command line checked it
    # First the keeper: it must be forked before any thread, database or terminal of ours.
    link = open_keeper(flow, isolation, settings)
    try:
        with RunStores(place, settings, observer) as stores:
            session = _Session(flow, order, observer, settings, stores, isolation, machine)
            return session.run(link)
    finally:
        link.control.close()


class _Session:
    """The state of one call of ``run_flow``."""

    def __init__(
        self,
        flow: SettledFlow,
        order: RunOrder,
        observer: Observer,
        settings: Settings,
        stores: RunStores,
        isolation: Isolation,
        machine: Machine,
    ) -> None:
        self._flow = flow
        self._order = order
        self._observer = observer
        self._settings = settings
        self._place = stores.place
        self._stores = stores
        self._isolation = isolation
        self._sizes = self._size_from_history()
        if order.strict_resources:
            refuse_what_never_fits(flow.plans, machine)
        self._machine = machine
        self._remote = self._open_remote()
        flow.settle_plans(
            with_reach(
                flow.plans,
                self._remote,
                machine.memory_mb,
                is_enforced_here=order.enforces_memory,
            )
        )

    def run(self, link: KeeperLink) -> RunResult:
        """Make the run or take it over, drive it, and leave nothing behind."""
        beginning = Beginning(
            self._flow,
            self._order,
            self._settings,
            self._stores,
            self._machine,
            lambda text: self._tell(text, is_warning=True),
        )
        number = self._order.attaches_to
        begun = beginning.make_run() if number is None else beginning.take_run(number)
        try:
            self._announce(begun)
            return self._drive(link, begun)
        except BaseException:
            if not begun.takes_over:
                give_up(self._stores, begun.run)
            raise

    def _size_from_history(self) -> tuple[str, ...]:
        """Give numbers to what says "auto"; how they were found, in words."""
        flow, metastore = self._flow, self._stores.metastore
        if not any(plan.resources.auto for plan in flow.plans.values()):
            return ()
        number = (self._order.attaches_to or "").removeprefix(f"{flow.name}/")
        if number.isdecimal():
            run = RunId(flow.name, int(number))
            flow.settle_plans(sized_as_before(flow.plans, metastore, run))
            return ()
        namespace = self._order.namespace
        if namespace is None:
            namespace = default_namespace(self._settings)
        found = sized(flow.plans, flow.name, metastore, namespace or None)
        flow.settle_plans(found.plans)
        return found.words

    def _open_remote(self) -> Remote | None:
        """AWS Batch, where a step runs there. Raises SwellError for what could never run."""
        if all(plan.backend == LOCAL_BACKEND for plan in self._flow.plans.values()):
            if self._order.leaves:
                raise UsageError(
                    "Nothing of this flow runs elsewhere, so nothing would be left to go on.",
                    remedy="Give --with batch besides --detach, or put @batch above a step.",
                )
            return None
        from swell.session.remote import Remote, RemoteOrder

        order = self._order
        away = RemoteOrder(
            order.package_suffixes, order.environment, order.max_workers, order.max_log_mb
        )
        remote = Remote(self._flow, away, self._settings, self._tell)
        remote.check()
        return remote

    def _announce(self, begun: Begun) -> None:
        fact = begun.run
        steps = self._flow.graph.order or tuple(self._flow.graph.nodes)
        self._observer.notice(RunBegan(fact.id, fact.created_at, steps, begun.origin))
        if begun.takes_over:
            self._tell(f"Run {fact.id.number} goes on here.")
        if self._isolation.kind == "fresh" and self._order.isolation == "auto":
            self._tell(f"Tasks start in fresh interpreters: {self._isolation.why}.")
        for text in self._sizes:
            self._tell(text)
        if self._isolation.risk:
            self._tell(f"Forking may go wrong: {self._isolation.risk}.", is_warning=True)
        if self._order.enforces_memory:
            self._tell_how_memory_is_held()
        for plan in self._flow.plans.values():
            for warning in plan.warnings:
                self._tell(warning, is_warning=True)
        for text in words_on_what_never_fits(self._flow.plans, self._machine):
            self._tell(text, is_warning=True)

    def _tell_how_memory_is_held(self) -> None:
        groups = open_memory_groups()
        if groups is not None:
            groups.close()
            return
        self._tell(
            "No control group can be made here, so memory is enforced for each process of a task "
            "by itself, and what it asks for counts, used or not. Where systemd is, "
            "'systemd-run --user --scope -p Delegate=yes python …' gives a group to make them in.",
            is_warning=True,
        )

    def _tell(self, text: str, *, is_warning: bool = False) -> None:
        self._observer.notice(Told(time.time(), text, is_warning))

    # --- the run itself ----------------------------------------------------------

    def _drive(self, link: KeeperLink, begun: Begun) -> RunResult:
        # Late: what only the driver needs must not make the keeper's pages more.
        from swell.compute.watching import MachineWatch
        from swell.datastore.log_writer import LogWriter
        from swell.scheduler.book import RecordBook
        from swell.scheduler.launching import Launching
        from swell.scheduler.writer import FactWriter
        from swell.session.taking_over import skipping_what_is_stored
        from swell.session.task_outputs import TaskOutputs

        metastore = self._stores.metastore
        fact, context = begun.run, begun.context
        folder = self._place.log_folder(self._flow.name, fact.id.number)
        logs = LogWriter(folder, max_bytes=int(self._order.max_log_mb * 1_000_000))
        inbox = Inbox()
        output = TaskOutputs(logs, self._observer, inbox)
        backend = LocalBackend(
            link,
            SetUp(encode(context), fresh_argv(self._flow.at_hand.script)),
            output.take,
            fresh=self._isolation.kind == "fresh",
            open_cold_keeper=open_cold_keeper,
            enforces_memory=self._order.enforces_memory,
            look=MachineWatch(inbox.put).look,
        )
        backends: dict[str, Backend] = {LOCAL_BACKEND: backend}
        if self._remote is not None:
            sink = skipping_what_is_stored(output.take, folder) if begun.takes_over else output.take
            away = self._remote.backend(
                fact.id,
                metastore.store_id,
                context,
                self._stores.data,
                sink,
                lambda why: inbox.put(OutOfTouch(time.time(), why)),
            )
            away.adopt(begun.intents)
            backends[self._remote.name] = away
        writer = FactWriter(fact.id, metastore, self._sync_blobs, inbox.put)
        launching = Launching(
            fact.id,
            self._flow.graph,
            self._flow.plans,
            RecordBook(lambda tasks: metastore.encoded_records(fact.id, tasks)),
            _packer(self._place.scratch(self._flow.name, fact.id.number)),
            begun.read_origin,
            self._stores.data.item_text,
            takes_over=begun.takes_over,
        )
        loop = RunLoop(
            fact.id,
            self._flow.graph,
            begun.state,
            backends,
            launching,
            writer,
            inbox,
            self._observer,
            output,
            leaves=self._order.leaves,
        )
        ended_by = self._stores.ended_by
        question = self._question(inbox, loop)
        with signals_into(inbox, ended_by, question):
            writer.start()
            for one in backends.values():
                one.start(inbox.put_updates)
            try:
                end = loop.drive()
            finally:
                if question is not None:
                    question.close()
                for one in backends.values():
                    one.close()
                logs.close()
                _remove_folder(self._place.scratch(self._flow.name, fact.id.number))
        return RunResult(fact, end, ended_by.signal)

    def _question(self, inbox: Inbox, loop: RunLoop) -> LeaveQuestion | None:
        """Asked after Ctrl-C, where there is somebody to answer and something to leave."""
        if self._remote is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return None
        from swell.session.leaving import LeaveQuestion

        question = LeaveQuestion(inbox, loop.can_be_left, self._tell)
        question.open()
        return question

    def _sync_blobs(self, keys: Collection[str]) -> None:
        self._stores.data.artifacts("").sync_keys(keys)


def _packer(folder: str) -> Callable[[str, Sequence[bytes]], str]:
    def pack(name: str, records: Sequence[bytes]) -> str:
        from swell.datastore.packs import write_pack

        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name)
        write_pack(path, records)
        return path

    return pack


def _remove_folder(path: str) -> None:
    if os.path.isdir(path):
        import shutil

        shutil.rmtree(path, ignore_errors=True)
