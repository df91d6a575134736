"""How the Batch API is reached: region, endpoint, credentials; botocore is loaded here, late."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from swell.errors import ComputeError
from swell.version import VERSION

_CONNECT_S = 5
ANSWER_S = 20.0


class BatchAccess(msgspec.Struct, frozen=True):
    """``region`` may be empty: then that of the profile in ``~/.aws`` holds.

    Where there is a ``credentials_file``, keys come from its ``profile`` and from nowhere
    else. Endpoints are given for services other than Amazon's own. A service that says
    nothing for ``answer_s`` seconds has not answered.
    """

    region: str = ""
    profile: str | None = None
    credentials_file: str | None = None
    endpoint_url: str | None = None
    logs_endpoint_url: str | None = None
    answer_s: float = ANSWER_S

    def endpoint_of(self, service: str) -> str | None:
        """The endpoint of 'batch' or 'logs'; None: Amazon's."""
        return {"batch": self.endpoint_url, "logs": self.logs_endpoint_url}.get(service)


def open_client(access: BatchAccess, service: str) -> Any:
    """botocore's client of ``service``; asks the network nothing yet.

    Its own retries are off: the caller's are paced for the whole process. Raises
    ComputeError where boto3 is not installed, no region is set or the profile is unknown.
    """
    try:
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise ComputeError(
            "AWS Batch needs the package 'boto3', which is not installed.",
            remedy="Install it: pip install 'swell[aws]'.",
        ) from error
    from swell.compute.batch.api_errors import Called, fault_of

    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=_CONNECT_S,
        read_timeout=access.answer_s,
        user_agent_extra=f"swell/{VERSION}",
    )
    try:
        session = botocore.session.Session(profile=access.profile)
        if access.credentials_file is not None:
            # A profile that is named goes before keys in the environment.
            session.set_config_variable("profile", access.profile or "default")
            session.set_config_variable("credentials_file", access.credentials_file)
            session.set_config_variable("config_file", os.devnull)
        return session.create_client(
            service,
            region_name=access.region or None,
            endpoint_url=access.endpoint_of(service),
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        called = Called(service, "opening", access.region, access.endpoint_of(service))
        raise fault_of(error, called).error from error
