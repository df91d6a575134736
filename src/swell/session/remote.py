"""Joins a run with AWS Batch: what its attempts need, where it is put, who submits them."""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from swell.bootstrap.loading import bootstrap_zip, loader_program
from swell.compute.batch.api import BatchApi
from swell.compute.batch.defaults import access_from, defaults_from
from swell.compute.batch.listing import FLOW_TAG, RUN_TAG, STEP_TAG, USER_TAG
from swell.compute.batch.queue import BatchQueue
from swell.compute.batch.sizes import with_defaults
from swell.compute.output import OutputSink
from swell.compute.remote.backend import RemoteBackend, RemoteSettings
from swell.compute.remote.submitting import Prepared
from swell.datastore.bring import Bringer, keys_of_launches
from swell.datastore.object_access import access_from as store_access_from
from swell.errors import SwellError, UsageError
from swell.model.ids import JobId, RunId
from swell.model.job import Inputs, Launch, RunContext, StepPlan
from swell.model.remote import Manifest, Package, RunKeys, encode_manifest
from swell.model.resources import Resources
from swell.model.submission_name import submission_name
from swell.model.wire import encode
from swell.package.code import CodePackage
from swell.package.upload import Stored, Uploads
from swell.session.datastores import Datastores
from swell.session.flow import SettledFlow
from swell.session.packages import code_package, layers_for
from swell.session.run_order import BATCH_BACKEND
from swell.settings import Settings

Say = Callable[[str], None]

START_AND_SAVE_S = 60.0
"""@timeout is for the step's code, which it interrupts itself. The process of an attempt is ended
when it takes so much longer: it also imports what the script does, and sends its artifacts."""


class RemoteOrder(msgspec.Struct, frozen=True):
    """What the command line asks of attempts elsewhere."""

    package_suffixes: str = ".py"
    environment: str = "local"
    max_workers: int = 16
    max_log_mb: float = 10.0


def _no_object_store(step: str) -> UsageError:
    return UsageError(
        f"Step '{step}' runs on AWS Batch, whose tasks need an object store, and "
        "artifacts go to the store folder of this machine.",
        remedy="Set SWELL_DATASTORE, or --datastore, to s3://bucket/prefix. To rehearse without "
        "an account: swell sandbox up, then --profile sandbox.",
    )


class Zips(NamedTuple):
    """What travels, in the store; ``script`` is the path of the script in the code."""

    bootstrap: Stored
    code: Stored
    layers: list[Stored]
    script: str


class Remote:
    """AWS Batch for one run. ``check`` before the run has its number, then ``backend``.

    Raises UsageError where artifacts are not in an object store, or a setting cannot be.
    """

    name = BATCH_BACKEND

    def __init__(self, flow: SettledFlow, order: RemoteOrder, settings: Settings, say: Say) -> None:
        self._flow = flow
        self._order = order
        self._settings = settings
        self._say = say
        self._layers: dict[tuple[object, ...], list[Stored]] = {}
        self._plans = [plan for plan in flow.plans.values() if plan.backend == self.name]
        if settings.datastore in (None, "", "local"):
            raise _no_object_store(self._plans[0].step)
        self._api = BatchApi(access_from(settings), say=say)
        self.jobs = BatchQueue(self._api, defaults_from(settings), loader_program())

    def check(self) -> None:
        """Refuse what could never run. Raises ComputeError."""
        for warning in self.jobs.check(self._plans):
            self._say(warning)

    def asked_there(self, plan: StepPlan) -> Resources:
        """What a job of ``plan`` asks for, also of memory where nothing is said."""
        memory_mb = with_defaults(plan.resources).memory_mb
        return msgspec.structs.replace(plan.resources, memory_mb=memory_mb)

    def most_memory_mb(self, plan: StepPlan) -> int | None:
        """What a job of ``plan`` could have at most; None where that is not known."""
        return self.jobs.most_memory_mb(plan)

    def backend(
        self,
        run: RunId,
        store_id: str,
        context: RunContext,
        data: Datastores,
        sink: OutputSink,
        leave: Callable[[SwellError], None],
    ) -> RemoteBackend:
        """What submits attempts of ``run`` and hears of them, or says to ``leave`` why not."""
        # Now, not when the first step goes out: what the run began with is what it runs.
        code = code_package(self._flow.at_hand, self._order.package_suffixes)
        preparation = _Preparation(self, run, store_id, context, data, code)
        return RemoteBackend(
            self.jobs,
            data.own,
            preparation.keys,
            preparation,
            self._flow.plans,
            sink,
            self._say,
            RemoteSettings(
                max_workers=self._order.max_workers,
                poll_s=_seconds(self._settings.remote_poll_s, "SWELL_REMOTE_POLL_S"),
                lease_s=_seconds(self._settings.lease_s, "SWELL_LEASE_S"),
                # Attempts give up on a driver then: so does it on them.
                patience_s=_seconds(self._settings.lease_s, "SWELL_LEASE_S"),
            ),
            leave=leave,
        )

    # --- for the preparation ---------------------------------------------------

    def layers(self, plan: StepPlan, uploads: Uploads) -> list[Stored]:
        """Where the packages of a step are in the store; steps that want the same share them."""
        machine = self.jobs.machine_for(plan)
        wanted = (plan.packages, plan.python, machine)
        if wanted not in self._layers:
            made = layers_for(
                self._flow.at_hand, self._order.environment, plan, machine=machine, say=self._say
            )
            self._layers[wanted] = [uploads.layer(layer) for layer in made]
        return self._layers[wanted]

    def manifest(self, plan: StepPlan, keys: RunKeys, context: RunContext, zips: Zips) -> Manifest:
        """The manifest of a step."""
        settings = self._settings
        return Manifest(
            flow=context.flow,
            run=context.run,
            step=plan.step,
            store=context.datastore,
            root=keys.root,
            bootstrap=Package(*zips.bootstrap),
            code=Package(*zips.code),
            layers=tuple(Package(*layer) for layer in zips.layers),
            script=zips.script,
            python=plan.python or _own_python(),
            machine=self.jobs.machine_for(plan),
            context=base64.b64encode(encode(context)).decode(),
            arguments=(),
            executable=plan.batch.executable if plan.batch is not None else None,
            environment=settings_that_travel(settings, context),
            timeout_s=None if plan.timeout_s is None else plan.timeout_s + START_AND_SAVE_S,
            lease_s=_seconds(settings.lease_s, "SWELL_LEASE_S"),
            log_segment_s=min(3.0, 3 * _seconds(settings.remote_poll_s, "SWELL_REMOTE_POLL_S")),
            max_log_bytes=int(self._order.max_log_mb * 1_000_000),
            threads=_threads_in_container(plan),
        )

    def engine_environment(self) -> dict[str, str]:
        """How attempts reach AWS Batch itself, to end what is left of a run without a driver."""
        given = {
            "SWELL_AWS_REGION": self._api.region,
            "SWELL_BATCH_ENDPOINT_URL": self._settings.batch_endpoint_url,
        }
        return {name: value for name, value in given.items() if value}

    @property
    def say(self) -> Say:
        """Tells the user a sentence."""
        return self._say

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings


class _Preparation:
    """Fills ``compute.remote.submitting.Preparation``; used in the backend's thread alone."""

    def __init__(
        self,
        remote: Remote,
        run: RunId,
        store_id: str,
        context: RunContext,
        data: Datastores,
        code: CodePackage,
    ) -> None:
        self.keys = RunKeys(f"runs/{run.flow}/{run.number}")
        self._remote = remote
        self._run = run
        self._store_id = store_id
        self._context = msgspec.structs.replace(context, home=context.datastore)
        self._storage = data.own
        self._bringer = Bringer(data.home, data.own, remote.say)
        self._code = code
        self._uploads = Uploads(data.own, remote.say)
        self._bootstrap: Stored | None = None

    def step(self, plan: StepPlan) -> Prepared:
        """See Preparation."""
        layers = self._remote.layers(plan, self._uploads)
        bootstrap = self._supervisor()
        zips = Zips(bootstrap, self._uploads.code(self._code), layers, self._code.script)
        encoded = encode_manifest(self._remote.manifest(plan, self.keys, self._context, zips))
        sha256 = hashlib.sha256(encoded).hexdigest()
        key = self.keys.manifest(sha256)
        self._storage.write(key, [encoded])
        environment = {
            "SWELL_STORE": self._context.datastore,
            "SWELL_BOOTSTRAP": f"{bootstrap.key}#{bootstrap.sha256}",
            "SWELL_MANIFEST": f"{key}#{sha256}",
            **_store_environment(self._remote.settings),
            **self._remote.engine_environment(),
        }
        tags = {
            FLOW_TAG: self._run.flow,
            RUN_TAG: str(self._run.number),
            STEP_TAG: plan.step,
            USER_TAG: self._context.user,
        }
        return Prepared(environment, tags)

    def launches(self, launches: Sequence[Launch]) -> Sequence[Launch]:
        """See Preparation."""
        self._bringer.bring(keys_of_launches(launches, self._context.parameters))
        replaced: dict[int, Inputs] = {}
        ready = []
        for launch in launches:
            inputs = launch.inputs
            if inputs.pack is not None:
                if id(inputs) not in replaced:
                    replaced[id(inputs)] = self._with_pack(inputs)
                launch = msgspec.structs.replace(launch, inputs=replaced[id(inputs)])
            ready.append(launch)
        return ready

    def name(self, step: str, jobs: Sequence[JobId]) -> str:
        """See Preparation."""
        return submission_name(self._store_id, self._run.flow, str(self._run.number), step, jobs)

    def _with_pack(self, inputs: Inputs) -> Inputs:
        """The same with its pack in the object store."""
        assert inputs.pack is not None
        with open(inputs.pack, "rb") as file:
            data = file.read()
        key = self.keys.pack(hashlib.sha256(data).hexdigest())
        self._storage.write(key, [data])
        return msgspec.structs.replace(inputs, pack=f"{self._storage.url}/{key}")

    def _supervisor(self) -> Stored:
        if self._bootstrap is None:
            data, sha256 = bootstrap_zip()
            key = f"bootstrap/{sha256}.zip"
            self._storage.write(key, [data])
            self._bootstrap = Stored(key, sha256, len(data))
        return self._bootstrap


def _threads_in_container(plan: StepPlan) -> int | None:
    """As the container has processors, also where the step named none."""
    from swell.compute.batch.sizes import with_defaults

    return msgspec.structs.replace(plan, resources=with_defaults(plan.resources)).threads


def _own_python() -> str:
    """The Python version of this process, 'X.Y'."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _store_environment(settings: Settings) -> dict[str, str]:
    """How attempts reach the object store; credentials are their own."""
    access = store_access_from(settings)
    given = {
        "SWELL_S3_ENDPOINT_URL": access.endpoint_url,
        "SWELL_S3_REGION": access.region,
        "SWELL_S3_ADDRESSING": settings.s3_addressing,
    }
    return {name: value for name, value in given.items() if value}


def settings_that_travel(settings: Settings, context: RunContext) -> dict[str, str]:
    """Variables that an attempt needs to see settings as its driver does; no secrets."""
    given = {
        "SWELL_USER": context.user,
        "SWELL_DATASTORE": settings.datastore,
        "SWELL_S3_ROOT": settings.s3_root,
        "SWELL_DEBUG": settings.debug,
        "SWELL_UNPICKLE": settings.unpickle,
        "SWELL_UNPICKLE_ALLOW": settings.unpickle_allow,
    }
    return {name: value for name, value in given.items() if value}


def _seconds(text: str, variable: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"{variable} is '{text}'.", remedy="Give a number of seconds, such as 1.")
    return seconds
