"""The sandbox's folder: whether one is up, how it is reached, and the profile that leads there."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from swell.errors import UsageError
from swell.settings import SANDBOX_PROFILE

RUNNERS = ("auto", "process", "podman", "docker")
"""What may be asked to run jobs; ``engine_choice`` says which of them does."""
_MARK = "# Written by `swell sandbox up`; `swell sandbox down` removes it.\n"


class Wanted(msgspec.Struct, frozen=True):
    """What a sandbox is started with.

    ``port``: of the Batch API, 0: a free one. ``vcpus``: of each compute environment, None: as
    the machine has. ``ends_with_stdin``: it ends when its standard input does. ``runner``: what
    runs jobs, one of RUNNERS.
    """

    folder: str
    home: str
    port: int = 0
    job_credentials: str = "endpoint"
    vcpus: int | None = None
    ends_with_stdin: bool = False
    runner: str = "process"


class Running(msgspec.Struct, frozen=True):
    """A sandbox that is up: where its parts are, and the keys that open them.

    ``runner``: what runs jobs, 'process' or an engine, and ``runner_why``, if there is more to
    say of it. ``memory_by``: what keeps jobs within their memory.
    """

    pid: int
    folder: str
    home: str
    region: str
    batch_url: str
    logs_url: str
    s3_url: str
    s3_by: str
    bucket: str
    queue: str
    access_key_id: str
    secret_access_key: str
    runner: str
    memory_by: str
    runner_why: str = ""

    @property
    def datastore(self) -> str:
        """Where runs keep their artifacts."""
        return f"s3://{self.bucket}/sandbox"


class Report(msgspec.Struct, frozen=True):
    """What a sandbox that was started says once: it is up, or why not."""

    running: Running | None = None
    failure: str = ""
    remedy: str = ""


class SandboxFolder:
    """Files of the sandbox that stay the same whichever part of it is asked."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._lock = folder / "lock"
        self._state = folder / "sandbox.json"

    @property
    def log(self) -> Path:
        """What the sandbox's own processes print."""
        return self.path / "sandbox.log"

    @property
    def credentials(self) -> Path:
        """The keys, in the format of ``~/.aws/credentials``."""
        return self.path / "credentials"

    def hold(self) -> int | None:
        """Take the folder for this process and its children; None where another has it.

        A lock of the kernel: it is free when the last of them is gone, however it went.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        for is_last in (False, False, True):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if is_last:
                    os.close(fd)
                    return None
                # Somebody who only asks has it for microseconds.
                time.sleep(0.02)
        os.truncate(fd, 0)
        os.write(fd, str(os.getpid()).encode())
        return fd

    def holder(self) -> int | None:
        """The process id of the sandbox that has the folder; None where there is none."""
        try:
            fd = os.open(self._lock, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            text = os.pread(fd, 32, 0)
            return int(text) if text.isdigit() else 0
        finally:
            os.close(fd)
        return None

    def running(self) -> Running | None:
        """The sandbox that is up and ready; None where there is none."""
        if self.holder() is None:
            return None
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=Running)
        except (OSError, msgspec.MsgspecError):
            return None

    def write(self, running: Running) -> None:
        """Let others find it: its state, its keys and its profile. Raises UsageError."""
        write_private(
            self.credentials,
            f"[default]\naws_access_key_id = {running.access_key_id}\n"
            f"aws_secret_access_key = {running.secret_access_key}\n",
        )
        write_profile(Path(running.home), profile_text(running, self.credentials))
        write_private(self._state, msgspec.json.encode(running).decode())

    def forget(self, home: Path) -> None:
        """Take away what ``write`` wrote."""
        for path in (self._state, self.credentials):
            path.unlink(missing_ok=True)
        path = _profile_path(home)
        with suppress(OSError):
            if path.read_text().startswith(_MARK):
                path.unlink()


def profile_text(running: Running, credentials: Path) -> str:
    """The settings that lead to ``running``."""
    values = {
        "datastore": running.datastore,
        "s3_endpoint_url": running.s3_url,
        "s3_region": running.region,
        "s3_addressing": "path",
        "aws_region": running.region,
        "aws_credentials_file": str(credentials),
        "batch_endpoint_url": running.batch_url,
        "batch_queue": running.queue,
        "logs_endpoint_url": running.logs_url,
    }
    # A TOML string is written as JSON writes it.
    return _MARK + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def check_profile(home: Path) -> None:
    """Raises UsageError where a profile of the same name is the user's own."""
    path = _profile_path(home)
    with suppress(FileNotFoundError):
        if not path.read_text().startswith(_MARK):
            raise UsageError(
                f"{path} is a profile of your own, and the sandbox needs its name.",
                remedy="Give it another name: a profile is called as its file is.",
            )


def write_profile(home: Path, text: str) -> None:
    """Write the profile, unless one of the user's own is there. Raises UsageError."""
    check_profile(home)
    home.mkdir(parents=True, exist_ok=True)
    path = _profile_path(home)
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read; whole or not at all."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "w") as file:
        file.write(text)
    beside.replace(path)


def variables_for(running: Running, credentials: Path) -> dict[str, str]:
    """What a program needs to use the sandbox as its AWS, be it swell, boto3 or the AWS CLI."""
    return {
        "SWELL_HOME": running.home,
        "SWELL_PROFILE": SANDBOX_PROFILE,
        "AWS_ACCESS_KEY_ID": running.access_key_id,
        "AWS_SECRET_ACCESS_KEY": running.secret_access_key,
        "AWS_REGION": running.region,
        "AWS_DEFAULT_REGION": running.region,
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_ENDPOINT_URL_BATCH": running.batch_url,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": running.logs_url,
        "AWS_ENDPOINT_URL_S3": running.s3_url,
    }


def _profile_path(home: Path) -> Path:
    return home / f"{SANDBOX_PROFILE}.toml"
