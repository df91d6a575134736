"""URLs of object stores: which service, which bucket, which prefix."""

from __future__ import annotations

from typing import NamedTuple

from swell.errors import UsageError

SCHEMES = {"s3": "s3", "s3a": "s3", "gs": "gs", "az": "az", "abfs": "az", "abfss": "az"}
"""What may stand before ``://``, and the service it means."""


class ObjectAddress(NamedTuple):
    """``scheme`` is 's3', 'gs' or 'az'; ``prefix`` is without slashes at its ends."""

    scheme: str
    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """As a person types it."""
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    def under(self, *parts: str) -> ObjectAddress:
        """The address of a folder in this one."""
        return self._replace(prefix="/".join(filter(None, (self.prefix, *parts))))


def is_object_url(text: str) -> bool:
    """Whether ``text`` means an object store rather than a folder."""
    return "://" in text


def parse_address(text: str, *, allow_dots: bool = False) -> ObjectAddress:
    """Raises UsageError for a URL that cannot be one.

    ``allow_dots`` lets '.' and '..' stand as parts of the prefix.
    """
    scheme, mark, rest = text.strip().partition("://")
    service = SCHEMES.get(scheme.lower())
    if not mark or service is None:
        raise UsageError(
            f"'{text}' is not the URL of an object store that is known here.",
            remedy="It begins with s3://, gs:// or az://, for example s3://my-bucket/swell.",
        )
    bucket, _, prefix = rest.partition("/")
    if not bucket or any(c.isspace() or c in "?#@:" for c in bucket):
        raise UsageError(
            f"'{text}' names no bucket." if not bucket else f"'{bucket}' cannot be a bucket.",
            remedy=f"Write {service}://BUCKET or {service}://BUCKET/PREFIX. An own endpoint "
            "goes into SWELL_S3_ENDPOINT_URL.",
        )
    parts = [part for part in prefix.split("/") if part]
    if not allow_dots and any(part in (".", "..") for part in parts):
        raise UsageError(
            f"'{text}' has '.' or '..' in it, which no object store resolves.",
            remedy="Write the prefix out.",
        )
    return ObjectAddress(service, bucket, "/".join(parts))
