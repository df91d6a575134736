"""Where a container's credentials come from.

In order: the environment, a web identity, the container's own endpoint (ECS, EKS), the
machine's metadata (IMDSv2). No file in ``~/.aws`` is read.
https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from swell.bootstrap.address import domain, region_of
from swell.bootstrap.signing import Keys, quoted

CONTAINER_URL = "http://169.254.170.2"
MACHINE_URL = "http://169.254.169.254"
_LOCAL_HOSTS = ("127.", "localhost", "[::1]", "169.254.170.2", "[fd00:ec2::23]")

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Evaluated by type checkers only: Python 3.8 cannot.
    Ask = Callable[[str, str, Mapping[str, str]], bytes]
    """Method, address, headers → the body of an answer 200; else OSError."""


def fetch_keys(environ: Mapping[str, str], ask: Ask, container_url: str = CONTAINER_URL) -> Keys:
    """Credentials of the first source that the environment names.

    Raises OSError when it gives none; the message says which source that was.
    """
    env = environ.get
    if env("AWS_ACCESS_KEY_ID"):
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return Keys(*(env(name, "") for name in names))
    source = "the machine's metadata service"
    try:
        if env("AWS_WEB_IDENTITY_TOKEN_FILE"):
            source = "the token service, asked with a web identity,"
            return _from_web_identity(environ, ask)
        url = env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        if env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
            url = container_url + environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
        if not url:
            return _from_machine(environ, ask)
        source = "the container's credentials endpoint"
        if not url.startswith(("https://", *("http://" + host for host in _LOCAL_HOSTS))):
            raise OSError(f"{url} is neither on this machine nor https")
        token = env("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        if env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            token = _text_in(environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
        return _keys_of(ask("GET", url, {"authorization": token} if token else {}))
    except (OSError, ValueError, LookupError) as error:
        raise OSError(
            f"no credentials: {source} gave none ({error}). "
            "Give the job a role that may use the bucket (iam_role=)"
        ) from error


def machine_url(environ: Mapping[str, str]) -> str:
    """The address of the machine's metadata service. Raises OSError where it is off."""
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise OSError("AWS_EC2_METADATA_DISABLED is set")
    return (environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or MACHINE_URL).rstrip("/")


def machine_headers(url: str, ask: Ask) -> dict[str, str]:
    """Headers for questions to the machine's metadata service, good for six hours (IMDSv2)."""
    headers = {"x-aws-ec2-metadata-token-ttl-seconds": "21600"}
    return {"x-aws-ec2-metadata-token": ask("PUT", url + "/latest/api/token", headers).decode()}


def _from_machine(environ: Mapping[str, str], ask: Ask) -> Keys:
    url = machine_url(environ)
    headers = machine_headers(url, ask)
    url += "/latest/meta-data/iam/security-credentials/"
    role = ask("GET", url, headers).decode().split()[0]
    return _keys_of(ask("GET", url + role, headers))


def _from_web_identity(environ: Mapping[str, str], ask: Ask) -> Keys:
    region = region_of(environ)
    url = environ.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.{domain(region)}"
    token = quoted(_text_in(environ["AWS_WEB_IDENTITY_TOKEN_FILE"]))
    url += (
        "/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=swell"
        f"&RoleArn={quoted(environ['AWS_ROLE_ARN'])}&WebIdentityToken={token}"
    )
    text = ask("GET", url, {}).decode()
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    return Keys(*(text.split(f"<{name}>")[1].split("<")[0] for name in names))


def _keys_of(body: bytes) -> Keys:
    found = json.loads(body)
    if "AccessKeyId" not in found:
        raise OSError(str(found))
    names = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
    return Keys(*(found.get(name) or "" for name in names))


def _text_in(path: str) -> str:
    with open(path) as file:
        return file.read().strip()
