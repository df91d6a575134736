"""Starts the keeper of a run: forked from this warm process, or cold where forking is unsafe."""

from __future__ import annotations

import sys

from swell.compute.isolation import Isolation
from swell.compute.keeper import fork_keeper
from swell.compute.keeper_link import KeeperEnds, KeeperLink, open_link, spawn_cold_keeper
from swell.session.attempt import prepare_attempts
from swell.session.flow import SettledFlow
from swell.settings import ATTEMPT_VARIABLE, Settings


def open_keeper(flow: SettledFlow, isolation: Isolation, settings: Settings) -> KeeperLink:
    """To be called before this process has a thread, database or terminal of ours."""
    if isolation.kind == "fresh":
        return open_cold_keeper()
    prepare = prepare_attempts(flow.in_force(), settings)

    def spawn(ends: KeeperEnds) -> int:
        return fork_keeper(
            ends.control,
            ends.lanes,
            ends.life,
            prepare,
            attempt_variable=ATTEMPT_VARIABLE,
            driver_ends=ends.driver_ends,
        )

    return open_link(spawn)


def open_cold_keeper() -> KeeperLink:
    """A keeper that starts fresh interpreters only."""
    return open_link(_spawn_cold)


def _spawn_cold(ends: KeeperEnds) -> int:
    return spawn_cold_keeper(ends, attempt_variable=ATTEMPT_VARIABLE)


def fresh_argv(script: str | None) -> tuple[str, ...]:
    """The command that starts the script anew, without its arguments; empty in a notebook."""
    if script is None or not sys.orig_argv:
        return ()
    arguments = len(sys.argv) - 1
    command = sys.orig_argv[: len(sys.orig_argv) - arguments]
    return (sys.executable, *command[1:])
