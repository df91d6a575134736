"""Where a script's process begins: with its command line, or with the one attempt it was started
for, which needs no command line and does not wait for one to be loaded."""

from __future__ import annotations

from typing import NoReturn

from swell.authoring.flow import Flow
from swell.cli.exits import settings_or_exit
from swell.settings import Settings


def begin(flow_class: type[Flow]) -> NoReturn:
    """Do what this process was started for with ``flow_class``, and exit."""
    settings = settings_or_exit()
    if settings.attempt is not None:
        _run_attempt(flow_class, settings)
    from swell.cli.main import main

    main(flow_class, settings)


def _run_attempt(flow_class: type[Flow], settings: Settings) -> NoReturn:
    """This process was started for one attempt alone."""
    from swell.compute.hygiene import end_process

    if settings.is_remote_attempt:
        from swell.session.remote_attempt import run_remote_attempt

        run_remote_attempt(flow_class, settings)
    else:
        from swell.session.attempt import run_fresh_attempt

        run_fresh_attempt(flow_class, settings)
    end_process()
