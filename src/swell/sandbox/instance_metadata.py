"""What a container finds around it on AWS: credentials of its role, and its host's metadata."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from swell.sandbox.jobs import JobSpec

_HOUR_S = 3600


class SandboxKeys(msgspec.Struct, frozen=True):
    """The pair that the sandbox's S3 takes."""

    access_key_id: str
    secret_access_key: str


class Found(NamedTuple):
    """An answer over HTTP."""

    status: int
    body: bytes = b""
    kind: str = "text/plain"


class InstanceMetadata:
    """Serves credentials as the ECS agent does and a host's metadata as EC2 does (IMDSv2).

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html
    Each host has an address of its own below ``/host/``. From any thread.
    """

    def __init__(self, keys: SandboxKeys, region: str, account: str) -> None:
        self._keys = keys
        self._region = region
        self._account = account
        self.token = secrets.token_hex(24)
        self._session = secrets.token_hex(24)
        self._notices: dict[str, float] = {}
        self._lock = threading.Lock()

    def announce(self, host_name: str, at: float) -> None:
        """A Spot notice: the host will be taken at ``at`` (Unix seconds)."""
        with self._lock:
            self._notices[host_name] = at

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> Found:
        """Answer one request. Header names are in small letters."""
        if path == "/credentials":
            return self._credentials(method, headers)
        _, _, rest = path.partition("/host/")
        host, _, what = rest.partition("/")
        if method == "PUT" and what == "latest/api/token":
            return Found(200, self._session.encode())
        if method != "GET":
            return Found(405)
        if headers.get("x-aws-ec2-metadata-token") != self._session:
            return Found(401)
        text = self._about(host, what)
        return Found(404) if text is None else Found(200, text.encode())

    def _credentials(self, method: str, headers: Mapping[str, str]) -> Found:
        if method != "GET":
            return Found(405)
        if headers.get("authorization") != self.token:
            return Found(403, b'{"code": "AccessDenied", "message": "the token is wrong"}')
        given = {
            "AccessKeyId": self._keys.access_key_id,
            "SecretAccessKey": self._keys.secret_access_key,
            # Clients ask for the field; SeaweedFS knows no session, and refuses their tokens.
            "Token": "",
            "Expiration": _utc(time.time() + 6 * _HOUR_S),
            "RoleArn": f"arn:aws:iam::{self._account}:role/sandbox",
        }
        return Found(200, json.dumps(given).encode(), "application/json")

    def _about(self, host: str, what: str) -> str | None:
        with self._lock:
            at = self._notices.get(host)
        known = {
            "instance-id": host,
            "instance-life-cycle": "spot",
            "placement/region": self._region,
            "placement/availability-zone": f"{self._region}a",
        }
        if at is not None:
            known["spot/instance-action"] = json.dumps({"action": "terminate", "time": _utc(at)})
            known["spot/termination-time"] = _utc(at)
        return known.get(what.removeprefix("latest/meta-data/"))


class Surroundings(msgspec.Struct, frozen=True):
    """What the sandbox adds to the environment of each job.

    ``token_file`` holds the token of ``metadata_url``'s credentials; None: the keys themselves
    are given.
    """

    metadata_url: str
    token_file: str | None
    keys: SandboxKeys
    region: str
    s3_endpoint_url: str

    def variables(self, spec: JobSpec) -> dict[str, str]:
        """The variables for one attempt."""
        host = spec.host_name or "i-00000000000000000"
        given = {
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL_S3": self.s3_endpoint_url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{self.metadata_url}/host/{host}/",
        }
        if self.token_file is None:
            given["AWS_ACCESS_KEY_ID"] = self.keys.access_key_id
            given["AWS_SECRET_ACCESS_KEY"] = self.keys.secret_access_key
        else:
            given["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{self.metadata_url}/credentials"
            given["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = self.token_file
        return given


def _utc(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
