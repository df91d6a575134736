"""Opens the metadata database of a store: the folder's own, or the one a team shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from swell.errors import MetadataError, UsageError
from swell.metastore.postgres_address import has_password, is_postgres, public_address
from swell.seams.metastore import Metastore
from swell.session.place import Place, metadata_url
from swell.settings import Settings

_READERS_WAIT_S = 15.0
"""How long someone who looks waits for a server that does not answer."""
_LAST_WAIT_S = 10.0
"""How long a run that was asked to end still waits for it."""


class OpenDatabase(NamedTuple):
    """A metadata store, and the folder for what else its runs leave."""

    metastore: Metastore
    place: Place


def open_for_run(
    place: Place,
    settings: Settings,
    tell: Callable[[str], None],
    is_ending: Callable[[], bool],
) -> OpenDatabase:
    """For a run: made if there is none, and waited for in an outage.

    ``tell`` takes sentences for the user, from any thread; once ``is_ending`` holds there
    is no long waiting any more. Raises MetadataError.
    """
    if place.metadata is None:
        from swell.metastore import sqlite

        return OpenDatabase(sqlite.open_metastore(place.database), place)
    from swell.metastore import postgres

    wait_s = _wait_s(settings)

    def patience_s() -> float:
        return min(wait_s, _LAST_WAIT_S) if is_ending() else wait_s

    shared = postgres.open_metastore(place.metadata, patience_s=patience_s, tell=tell)
    return OpenDatabase(shared, place.of_database(shared.store_id))


def open_for_reading(place: Place) -> OpenDatabase:
    """For those who only look. Raises MetadataError, also when no run was made yet."""
    if place.metadata is not None:
        from swell.metastore import postgres

        shared = postgres.open_metastore(
            place.metadata, read_only=True, patience_s=lambda: _READERS_WAIT_S
        )
        return OpenDatabase(shared, place.of_database(shared.store_id))
    if not place.may_have_runs:
        raise MetadataError(
            f"There is no run yet: {place.root} is not a store."
            if not place.exists
            else f"There is no run yet in the store {place.root}.",
            remedy="Run a flow first, or set SWELL_ROOT to the store folder you mean.",
        )
    from swell.metastore import sqlite

    return OpenDatabase(sqlite.open_metastore(place.database, read_only=True), place)


def with_password(address: str, settings: Settings) -> str:
    """``address`` as the settings have it, if they name the same database: what is stored
    and shown of an address lacks its password."""
    own = metadata_url(settings)
    is_same = own is not None and public_address(own) == public_address(address)
    return own if own is not None and is_same and not has_password(address) else address


def shown_address(address: str) -> str:
    """An address as it may be shown."""
    return public_address(address) if is_postgres(address) else address


def _wait_s(settings: Settings) -> float:
    try:
        wait_s = float(settings.metadata_wait)
    except ValueError:
        wait_s = -1.0
    if wait_s >= 0:
        return wait_s
    raise UsageError(
        f"SWELL_METADATA_WAIT is '{settings.metadata_wait}', which is no number of seconds.",
        remedy="Set it to one such as 600.",
    )
