"""Reads the environment, and nothing else does: how the value of each setting is found."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

import msgspec

from swell.errors import UsageError
from swell.settings_file import known_profiles, parse_file, settings_path
from swell.settings_table import DEFAULT_HOME, NOT_IN_FILES, SETTINGS

SANDBOX_PROFILE = "sandbox"
"""The profile that the sandbox writes while it is up."""
ATTEMPT_VARIABLE = "SWELL_ATTEMPT"
"""Set by swell itself for a task in a fresh interpreter; not for users."""
REMOTE_ATTEMPT = "remote:"
"""Stands in it before a folder for an attempt that a supervisor started elsewhere."""
RUN_ID_VARIABLE = "SWELL_RUN_ID"
"""Set by swell inside every task."""
SPOT_NOTICE_VARIABLE = "SWELL_SPOT_NOTICE"
"""Set by the supervisor of a remote attempt: the file that appears before its machine goes."""
RUN_DATASTORE_VARIABLE = "SWELL_RUN_DATASTORE"
"""Set by swell inside every task whose run keeps its artifacts in an object store."""


class Settings(msgspec.Struct, frozen=True):
    """The settings in force; see SETTINGS in `settings_table` for what each is for."""

    root: str | None = None
    metadata: str | None = None
    metadata_wait: str = "600"
    datastore: str | None = None
    s3_endpoint_url: str | None = None
    s3_region: str | None = None
    s3_profile: str | None = None
    s3_addressing: str = "auto"
    aws_credentials_file: str | None = None
    aws_region: str | None = None
    batch_host_cache: str = "/var/tmp/swell-layers"
    batch_endpoint_url: str | None = None
    batch_queue: str | None = None
    batch_image: str | None = None
    batch_iam_role: str | None = None
    batch_execution_role: str | None = None
    batch_time_limit: str = "432000"
    logs_endpoint_url: str | None = None
    sandbox: str = "~/.local/state/swell/sandbox"
    sandbox_runner: str = "auto"
    s3_root: str | None = None
    store_retries: str = "6"
    cache: str = "~/.cache/swell"
    cache_gb: str = "20"
    unpickle: str | None = None
    unpickle_allow: str | None = None
    package_include: str | None = None
    package_max_mb: str = "200"
    verify: str | None = None
    gc_grace_hours: str = "24"
    home: str = DEFAULT_HOME
    profile: str | None = None
    user: str | None = None
    default_with: str | None = None
    production_token: str | None = None
    isolation: str = "auto"
    enforce_memory: str = "0"
    lease_s: str = "600"
    remote_poll_s: str = "1"
    debug: str | None = None
    config: str | None = None
    config_values: str | None = None
    login_names: tuple[str, ...] = ()
    attempt: str | None = None
    run_id: str | None = None
    run_datastore: str | None = None
    main_node_ip: str | None = None
    ecs_metadata: str | None = None
    spot_notice: str | None = None
    term: str = ""
    no_color: bool = False
    has_display: bool = False

    @property
    def is_remote_attempt(self) -> bool:
        """Whether this process was started by a supervisor on another machine."""
        return (self.attempt or "").startswith(REMOTE_ATTEMPT)

    @property
    def verifies(self) -> bool:
        """Whether local content is hashed before it is used."""
        return self.verify not in (None, "", "0")

    @property
    def is_debug(self) -> bool:
        """Whether swell's own stack traces are wanted."""
        return self.debug not in (None, "", "0")


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: ``environ`` (default: the process's own) beats the settings file.

    Raises UsageError for a file that cannot be read, or a profile that is not there.
    """
    env = os.environ if environ is None else environ
    home, profile = env.get("SWELL_HOME") or DEFAULT_HOME, env.get("SWELL_PROFILE") or None
    return settings_with(_read_file(home, profile), env)


def settings_with(values: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Settings:
    """As they are where the settings file holds ``values``; the environment goes before it."""
    env = os.environ if environ is None else environ
    given = {s.name: env[s.variable] for s in SETTINGS if env.get(s.variable)}
    given = {**values, **given}
    names = (env.get(variable) for variable in ("SUDO_USER", "USERNAME", "USER"))
    return Settings(
        **given,
        login_names=tuple(name for name in names if name),
        attempt=env.get(ATTEMPT_VARIABLE),
        run_id=env.get(RUN_ID_VARIABLE),
        run_datastore=env.get(RUN_DATASTORE_VARIABLE),
        main_node_ip=env.get("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"),
        ecs_metadata=env.get("ECS_CONTAINER_METADATA_URI_V4"),
        spot_notice=env.get(SPOT_NOTICE_VARIABLE),
        term=env.get("TERM", ""),
        no_color=bool(env.get("NO_COLOR")),
        has_display=bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY")),
    )


def _read_file(home: str, profile: str | None) -> dict[str, str]:
    """Setting → value of the settings file in force; nothing where there is none."""
    folder = os.path.expanduser(home)
    path = settings_path(home, profile)
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        if profile is None:
            return {}
        raise UsageError(
            f"There is no profile '{profile}': {path} does not exist.",
            remedy=(
                "Start it: swell sandbox up."
                if profile == SANDBOX_PROFILE
                else known_profiles(folder)
            ),
        ) from None
    except OSError as error:
        raise UsageError(
            f"The settings file {path} cannot be read: {error.strerror}.",
            remedy="Make it readable, or set SWELL_HOME to another folder.",
        ) from error
    return parse_settings(content, path)


def parse_settings(content: bytes, path: str) -> dict[str, str]:
    """Setting → value of what stands in a settings file. Raises UsageError."""
    return parse_file(content, path, [s.name for s in SETTINGS if s.name not in NOT_IN_FILES])


def without_own_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what swell set for one attempt alone."""
    return {key: value for key, value in environ.items() if key != ATTEMPT_VARIABLE}


def choose_metadata(address: str, environ: MutableMapping[str, str] | None = None) -> None:
    """Let the processes started from here on keep facts at ``address``, as this one does."""
    target = os.environ if environ is None else environ
    target["SWELL_METADATA"] = address


def choose_root(folder: str, environ: MutableMapping[str, str] | None = None) -> None:
    """Let the processes started from here on use the store ``folder``, as this one does."""
    target = os.environ if environ is None else environ
    target["SWELL_ROOT"] = folder


def choose_profile(name: str, environ: MutableMapping[str, str] | None = None) -> None:
    """Let this process and those started from here on read the settings of profile ``name``."""
    target = os.environ if environ is None else environ
    target["SWELL_PROFILE"] = name


class AwsVariables(msgspec.Struct, frozen=True):
    """What Amazon's own tools read from the environment, as far as profiles need it."""

    profile: str | None
    config_file: str
    credentials_file: str
    has_keys: bool
    has_role: bool
    region: str | None
    endpoint_url: str | None


def aws_variables(environ: Mapping[str, str] | None = None) -> AwsVariables:
    """Read them from ``environ`` (default: the process's own)."""
    env = os.environ if environ is None else environ
    roles = (
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )
    return AwsVariables(
        profile=env.get("AWS_PROFILE") or env.get("AWS_DEFAULT_PROFILE") or None,
        config_file=env.get("AWS_CONFIG_FILE") or "~/.aws/config",
        credentials_file=env.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials",
        has_keys=bool(env.get("AWS_ACCESS_KEY_ID")),
        has_role=any(env.get(name) for name in roles),
        region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or None,
        endpoint_url=env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or None,
    )


def mark_task(
    run: str, datastore: str | None = None, environ: MutableMapping[str, str] | None = None
) -> None:
    """Tell a task's own programs which run they belong to, and its object store if it has one."""
    target = os.environ if environ is None else environ
    target[RUN_ID_VARIABLE] = run
    if datastore is not None:
        target[RUN_DATASTORE_VARIABLE] = datastore
    target.pop(ATTEMPT_VARIABLE, None)
