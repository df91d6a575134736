"""Runs a settled flow from its first number to its last committed fact."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from swell.client.whereabouts import DATASTORE
from swell.compute.channel import SetUp
from swell.compute.isolation import Isolation, choose_isolation
from swell.compute.local import KeeperLink, LocalBackend
from swell.compute.machine import machine_resources
from swell.compute.process_facts import inspect_process
from swell.decorators.resources import too_large_for
from swell.errors import SwellError
from swell.model.facts import (
    PACKAGES_FACT,
    SCRIPT_ARTIFACT,
    AttemptEnded,
    AttemptStarted,
    NewRun,
    RunEnded,
    RunFact,
    RunStatus,
    TaskCreated,
)
from swell.model.ids import PARAMETERS_STEP, JobId
from swell.model.job import RunContext
from swell.model.record import ArtifactRef, Outcome, Record
from swell.model.wire import encode
from swell.scheduler.loop import Inbox, RunEnd, RunLoop
from swell.scheduler.observe import Observer, RunBegan, Told
from swell.scheduler.state import Limits, RunState
from swell.seams.backend import Backend
from swell.session.code_facts import package_versions, script_text
from swell.session.flow import SettledFlow
from swell.session.git import git_info
from swell.session.keepers import fresh_argv, open_cold_keeper, open_keeper
from swell.session.origin import (
    PARAMETERS_TASK,
    Origin,
    adoptable,
    check_reachable,
    find_origin,
    origin_reader,
)
from swell.session.place import find_place, make_place
from swell.session.run_stores import RunStores
from swell.session.signals import signals_into
from swell.session.user import default_namespace, user_name
from swell.settings import Settings
from swell.version import VERSION

if TYPE_CHECKING:
    from swell.session.remote import Remote

LOCAL_BACKEND = "local"
"""The backend of steps that run on this machine."""


class RunOrder(msgspec.Struct, frozen=True):
    """What the command line asks of a run.

    ``parameters`` are values by attribute name; ignored where ``resumes`` is set.
    ``max_log_mb`` holds per stream and attempt. ``namespace`` is for client calls in
    tasks: None is the user's own, "" is all.
    """

    parameters: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    max_workers: int = 16
    max_num_splits: int = 100
    max_log_mb: float = 10.0
    keep_going: bool = False
    isolation: str = "auto"
    namespace: str | None = None
    run_id_file: str | None = None
    attributes_file: str | None = None
    resumes: bool = False
    origin_run: str | None = None
    from_step: str | None = None
    branch: str | None = None
    production: bool | None = None
    package_suffixes: str = ".py"
    environment: str = "local"


class RunResult(msgspec.Struct, frozen=True):
    """How it went; ``signal`` is the one that ended the driver, if any."""

    run: RunFact
    end: RunEnd
    signal: int | None = None


def run_flow(
    flow: SettledFlow, order: RunOrder, observer: Observer, settings: Settings
) -> RunResult:
    """Run ``flow``; when this returns or raises, no process of the run is left.

    Raises SwellError for what makes a run impossible; a run that fails is a result.
    """
    place = find_place(settings, flow.at_hand.script, os.getcwd())
    make_place(place)
    isolation = choose_isolation(order.isolation, inspect_process())  # type: ignore[arg-type]  # the command line checked it
    # First the keeper: it must be forked before any thread, database or terminal of ours.
    link = open_keeper(flow, isolation, settings)
    try:
        with RunStores(place, settings, observer) as stores:
            return _Session(flow, order, observer, settings, stores, isolation).run(link)
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
    ) -> None:
        self._flow = flow
        self._order = order
        self._observer = observer
        self._settings = settings
        self._place = stores.place
        self._stores = stores
        self._isolation = isolation
        self._user = user_name(settings)
        self._project = flow.project(order.branch, order.production)
        self._remote = self._open_remote()

    def run(self, link: KeeperLink) -> RunResult:
        """Make the run, drive it, and leave nothing behind."""
        origin = self._origin()
        adopted = (
            adoptable(self._stores.metastore, origin, self._flow.graph, self._order.from_step)
            if origin is not None
            else {}
        )
        if origin is not None and self._place.metadata is not None:
            check_reachable(
                self._stores.metastore, origin, adopted.values(), self._stores.data.home
            )
        parameters = self._parameters(origin)
        fact = self._create_run(origin)
        try:
            parameters = self._kept(parameters, origin)
            context = self._context(fact, origin, parameters)
            self._commit_parameters(fact, parameters, origin)
            self._leave_files(fact)
            self._announce(fact, origin)
            order = self._order
            limits = Limits(order.max_workers, order.max_num_splits, order.keep_going)
            state = RunState(self._flow.graph, self._flow.plans, limits, adopted)
            return self._drive(link, fact, context, state, origin)
        except BaseException:
            self._give_up(fact)
            raise

    def _give_up(self, fact: RunFact) -> None:
        """The run has its number but cannot go on: it must not look as if it did."""
        try:
            ended = RunEnded(fact.id, time.time(), RunStatus.FAILED)
            self._stores.metastore.commit([ended])
        except SwellError:
            pass  # what led here is told; the store has nothing to add

    def _open_remote(self) -> Remote | None:
        """AWS Batch, where a step runs there. Raises SwellError for what could never run."""
        if all(plan.backend == LOCAL_BACKEND for plan in self._flow.plans.values()):
            return None
        from swell.session.remote import Remote, RemoteOrder

        order = self._order
        away = RemoteOrder(
            order.package_suffixes, order.environment, order.max_workers, order.max_log_mb
        )
        remote = Remote(self._flow, away, self._settings, self._tell)
        remote.check()
        return remote

    # --- before the first task -------------------------------------------------

    def _origin(self) -> Origin | None:
        if not self._order.resumes:
            return None
        return find_origin(self._stores.metastore, self._flow.name, self._order.origin_run)

    def _parameters(self, origin: Origin | None) -> dict[str, ArtifactRef]:
        """Parameters, configs and constants by attribute; constants are the code's."""
        artifacts = self._stores.data.artifacts(self._flow.at_hand.script or "")
        values: dict[str, Any] = {"name": self._flow.name, **self._flow.constants}
        given: dict[str, ArtifactRef] = {}
        if origin is None:
            values.update(self._flow.config_artifacts())
            values.update(self._order.parameters)
        else:
            read_only = self._flow.read_only()
            given = {
                name: ref
                for name, ref in origin.parameters.items()
                if read_only.get(name) in ("parameter", "config")
            }
            values.update(self._new_since(origin))
        refs = {**artifacts.save(values), **given}
        if origin is not None:
            self._warn_of_constants(origin, refs)
        return refs

    def _kept(
        self, parameters: dict[str, ArtifactRef], origin: Origin | None
    ) -> dict[str, ArtifactRef]:
        """The parameters, durable, now that the run is known to go on."""
        artifacts = self._stores.data.artifacts("")
        if not artifacts.refresh(parameters.values()):
            # A cleaner took them before it could know.
            parameters = self._parameters(origin)
        artifacts.sync(parameters.values())
        return parameters

    def _new_since(self, origin: Origin) -> dict[str, Any]:
        """Parameters and configs that the code has now and the origin had not: the defaults."""
        from swell.authoring.parameter_values import resolve_values

        at_hand = self._flow.at_hand
        known = origin.parameters
        parameters = {n: p for n, p in at_hand.parameters().items() if n not in known}
        configs = {n: v for n, v in self._flow.config_artifacts().items() if n not in known}
        return {**configs, **resolve_values(parameters, {}, at_hand.context())}

    def _warn_of_constants(self, origin: Origin, refs: Mapping[str, ArtifactRef]) -> None:
        changed = [
            name
            for name in self._flow.constants
            if name in origin.parameters
            and (origin.parameters[name].inline, origin.parameters[name].key)
            != (refs[name].inline, refs[name].key)
        ]
        if changed:
            names = ", ".join(f"'{name}'" for name in changed)
            self._tell(
                f"Constants changed since run {origin.run.id.number}: {names}. "
                "Steps that run again use and store the code's values.",
                is_warning=True,
            )

    def _create_run(self, origin: Origin | None) -> RunFact:
        version = sys.version_info
        owner = default_namespace(self._settings)
        return self._stores.metastore.create_run(
            NewRun(
                flow=self._flow.name,
                user=self._user,
                created_at=time.time(),
                script=self._flow.at_hand.script or "",
                system_tags=(
                    owner,
                    "runtime:dev",
                    f"swell_version:{VERSION}",
                    f"python_version:{version.major}.{version.minor}.{version.micro}",
                    *(self._project.tags if self._project is not None else ()),
                ),
                user_tags=self._order.tags,
                origin_run=origin.run.id.number if origin is not None else None,
                host=os.uname().nodename,
                pid=os.getpid(),
                graph=encode(self._flow.graph),
            )
        )

    def _context(
        self, fact: RunFact, origin: Origin | None, parameters: dict[str, ArtifactRef]
    ) -> RunContext:
        namespace = self._order.namespace
        return RunContext(
            flow=self._flow.name,
            run=str(fact.id.number),
            user=self._user,
            namespace=default_namespace(self._settings) if namespace is None else namespace or None,
            tags=tuple(sorted(fact.user_tags | fact.system_tags)),
            origin_run=str(origin.run.id.number) if origin is not None else None,
            datastore=self._stores.data.url or self._place.blobs,
            home=self._place.blobs,
            metadata=self._stores.metastore.address,
            parameters=encode(Record(parameters)),
            script=self._flow.at_hand.script or "",
            max_num_splits=self._order.max_num_splits,
            project=self._project.facts if self._project is not None else {},
            withs=self._flow.withs,
            configs=self._flow.encoded_configs(),
        )

    def _commit_parameters(
        self, fact: RunFact, parameters: dict[str, ArtifactRef], origin: Origin | None
    ) -> None:
        now = time.time()
        job = JobId(PARAMETERS_TASK, 0)
        origin_task = f"{PARAMETERS_STEP}/{PARAMETERS_TASK}" if origin is not None else None
        created = TaskCreated(fact.id, PARAMETERS_STEP, job.task, now, origin_task=origin_task)
        outcome = Outcome(ok=True, started_at=now, ended_at=now)
        graph = self._flow.graph
        metadata = {
            "start_step": ("graph_structure", graph.start),
            "end_step": ("graph_structure", graph.end),
            DATASTORE: (DATASTORE, self._stores.data.url or self._place.blobs),
        }
        refs = {**parameters, **self._code(metadata)}
        info = git_info(os.path.dirname(self._flow.at_hand.script or "") or os.getcwd())
        if info is not None:
            metadata["git-info"] = ("git-info", info)
        self._stores.metastore.commit(
            [
                created,
                AttemptStarted(fact.id, job, now),
                AttemptEnded(fact.id, job, now, outcome, encode(Record(refs)), metadata=metadata),
            ]
        )

    def _code(self, metadata: dict[str, tuple[str, str]]) -> dict[str, ArtifactRef]:
        """Keep the script's text, for who compares runs; tasks are not given it."""
        script = self._flow.at_hand.script
        text = script_text(script)
        versions = package_versions(text or "", sys.modules, sys.path)
        metadata[PACKAGES_FACT] = (PACKAGES_FACT, msgspec.json.encode(versions).decode())
        if text is None:
            return {}
        artifacts = self._stores.data.artifacts(script or "")
        refs = artifacts.save({SCRIPT_ARTIFACT: text})
        artifacts.sync(refs.values())
        return refs

    def _leave_files(self, fact: RunFact) -> None:
        if self._order.run_id_file:
            _write_file(self._order.run_id_file, str(fact.id.number))
        if self._order.attributes_file:
            facts = {
                "run_id": str(fact.id.number),
                "flow_name": self._flow.name,
                "metadata": self._stores.metastore.address,
            }
            _write_file(self._order.attributes_file, msgspec.json.encode(facts).decode())

    def _announce(self, fact: RunFact, origin: Origin | None) -> None:
        self._observer.notice(
            RunBegan(
                fact.id,
                fact.created_at,
                self._flow.graph.order or tuple(self._flow.graph.nodes),
                origin.run.id.number if origin is not None else None,
            )
        )
        if self._isolation.kind == "fresh" and self._order.isolation == "auto":
            self._tell(f"Tasks start in fresh interpreters: {self._isolation.why}.")
        if self._isolation.risk:
            self._tell(f"Forking may go wrong: {self._isolation.risk}.", is_warning=True)
        machine = machine_resources()
        for plan in self._flow.plans.values():
            for warning in plan.warnings:
                self._tell(warning, is_warning=True)
            if plan.backend != LOCAL_BACKEND:
                continue
            excess = too_large_for(plan.resources, machine)
            if excess is not None:
                self._tell(
                    f"Step '{plan.step}' asks for {excess}. It runs here all the same; "
                    "if it fails, it needs a larger machine.",
                    is_warning=True,
                )

    def _tell(self, text: str, *, is_warning: bool = False) -> None:
        self._observer.notice(Told(time.time(), text, is_warning))

    # --- the run itself ----------------------------------------------------------

    def _drive(
        self,
        link: KeeperLink,
        fact: RunFact,
        context: RunContext,
        state: RunState,
        origin: Origin | None,
    ) -> RunResult:
        # Late: what only the driver needs must not make the keeper's pages more.
        from swell.datastore.log_writer import LogWriter
        from swell.scheduler.book import RecordBook
        from swell.scheduler.launching import Launching
        from swell.scheduler.writer import FactWriter
        from swell.session.task_outputs import TaskOutputs

        metastore = self._stores.metastore
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
        )
        backends: dict[str, Backend] = {LOCAL_BACKEND: backend}
        if self._remote is not None:
            backends[self._remote.name] = self._remote.backend(
                fact.id, metastore.store_id, context, self._stores.data, output.take
            )
        writer = FactWriter(fact.id, metastore, self._sync_blobs, inbox.put)
        launching = Launching(
            fact.id,
            self._flow.graph,
            self._flow.plans,
            RecordBook(lambda tasks: metastore.encoded_records(fact.id, tasks)),
            _packer(self._place.scratch(self._flow.name, fact.id.number)),
            origin_reader(metastore, origin) if origin is not None else None,
            self._stores.data.item_text,
        )
        loop = RunLoop(
            fact.id,
            self._flow.graph,
            state,
            backends,
            launching,
            writer,
            inbox,
            self._observer,
            output,
        )
        ended_by = self._stores.ended_by
        with signals_into(inbox, ended_by):
            writer.start()
            for one in backends.values():
                one.start(inbox.put_updates)
            try:
                end = loop.drive()
            finally:
                for one in backends.values():
                    one.close()
                logs.close()
                _remove_folder(self._place.scratch(self._flow.name, fact.id.number))
        return RunResult(fact, end, ended_by.signal)

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


def _write_file(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise SwellError(
            f"{path} cannot be written: {error.strerror}.", remedy="Name a file that can be."
        ) from error
