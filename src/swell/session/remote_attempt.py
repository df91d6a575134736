"""Runs the one attempt of a process that a supervisor started on another machine."""

from __future__ import annotations

import base64
import os

import msgspec

from swell.authoring.flow import Flow
from swell.bootstrap.missing import explain_missing, missing_module
from swell.compute.kernel import prepare_to_die_with_parent
from swell.errors import InternalError
from swell.model.facts import CODE_FACT
from swell.model.job import Launch, RunContext
from swell.model.record import AttemptResult
from swell.model.remote import Manifest, decode_manifest, join_member
from swell.model.wire import decode_context, encode
from swell.session.attempt import attempt_runner, flow_in_force
from swell.session.datastores import Datastores
from swell.session.looking import seen_from_elsewhere
from swell.session.task_store import TaskStore
from swell.settings import REMOTE_ATTEMPT, Settings, mark_task

RESULT = "result"


def run_remote_attempt(flow_class: type[Flow], settings: Settings) -> None:
    """Run it and leave its result in the supervisor's folder, whole, by a rename.

    Only for a process that ``swell.bootstrap`` started; docs/decisions/0011 says what is in
    the folder.
    """
    # The supervisor could be killed without a word; nobody would end this process then.
    prepare_to_die_with_parent()(os.getppid())
    folder = (settings.attempt or "").removeprefix(REMOTE_ATTEMPT)
    manifest = decode_manifest(_read(folder, "manifest.json"))
    launch = join_member(_read(folder, "member"), _read(folder, "shared"))
    context = _context(manifest)
    mark_task(context.run, context.datastore)
    settings = msgspec.structs.replace(settings, cache=os.path.join(folder, "cache"))
    stores = Datastores.away(context.datastore, settings)
    store = TaskStore(stores, context.script)
    runner = attempt_runner(flow_in_force(flow_class, settings, context), context, store, settings)
    result = with_remedy(runner.run(at_its_place(launch, settings), lambda: None))
    draft = os.path.join(folder, f"{RESULT}.draft")
    with open(draft, "wb") as file:
        file.write(encode(with_code(result, manifest)))
    os.replace(draft, os.path.join(folder, RESULT))


def with_code(result: AttemptResult, manifest: Manifest) -> AttemptResult:
    """The same with the fact ``code-package``: where the code is that it ran, as JSON."""
    told = {
        "ds_type": "s3",
        "sha": manifest.code.sha256,
        "location": f"{manifest.store}/{manifest.code.key}",
        "script": manifest.script,
    }
    fact = {CODE_FACT: (CODE_FACT, msgspec.json.encode(told).decode())}
    return msgspec.structs.replace(result, metadata={**result.metadata, **fact})


def with_remedy(result: AttemptResult) -> AttemptResult:
    """The same, where a module was missing with what brings it into the container."""
    outcome = result.outcome
    module = missing_module(outcome.message)
    if outcome.ok or module is None:
        return result
    outcome = msgspec.structs.replace(
        outcome, message=f"{outcome.message}. {explain_missing(module)}"
    )
    return msgspec.structs.replace(result, outcome=outcome)


def _context(manifest: Manifest) -> RunContext:
    context = decode_context(base64.b64decode(manifest.context))
    return msgspec.structs.replace(
        context,
        script=os.path.abspath(manifest.script),
        metadata=seen_from_elsewhere(context.metadata),
    )


def at_its_place(launch: Launch, settings: Settings) -> Launch:
    """The Launch of a gang's member, with the address under which node 0 is reached."""
    if launch.gang is None:
        return launch
    address = settings.main_node_ip
    if address is None and settings.ecs_metadata is not None:
        address = own_address()  # of node 0, whom the engine does not tell it
    if address is None:
        return launch
    gang = msgspec.structs.replace(launch.gang, main_ip=address)
    return msgspec.structs.replace(launch, gang=gang)


def own_address() -> str | None:
    """Under which other containers reach this one: multi-node jobs have networks of their own."""
    import socket

    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return None


def _read(folder: str, name: str) -> bytes:
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()
    except OSError as error:
        raise InternalError(
            f"A task was started without its '{name}' in {folder or 'no folder'}: {error.strerror}."
        ) from error
