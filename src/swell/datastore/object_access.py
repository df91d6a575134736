"""How an object store is asked: endpoint, region, credentials, time limits."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec

from swell.datastore.aws_profile import Profile, credentials_from, read_profile
from swell.datastore.object_address import ObjectAddress
from swell.datastore.object_engine import engine
from swell.datastore.object_errors import ACCESS_REMEDIES
from swell.datastore.patience import Patience
from swell.errors import StoreError, UsageError
from swell.settings import AwsVariables, Settings, aws_variables

CONNECT_LIMIT = "5s"
REQUEST_LIMIT = "300s"
"""One request moves 16 MB at most: 0.5 MBit/s is enough."""

_QUICK_RETRIES = 1
_ADDRESSING = ("auto", "path", "virtual")


class ObjectAccess(msgspec.Struct, frozen=True):
    """All that opening a bucket needs beside its address.

    A server that says nothing for ``silence_s`` has failed.
    """

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    credentials_file: str | None = None
    addressing: str = "auto"
    patience: Patience = Patience()
    silence_s: float = 20.0


def access_from(settings: Settings) -> ObjectAccess:
    """Raises UsageError for a setting that cannot be."""
    if settings.s3_addressing not in _ADDRESSING:
        raise UsageError(
            f"SWELL_S3_ADDRESSING is '{settings.s3_addressing}'.",
            remedy=f"It may be {', '.join(_ADDRESSING)}.",
        )
    endpoint = settings.s3_endpoint_url
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise UsageError(
            f"SWELL_S3_ENDPOINT_URL is '{endpoint}', which is no URL.",
            remedy="Write it like https://storage.example.com or http://127.0.0.1:9000.",
        )
    if not settings.store_retries.isdecimal():
        raise UsageError(
            f"SWELL_STORE_RETRIES is '{settings.store_retries}'.", remedy="Give a whole number."
        )
    return ObjectAccess(
        endpoint_url=endpoint,
        region=settings.s3_region,
        profile=settings.s3_profile,
        credentials_file=settings.aws_credentials_file,
        addressing=settings.s3_addressing,
        patience=Patience(retries=int(settings.store_retries)),
    )


def open_bucket(
    address: ObjectAddress, access: ObjectAccess, quick_retries: int = _QUICK_RETRIES
) -> Any:
    """An obstore store for the whole bucket, for this process only; asks nothing yet.

    ``quick_retries``: how often a request that failed is sent again at once.

    Raises StoreError without the package, UsageError for an unknown profile.
    """
    obstore = engine()
    from datetime import timedelta

    common = {
        "client_options": {
            "connect_timeout": CONNECT_LIMIT,
            "read_timeout": timedelta(seconds=access.silence_s),
            "timeout": REQUEST_LIMIT,
            "allow_http": True,
            "user_agent": "swell",
        },
        # A part of a large value is sent again at once; what goes on longer is told and
        # waited out by Persistence.
        "retry_config": {
            "max_retries": quick_retries,
            "retry_timeout": timedelta(seconds=30),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=1),
                "base": 2,
            },
        },
    }
    try:
        if address.scheme == "gs":
            return obstore.store.GCSStore(address.bucket, **common)
        if address.scheme == "az":
            return obstore.store.AzureStore(address.bucket, **common)
        config, provider = s3_options(address.bucket, access, aws_variables())
        return obstore.store.S3Store(
            address.bucket, config=config, credential_provider=provider, **common
        )
    except (obstore.exceptions.BaseError, ValueError) as error:
        raise StoreError(
            f"{address.url} cannot be opened: {str(error).splitlines()[0]}",
            remedy=ACCESS_REMEDIES.get(
                address.scheme, "Look at the settings of the object store and at its credentials."
            ),
        ) from error


def s3_options(
    bucket: str, access: ObjectAccess, aws: AwsVariables
) -> tuple[dict[str, Any], Callable[[], Any] | None]:
    """obstore's S3 configuration and, for credentials that a program gives, their source.

    Keys in the environment go before a profile that nobody named in swell's settings.
    """
    if access.credentials_file is not None:
        # A file of swell's own settings stands alone: nothing of ~/.aws mixes with it.
        reads_profile = True
        profile = read_profile(os.devnull, access.credentials_file, access.profile or "default")
    else:
        reads_profile = access.profile is not None or not (aws.has_keys or aws.has_role)
        wanted = access.profile or aws.profile
        profile = (
            read_profile(aws.config_file, aws.credentials_file, wanted)
            if reads_profile or wanted
            else Profile()
        )
    endpoint = access.endpoint_url or aws.endpoint_url or profile.endpoint_url
    config: dict[str, Any] = {"region": access.region or aws.region or profile.region
                              or "us-east-1"}  # fmt: skip
    addressing = access.addressing
    if addressing == "auto":
        addressing = profile.addressing or "auto"
    is_virtual = addressing == "virtual" or (addressing == "auto" and endpoint is None)
    if endpoint is not None:
        if is_virtual:
            scheme, _, host = endpoint.partition("://")
            endpoint = f"{scheme}://{bucket}.{host}"
        # The second goes before the first where the environment sets it.
        config["endpoint"] = config["aws_endpoint_url_s3"] = endpoint
    config["virtual_hosted_style_request"] = is_virtual and "." not in bucket
    # Over TLS the payload is protected on its way; over plain HTTP its hash is signed.
    config["unsigned_payload"] = endpoint is None or endpoint.startswith("https://")
    provider = None
    if access.credentials_file is not None and profile.has_keys:
        provider = _keys_provider(profile)
    elif reads_profile and profile.has_keys:
        config["access_key_id"] = profile.values["aws_access_key_id"]
        config["secret_access_key"] = profile.values.get("aws_secret_access_key", "")
        if "aws_session_token" in profile.values:
            config["session_token"] = profile.values["aws_session_token"]
    elif reads_profile and profile.command is not None:
        provider = _command_provider(profile.command)
    elif reads_profile and profile.needs_a_service:
        provider = _service_provider(profile)
    return config, provider


def _keys_provider(profile: Profile) -> Callable[[], Any]:
    """As options they would be joined by a session token of the environment."""
    return lambda: {
        "access_key_id": profile.values["aws_access_key_id"],
        "secret_access_key": profile.values.get("aws_secret_access_key", ""),
        "token": profile.values.get("aws_session_token"),
        "expires_at": None,
    }


def _command_provider(command: str) -> Callable[[], Any]:
    def provide() -> Any:
        from datetime import datetime

        given = credentials_from(command)
        # fromisoformat reads a final Z only from Python 3.11 on.
        expires = (given.expiration or "").replace("Z", "+00:00")
        return {
            "access_key_id": given.access_key_id,
            "secret_access_key": given.secret_access_key,
            "token": given.session_token,
            "expires_at": datetime.fromisoformat(expires) if expires else None,
        }

    return provide


def _service_provider(profile: Profile) -> Callable[[], Any]:
    """Roles and single sign-on, by boto3, which knows all their forms."""
    try:
        import boto3  # type: ignore[import-not-found,import-untyped,unused-ignore]  # optional
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as error:
        raise StoreError(
            f"The profile '{profile.name}' gets its credentials from a role or a single "
            "sign-on, for which boto3 is needed here.",
            remedy="Install it: pip install 'swell[aws]'. Or export keys: "
            'eval "$(aws configure export-credentials --format env)".',
        ) from error
    provider: Callable[[], Any] = Boto3CredentialProvider(boto3.Session(profile_name=profile.name))
    return provider
