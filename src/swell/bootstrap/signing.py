"""Signs requests to S3 and AWS Batch: Signature Version 4, in the standard library.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Keys:
    """Credentials. ``expires`` is as the source wrote it; '' where they last for ever."""

    def __init__(self, access: str, secret: str, token: str = "", expires: str = "") -> None:
        self.access = access
        self.secret = secret
        self.token = token
        self.expires = expires


def quoted(text: str, keep: bytes = b"") -> str:
    """Percent-encoded as signatures want it: everything but unreserved characters and ``keep``."""
    return "".join(
        chr(byte) if byte in _UNRESERVED or byte in keep else f"%{byte:02X}"
        for byte in text.encode()
    )


def canonical_query(query: Mapping[str, str]) -> str:
    """The query string, sorted and encoded: as it is signed and as it is sent."""
    return "&".join(sorted(f"{quoted(name)}={quoted(query[name])}" for name in query))


def signed_headers(
    request: tuple[str, str, str],
    headers: Mapping[str, str],
    body: bytes,
    keys: Keys,
    scope: tuple[str, float],
    service: str = "s3",
) -> dict[str, str]:
    """All headers of a request, its signature among them.

    ``request`` is method, encoded path and canonical query; ``headers`` have lower-case
    names, 'host' among them; ``scope`` is the region and the time in Unix seconds.
    Services other than S3 want the path encoded twice: theirs may hold unreserved characters only.
    """
    region, now = scope
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    digest = hashlib.sha256(body).hexdigest()
    sent = dict(headers)
    sent["x-amz-content-sha256"] = digest
    sent["x-amz-date"] = stamp
    if keys.token:
        sent["x-amz-security-token"] = keys.token
    names = ";".join(sorted(sent))
    lines = [f"{name}:{' '.join(sent[name].split())}" for name in sorted(sent)]
    canonical = "\n".join([*request, *lines, "", names, digest])
    day_scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{day_scope}\n{hashed}"
    key = b"AWS4" + keys.secret.encode()
    for part in (*day_scope.split("/"), text):
        key = hmac.new(key, part.encode(), "sha256").digest()
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access}/{day_scope}, "
        f"SignedHeaders={names}, Signature={key.hex()}"
    )
    return sent
