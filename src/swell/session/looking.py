"""Which store and namespace client objects see: those in force here, or a task's own run's."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from swell.client.access import ACCESS
from swell.errors import MetadataError, NotFound
from swell.model.ids import RunId
from swell.settings import load_settings
from swell.task.current import current

if TYPE_CHECKING:
    from swell.model.job import RunContext
    from swell.session.reading import LocalStores

_STORED_WITHIN_S = 10.0
ELSEWHERE = "elsewhere:"
"""Stands before the address of a metadata database that a task cannot reach."""


def open_stores(address: str | None) -> LocalStores:
    """The opener of the client; pickled objects name it.

    Raises MetadataError, and NotFound with the folders looked at where no address was
    given and there is no store.
    """
    from swell.session.reading import open_address

    if address is not None and address.startswith(ELSEWHERE):
        raise _out_of_reach(address)
    if address is None:
        _check_default_store()
    stores = open_address(address)
    if current.is_running_flow and address == ACCESS.default_address:
        _await_own_task(stores)
    return stores


def own_namespace() -> str | None:
    """The user's own runs, or those of the production token."""
    from swell.session.user import default_namespace

    return default_namespace(load_settings())


def look_from_here() -> None:
    """Prepare the client in a process of the user's; what was prepared before stays."""
    if not ACCESS.has_opener:
        ACCESS.install_opener(open_stores, default_namespace=own_namespace)


def look_from_task(context: RunContext) -> None:
    """Prepare the client in a task: it sees the store and the namespace of its run, unless
    the script chooses others."""
    ACCESS.install_opener(
        open_stores,
        default_namespace=lambda: context.namespace,
        default_address=context.metadata,
    )


def seen_from_elsewhere(address: str) -> str:
    """The address of the metadata database for a task on another machine: files are out of
    reach there, even where a file of that name is."""
    from swell.metastore.postgres_address import is_postgres

    return address if is_postgres(address) else f"{ELSEWHERE}{address}"


def _out_of_reach(address: str) -> MetadataError:
    return MetadataError(
        "A step that runs on another machine cannot look at runs: what is known of them is in "
        f"a file of the machine that started the run, {address.removeprefix(ELSEWHERE)}.",
        remedy="Keep it in PostgreSQL, by SWELL_METADATA=postgresql://user@host/database, or "
        "look in a step that runs here, and hand on what was found as an artifact.",
    )


def _await_own_task(stores: LocalStores) -> None:
    """Tasks start before their driver has stored that they exist: a task that asks for
    itself waits for that, some milliseconds."""
    run = RunId(str(current.flow_name), int(str(current.run_id)))
    deadline = time.monotonic() + _STORED_WITHIN_S
    while not stores.metastore.tasks(run, task=str(current.task_id)):
        if time.monotonic() > deadline:
            return  # whoever looks for it gets NotFound
        time.sleep(0.002)


def _check_default_store() -> None:
    from swell.session.place import find_place

    settings = load_settings()
    cwd = os.getcwd()
    place = find_place(settings, None, cwd)
    if place.may_have_runs:
        return
    remedy = "Run a flow first, or name the store with metadata('FOLDER/.swell') or SWELL_ROOT."
    if place.exists:
        raise NotFound(f"There is no run yet in the store {place.root}.", remedy=remedy)
    if settings.root:
        raise NotFound(f"SWELL_ROOT names {place.root}, which is not a store.", remedy=remedy)
    raise NotFound(
        f"There is no store of swell: neither {cwd} nor a folder above it has a "
        f"{os.path.basename(place.root)}.",
        remedy=remedy,
    )
