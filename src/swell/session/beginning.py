"""What a run begins with: its number, its parameters, and what it takes from other runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from swell.client.whereabouts import DATASTORE
from swell.compute.packing import Machine
from swell.errors import CommandException, SwellError
from swell.model.facts import (
    ASKED_FACT,
    PACKAGES_FACT,
    QUEUES_FACT,
    SCRIPT_ARTIFACT,
    WITHS_FACT,
    AttemptEnded,
    AttemptStarted,
    NewRun,
    RunEnded,
    RunFact,
    RunStatus,
    TaskCreated,
)
from swell.model.ids import PARAMETERS_STEP, JobId
from swell.model.job import Intent, RunContext
from swell.model.record import ArtifactRef, Outcome, Record
from swell.model.redaction import credentials_in, previews_without
from swell.model.resources import Resources
from swell.model.wire import encode
from swell.scheduler.events import OriginTask, TaskKey
from swell.scheduler.known import NOTHING_KNOWN, Known
from swell.scheduler.launching import OriginReader
from swell.scheduler.state import Limits, RunState
from swell.session.code_facts import package_versions, script_text
from swell.session.flow import SettledFlow
from swell.session.git import git_info
from swell.session.origin import (
    PARAMETERS_TASK,
    Origin,
    adoptable,
    check_reachable,
    find_origin,
    origin_reader,
)
from swell.session.run_order import BATCH_BACKEND, RunOrder
from swell.session.run_stores import RunStores
from swell.session.user import default_namespace, user_name
from swell.settings import Settings
from swell.version import VERSION


class Begun(msgspec.Struct, frozen=True):
    """A run that can be driven. ``takes_over`` is set where another driver began it;
    ``intents`` are its submissions that may still run."""

    run: RunFact
    context: RunContext
    state: RunState
    read_origin: OriginReader | None = None
    origin: int | None = None
    takes_over: bool = False
    intents: tuple[Intent, ...] = ()


class Beginning:
    """Makes one run, or takes one over; ``say`` tells the user a warning. ``machine`` is what
    its tasks here share."""

    def __init__(
        self,
        flow: SettledFlow,
        order: RunOrder,
        settings: Settings,
        stores: RunStores,
        machine: Machine,
        say: Callable[[str], None],
    ) -> None:
        self._flow = flow
        self._order = order
        self._settings = settings
        self._place = stores.place
        self._stores = stores
        self._machine = machine
        self._say = say
        self._user = user_name(settings)
        self._project = flow.project(order.branch, order.production)

    def make_run(self) -> Begun:
        """A new run, which may resume another. Raises SwellError."""
        metastore = self._stores.metastore
        origin = self._origin()
        adopted = (
            adoptable(metastore, origin, self._flow.graph, self._order.from_step)
            if origin is not None
            else {}
        )
        if origin is not None and self._has_jobs_elsewhere(origin.run):
            same = str(origin.run.id.number)
            self._say(f"Run {same} has jobs elsewhere that may still run: it goes on itself.")
            return self.take_run(same)
        if origin is not None and self._place.metadata is not None:
            check_reachable(metastore, origin, adopted.values(), self._stores.data.home)
        parameters = self._parameters(origin)
        fact = self._create_run(origin)
        try:
            parameters = self._kept(parameters, origin)
            context = self._context(fact, origin, parameters)
            self._commit_parameters(fact, parameters, origin)
            self._leave_files(fact)
            state = self._state(adopted)
        except BaseException:
            give_up(self._stores, fact)
            raise
        read = origin_reader(metastore, origin) if origin is not None else None
        number = origin.run.id.number if origin is not None else None
        return Begun(fact, context, state, read, number)

    def _has_jobs_elsewhere(self, run: RunFact) -> bool:
        """Whether attempts of ``run``, which nobody drives, may run on other machines.

        Raises CommandException where this command has no way to watch them.
        """
        from swell.session.taking_over import find_what_is_known, is_without_driver

        if not is_without_driver(run):
            return False
        metastore = self._stores.metastore
        _, intents = find_what_is_known(
            metastore, run, self._flow.graph, self._flow.plans, self._stores.data
        )
        if not intents:
            return False
        if all(plan.backend != BATCH_BACKEND for plan in self._flow.plans.values()):
            count = sum(len(intent.jobs) for intent in intents)
            raise CommandException(
                f"{count} jobs of run {run.id.number} may still run on AWS Batch.",
                remedy="Add --with batch to go on with them, or end them first: "
                f"batch kill --run-id {run.id.number}.",
            )
        return True

    def take_run(self, number: str) -> Begun:
        """A run that its driver left or that lost its driver. Raises SwellError."""
        from swell.session.taking_over import find_run_to_take, find_what_is_known, take

        metastore = self._stores.metastore
        fact = find_run_to_take(metastore, self._flow, number)
        origin = find_origin(metastore, self._flow.name, number)
        known, intents = find_what_is_known(
            metastore, fact, self._flow.graph, self._flow.plans, self._stores.data
        )
        context = self._context(fact, None, dict(origin.parameters))
        state = self._state(known=known)
        take(metastore, fact)
        self._leave_files(fact)
        read = origin_reader(metastore, origin)
        return Begun(fact, context, state, read, takes_over=True, intents=intents)

    def _state(
        self, adopted: Mapping[TaskKey, OriginTask] | None = None, known: Known = NOTHING_KNOWN
    ) -> RunState:
        order, flow = self._order, self._flow
        limits = Limits(order.max_workers, order.max_num_splits, order.keep_going)
        return RunState(flow.graph, flow.plans, limits, adopted or {}, known, self._machine)

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
        saved = previews_without(artifacts.save(values), credentials_in(os.environ))
        refs = {**saved, **given}
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
            self._say(
                f"Constants changed since run {origin.run.id.number}: {names}. "
                "Steps that run again use and store the code's values.",
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
            canary=self._order.canary,
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
        if self._flow.withs:
            metadata[WITHS_FACT] = (
                WITHS_FACT,
                msgspec.json.encode(self._flow.shown_withs).decode(),
            )
        asked = {
            step: plan.resources
            for step, plan in self._flow.plans.items()
            if plan.resources != Resources()
        }
        if asked:
            metadata[ASKED_FACT] = (ASKED_FACT, msgspec.json.encode(asked).decode())
        queues = _queues(self._flow, self._settings)
        if queues:
            metadata[QUEUES_FACT] = (QUEUES_FACT, " ".join(queues))
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


def give_up(stores: RunStores, run: RunFact) -> None:
    """The run has its number but cannot go on: it must not look as if it did."""
    try:
        stores.metastore.commit([RunEnded(run.id, time.time(), RunStatus.FAILED)])
    except SwellError:
        pass  # what led here is told; the store has nothing to add


def _write_file(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise SwellError(
            f"{path} cannot be written: {error.strerror}.", remedy="Name a file that can be."
        ) from error


def _queues(flow: SettledFlow, settings: Settings) -> list[str]:
    """Where its jobs go: for those who look for them when the script names others."""
    away = [plan.batch for plan in flow.plans.values() if plan.backend == BATCH_BACKEND]
    named = [(options.queue if options else None) or settings.batch_queue for options in away]
    return [name for name in dict.fromkeys(named) if name]
