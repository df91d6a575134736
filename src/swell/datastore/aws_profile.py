"""Profiles of Amazon's tools: credentials, region and endpoint from the files in ``~/.aws``."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping

import msgspec

from swell.errors import StoreError, UsageError

_COMMAND_LIMIT_S = 60


class Profile(msgspec.Struct, frozen=True):
    """One profile, both files merged. ``name`` is None where there are no files at all."""

    name: str | None = None
    values: dict[str, str] = {}
    s3: dict[str, str] = {}

    @property
    def region(self) -> str | None:
        return self.values.get("region")

    @property
    def endpoint_url(self) -> str | None:
        return self.s3.get("endpoint_url") or self.values.get("endpoint_url")

    @property
    def addressing(self) -> str | None:
        """'path', 'virtual', 'auto' or None."""
        return self.s3.get("addressing_style")

    @property
    def has_keys(self) -> bool:
        return "aws_access_key_id" in self.values

    @property
    def command(self) -> str | None:
        """A program that prints credentials."""
        return self.values.get("credential_process")

    @property
    def needs_a_service(self) -> bool:
        """Whether its credentials come from a role or a single sign-on."""
        names = ("role_arn", "sso_session", "sso_start_url", "web_identity_token_file")
        return any(name in self.values for name in names)


class Credentials(msgspec.Struct, frozen=True, rename="pascal"):
    """What a ``credential_process`` prints.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
    """

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expiration: str | None = None


def read_profile(config_file: str, credentials_file: str, wanted: str | None) -> Profile:
    """The profile ``wanted`` (None: 'default', which need not be there).

    Raises UsageError when a profile that was asked for is in neither file, StoreError when
    a file cannot be understood.
    """
    name = wanted or "default"
    config, credentials = _read(config_file), _read(credentials_file)
    section = name if name == "default" else f"profile {name}"
    found = [part for part in (config.get(section), credentials.get(name)) if part is not None]
    if not found:
        if wanted is None:
            return Profile()
        known = sorted({n.removeprefix("profile ") for n in (*config, *credentials)} - {"DEFAULT"})
        raise UsageError(
            f"There is no profile '{wanted}' in {config_file} or {credentials_file}.",
            remedy=f"There are: {', '.join(known)}." if known else "Neither file has profiles.",
        )
    values: dict[str, str] = {}
    for part in found:
        values.update(part)
    services = config.get(f"services {values['services']}", {}) if "services" in values else {}
    s3 = {**_nested(services.get("s3", "")), **_nested(values.get("s3", ""))}
    return Profile(name, values, s3)


def credentials_from(command: str) -> Credentials:
    """Run a ``credential_process``. Raises StoreError when it gives none."""
    import shlex
    import subprocess

    try:
        done = subprocess.run(
            shlex.split(command),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_COMMAND_LIMIT_S,
            check=True,
        )
        return msgspec.json.decode(done.stdout, type=Credentials)
    except (OSError, ValueError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise StoreError(
            f"The credential_process of the profile gave no credentials: {error}.",
            remedy=f"Run it by hand: {command}",
        ) from error


def _read(path: str) -> Mapping[str, Mapping[str, str]]:
    parser = configparser.RawConfigParser(default_section="", strict=False)
    try:
        parser.read(os.path.expanduser(path), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise StoreError(
            f"{path} cannot be read: {str(error).splitlines()[0]}", remedy="Mend the file."
        ) from error
    return {name: dict(parser[name]) for name in parser.sections()}


def _nested(text: str) -> dict[str, str]:
    """``key = value`` lines that are indented under ``s3 =``."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
