"""Every setting: its name, its variable, its default and its sentence; reads nothing."""

from __future__ import annotations

import msgspec

DEFAULT_HOME = "~/.config/swell"
"""The folder of settings files, where none is given."""
NOT_IN_FILES = ("home", "profile")
"""Settings that say which file is read, and so cannot stand in one."""


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
        DEFAULT_HOME,
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
