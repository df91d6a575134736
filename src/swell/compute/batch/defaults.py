"""What ``@batch`` leaves out, from the settings: queue, image, roles, time limit."""

from __future__ import annotations

import os
import re
import sys

import msgspec

from swell.compute.batch.access import BatchAccess
from swell.errors import ComputeError, UsageError
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan
from swell.settings import Settings, aws_variables

DAY_S = 86_400

_ANY_REGION = "us-east-1"  # for a service that stands in for Amazon's and has none


class BatchDefaults(msgspec.Struct, frozen=True):
    """Used where ``@batch`` says nothing; the image's default is Python's own of ``python``.

    ``host_cache`` is a folder that the containers of one machine share for unpacked packages.
    """

    queue: str | None = None
    image: str | None = None
    iam_role: str | None = None
    execution_role: str | None = None
    time_limit_s: int = 5 * DAY_S
    host_cache: str | None = None
    python: str = f"{sys.version_info[0]}.{sys.version_info[1]}"


def defaults_from(settings: Settings) -> BatchDefaults:
    """Raises UsageError for a setting that cannot be."""
    if not settings.batch_time_limit.isdecimal() or int(settings.batch_time_limit) < 60:
        raise UsageError(
            f"SWELL_BATCH_TIME_LIMIT is '{settings.batch_time_limit}'.",
            remedy="Give a whole number of seconds, 60 or more.",
        )
    host_cache = settings.batch_host_cache
    if host_cache != "none" and not host_cache.startswith("/"):
        raise UsageError(
            f"SWELL_BATCH_HOST_CACHE is '{host_cache}'.",
            remedy="Give an absolute path, such as /var/tmp/swell-layers, or 'none'.",
        )
    return BatchDefaults(
        queue=settings.batch_queue,
        image=settings.batch_image,
        iam_role=settings.batch_iam_role,
        execution_role=settings.batch_execution_role,
        time_limit_s=int(settings.batch_time_limit),
        host_cache=None if host_cache == "none" else host_cache,
    )


def access_from(settings: Settings) -> BatchAccess:
    """Raises UsageError for an endpoint that is no URL."""
    for name in ("batch_endpoint_url", "logs_endpoint_url"):
        endpoint = getattr(settings, name)
        if endpoint is not None and not endpoint.startswith(("http://", "https://")):
            raise UsageError(
                f"SWELL_{name.upper()} is '{endpoint}', which is no URL.",
                remedy="Write it like http://127.0.0.1:9000, or unset it for Amazon's own.",
            )
    # botocore itself reads AWS_DEFAULT_REGION alone.
    region = settings.aws_region or aws_variables().region
    stands_in = settings.batch_endpoint_url is not None
    file = settings.aws_credentials_file
    return BatchAccess(
        region=region or (_ANY_REGION if stands_in else ""),
        profile=settings.s3_profile if file else None,
        credentials_file=os.path.expanduser(file) if file else None,
        endpoint_url=settings.batch_endpoint_url,
        logs_endpoint_url=settings.logs_endpoint_url,
    )


def completed(plan: StepPlan, defaults: BatchDefaults) -> BatchOptions:
    """The options of ``plan`` with the defaults filled in; the queue may still be missing."""
    options = plan.batch or BatchOptions()
    return msgspec.structs.replace(
        options,
        queue=options.queue or defaults.queue,
        image=options.image or defaults.image or f"python:{defaults.python}",
        iam_role=options.iam_role or defaults.iam_role,
        execution_role=options.execution_role or defaults.execution_role,
    )


_IMAGE = re.compile(
    r"^(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[0-9a-f]{64})?$"
)
_ROLE = re.compile(r"^arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+$")


def account_of_role(arn: str) -> str | None:
    """The account in the ARN of a role; None for a text that is not one."""
    found = _ROLE.match(arn)
    return found.group(1) if found else None


def refuse_malformed(step: str, options: BatchOptions) -> None:
    """Raise ComputeError for a name of an image or a role that cannot be one."""
    if not _IMAGE.match(options.image or ""):
        raise ComputeError(
            f"Step '{step}': '{options.image}' is not the name of an image.",
            remedy="Write it like python:3.11 or "
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/image:tag.",
        )
    for argument in ("iam_role", "execution_role"):
        role = getattr(options, argument)
        if role is not None and account_of_role(role) is None:
            raise ComputeError(
                f"Step '{step}': {argument} is '{role}', which is not the ARN of a role.",
                remedy="Write it like arn:aws:iam::123456789012:role/name "
                f"(@batch({argument}=…) or SWELL_BATCH_{argument.upper()}).",
            )
