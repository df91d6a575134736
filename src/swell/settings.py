"""Reads the environment, and nothing else does: every setting, its default and its sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

import msgspec

from swell.errors import UsageError
from swell.settings_file import known_profiles, parse_file, settings_path

_DEFAULT_HOME = "~/.config/swell"
_NOT_IN_FILES = ("home", "profile")


class Setting(msgspec.Struct, frozen=True):
    """One setting: its environment variable, default (None: nothing) and what it is for."""

    name: str
    variable: str
    default: str | None
    sentence: str


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "root",
        "SWELL_ROOT",
        None,
        "The store folder. Unset: the nearest `.swell` upwards of the working directory, "
        "else one is made beside the script.",
    ),
    Setting(
        "metadata",
        "SWELL_METADATA",
        None,
        "Where facts on runs are kept: `postgresql://user@host/database` for a team's one "
        "history. Unset, or `local`: in the store folder.",
    ),
    Setting(
        "metadata_wait",
        "SWELL_METADATA_WAIT",
        "600",
        "How many seconds a run waits for a PostgreSQL server that does not answer.",
    ),
    Setting(
        "datastore",
        "SWELL_DATASTORE",
        None,
        "Where artifacts go: `s3://bucket/prefix`, `gs://…`, `az://…`, or `local`, the store "
        "folder, which is the default.",
    ),
    Setting(
        "s3_endpoint_url",
        "SWELL_S3_ENDPOINT_URL",
        None,
        "The endpoint of an S3 service other than Amazon's. Unset: AWS_ENDPOINT_URL.",
    ),
    Setting(
        "s3_region",
        "SWELL_S3_REGION",
        None,
        "The region of the bucket. Unset: AWS_REGION, then the profile's, then `us-east-1`.",
    ),
    Setting(
        "s3_profile",
        "SWELL_S3_PROFILE",
        None,
        "The profile in `~/.aws` whose credentials are used. Unset: AWS_PROFILE.",
    ),
    Setting(
        "s3_addressing",
        "SWELL_S3_ADDRESSING",
        "auto",
        "Where the bucket stands in requests: `path`, `virtual` (in the host's name) or `auto`: "
        "`virtual` for Amazon's own endpoints, else `path`.",
    ),
    Setting(
        "aws_credentials_file",
        "SWELL_AWS_CREDENTIALS_FILE",
        None,
        "Keys for S3, Batch and Logs, in the format of `~/.aws/credentials`. Set: its profile "
        "`default`, or SWELL_S3_PROFILE, goes before keys in the environment, and `~/.aws` is "
        "not read.",
    ),
    Setting(
        "aws_region",
        "SWELL_AWS_REGION",
        None,
        "The region of Batch and Logs. Unset: AWS_REGION, then the profile's.",
    ),
    Setting(
        "batch_host_cache",
        "SWELL_BATCH_HOST_CACHE",
        "/var/tmp/swell-layers",
        "A folder on the EC2 machines of AWS Batch that their containers share, so that packages "
        "are unpacked once a machine. `none`: each container unpacks its own.",
    ),
    Setting(
        "batch_endpoint_url",
        "SWELL_BATCH_ENDPOINT_URL",
        None,
        "The endpoint of a service that stands in for AWS Batch, such as the sandbox's.",
    ),
    Setting(
        "batch_queue",
        "SWELL_BATCH_JOB_QUEUE",
        None,
        "The queue of jobs for which `@batch` names none.",
    ),
    Setting(
        "batch_image",
        "SWELL_BATCH_IMAGE",
        None,
        "The container image for steps that name none. Unset: Python's own image of the version "
        "in use, such as `python:3.11`.",
    ),
    Setting(
        "batch_iam_role",
        "SWELL_BATCH_IAM_ROLE",
        None,
        "The ARN of the role that AWS Batch jobs have; it must reach the object store.",
    ),
    Setting(
        "batch_execution_role",
        "SWELL_BATCH_EXECUTION_ROLE",
        None,
        "The ARN of the role with which Fargate fetches images and writes logs.",
    ),
    Setting(
        "batch_time_limit",
        "SWELL_BATCH_TIME_LIMIT",
        "432000",
        "How many seconds an attempt may run on AWS Batch without `@timeout`: five days.",
    ),
    Setting(
        "logs_endpoint_url",
        "SWELL_LOGS_ENDPOINT_URL",
        None,
        "The endpoint of a service that stands in for CloudWatch Logs.",
    ),
    Setting(
        "sandbox",
        "SWELL_SANDBOX",
        "~/.local/state/swell/sandbox",
        "The folder of the sandbox: what is in its S3, its logs, and how it is reached.",
    ),
    Setting(
        "sandbox_runner",
        "SWELL_SANDBOX_RUNNER",
        "auto",
        "What runs the sandbox's jobs: containers of `podman` or `docker`, or `process`. `auto`: "
        "containers where one of the two works, else processes.",
    ),
    Setting(
        "s3_root",
        "SWELL_S3_ROOT",
        None,
        "Where `S3(run=…)` keeps data, as a URL. Unset: `data` in the object store of the run.",
    ),
    Setting(
        "store_retries",
        "SWELL_STORE_RETRIES",
        "6",
        "How often a request to an object store is tried again; all within two minutes.",
    ),
    Setting(
        "cache",
        "SWELL_CACHE",
        "~/.cache/swell",
        "Where artifacts read from object stores are kept for the next reader on this machine, "
        "and what travels to remote tasks.",
    ),
    Setting(
        "cache_gb",
        "SWELL_CACHE_GB",
        "20",
        "The size of that cache in GB; what was not used for longest goes first. 0: no cache.",
    ),
    Setting(
        "unpickle",
        "SWELL_UNPICKLE",
        None,
        "What stored values may load: `own` (what the script's folder defines, plain Python and "
        "data packages), `allow-list` (that, and what SWELL_UNPICKLE_ALLOW names). Unset: "
        "everything.",
    ),
    Setting(
        "unpickle_allow",
        "SWELL_UNPICKLE_ALLOW",
        None,
        "Packages, modules and names for `allow-list`, separated by commas: "
        "`sklearn,mypkg.models.Net`.",
    ),
    Setting(
        "package_include",
        "SWELL_PACKAGE_INCLUDE",
        None,
        "Files and folders beside the script that travel to remote tasks besides Python files, "
        "separated by commas: `config/*.yaml,models`. Also what git ignores.",
    ),
    Setting(
        "package_max_mb",
        "SWELL_PACKAGE_MAX_MB",
        "200",
        "How many MB the files that travel to remote tasks may have together.",
    ),
    Setting(
        "verify",
        "SWELL_VERIFY",
        None,
        "Set to 1 to hash what is read from the store folder or the cache when a process first "
        "uses it; what comes over a network always is.",
    ),
    Setting(
        "gc_grace_hours",
        "SWELL_GC_GRACE_HOURS",
        "24",
        "How old an artifact that nothing refers to must be before it is removed. In object "
        "stores 13 at least.",
    ),
    Setting(
        "home",
        "SWELL_HOME",
        _DEFAULT_HOME,
        "The folder of settings files: `config.toml`, and one `<profile>.toml` a profile. A line "
        'in them is the name of a setting and its value: `user = "ada"`.',
    ),
    Setting(
        "profile",
        "SWELL_PROFILE",
        None,
        "Read `<profile>.toml` from the home folder instead of `config.toml`.",
    ),
    Setting(
        "user",
        "SWELL_USER",
        None,
        "Who runs the flow. Unset: SUDO_USER, USERNAME, USER, then the login name.",
    ),
    Setting(
        "default_with",
        "SWELL_DEFAULT_DECOSPECS",
        None,
        "Decorators for every step of every run, separated by blanks, as for `--with`.",
    ),
    Setting(
        "production_token",
        "SWELL_PRODUCTION_TOKEN",
        None,
        "Makes `production:<token>` the default namespace.",
    ),
    Setting(
        "isolation",
        "SWELL_ISOLATION",
        "auto",
        "How tasks get their process here: `fork`, `fresh` (a new interpreter) or `auto`.",
    ),
    Setting(
        "enforce_memory",
        "SWELL_ENFORCE_MEMORY",
        "0",
        "`1` is as `--enforce-memory`: a task here that exceeds what it declared is ended.",
    ),
    Setting(
        "lease_s",
        "SWELL_LEASE_S",
        "600",
        "How many seconds tasks on other machines go on without a sign of life of their driver, "
        "and a driver without an answer of the store or the engine.",
    ),
    Setting(
        "remote_poll_s",
        "SWELL_REMOTE_POLL_S",
        "1",
        "The shortest wait in seconds between two looks at what tasks on other machines told.",
    ),
    Setting("debug", "SWELL_DEBUG", None, "Set to 1 to see swell's own stack traces."),
    Setting("config", "SWELL_FLOW_CONFIG", None, 'Files of configs as JSON: `{"name": "path"}`.'),
    Setting(
        "config_values",
        "SWELL_FLOW_CONFIG_VALUE",
        None,
        'Values of configs as JSON: `{"name": {…}}`.',
    ),
)

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
    """The settings in force; see SETTINGS for what each is for."""

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
    home: str = _DEFAULT_HOME
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
    home, profile = env.get("SWELL_HOME") or _DEFAULT_HOME, env.get("SWELL_PROFILE") or None
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
    return parse_file(content, path, [s.name for s in SETTINGS if s.name not in _NOT_IN_FILES])


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
