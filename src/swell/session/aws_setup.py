"""Tries whether AWS Batch and its object store can be used, with the API itself."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import msgspec

from swell.compute.batch import checkup
from swell.compute.batch.api import BatchApi, Persistence
from swell.compute.batch.defaults import access_from
from swell.datastore.object_access import access_from as store_access_from
from swell.datastore.object_address import ObjectAddress, is_object_url, parse_address
from swell.datastore.object_store import ObjectStorage
from swell.datastore.patience import Patience
from swell.errors import StoreError, UsageError
from swell.settings import Settings

_WITHIN_S = 5.0
"""Somebody waits: what does not answer by then is told."""


class AwsSetup:
    """Checks under ``settings``; each returns a sentence or raises SwellError with a remedy.

    Use ``close``.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.api = BatchApi(access_from(settings), persistence=Persistence(within_s=_WITHIN_S))
        self.account: str | None = None
        self.queue_check: checkup.QueueCheck | None = None

    def credentials(self) -> str:
        """Whether there are any that Amazon knows."""
        if self.api.access.endpoint_url is not None:
            self.api.describe_queues([])
            return f"credentials that {self.api.access.endpoint_url} takes"
        who = self.api.identity()
        assert who is not None
        self.account = who.account
        return f"credentials of the account {who.account} ({who.arn})"

    def queue_names(self) -> list[str]:
        """The queues of the region."""
        return checkup.queue_names(self.api)

    def bucket(self, url: str) -> str:
        """Whether objects can be put there, only once, read and deleted. Leaves none behind."""
        address = s3_address(url)
        storage = self._storage(address)
        key = f"probe-{secrets.token_hex(8)}"
        storage.write(key, [b"first"])
        try:
            is_replaced = storage.write(key, [b"second"])
            found = bytes(storage.read(key))
        finally:
            storage.delete([key])
        if is_replaced or found != b"first":
            raise StoreError(
                f"{address.url} lets one writer replace what another has put there "
                "(no conditional put, If-None-Match).",
                remedy="Use a service that has it, as Amazon's S3 does.",
            )
        return f"{address.url} can be written and read"

    def reads(self, url: str) -> str:
        """Whether the bucket can be listed; writes nothing."""
        address = s3_address(url)
        next(iter(self._storage(address).list("")), None)
        return f"{address.url} can be read"

    def queue(self, name: str) -> str:
        """Whether jobs sent to it would run."""
        self.queue_check = checkup.check_queue(self.api, name)
        return self.queue_check.sentence

    def role(self, arn: str) -> str:
        """Whether it can be the role of jobs."""
        return checkup.check_role(arn, self.account)

    def logs(self) -> str:
        """Whether what killed containers printed last can be read."""
        return checkup.check_logs(self.api)

    @property
    def is_fargate(self) -> bool:
        """Whether the queue that was looked at is one of Fargate."""
        return self.queue_check is not None and self.queue_check.platform.is_fargate

    def close(self) -> None:
        """Close connections."""
        self.api.close()

    def _storage(self, address: ObjectAddress) -> ObjectStorage:
        access = msgspec.structs.replace(
            store_access_from(self._settings), patience=Patience(retries=1, within_s=_WITHIN_S)
        )
        return ObjectStorage(address, access, lambda text: None)


def s3_address(text: str) -> ObjectAddress:
    """'bucket/prefix', with or without s3:// before it. Raises UsageError."""
    address = parse_address(text if is_object_url(text) else f"s3://{text}")
    if address.scheme != "s3":
        raise UsageError(
            f"{address.url} is not in S3, and AWS Batch's containers read S3 alone.",
            remedy="Give a bucket of S3: s3://bucket/prefix.",
        )
    return address


def with_typed(settings: Settings, values: Mapping[str, str]) -> Settings:
    """``settings`` with what was typed, which goes before everything."""
    return msgspec.structs.replace(settings, **values)
