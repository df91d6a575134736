"""`swell configure aws` and `swell doctor` as people use them, on a sandbox; lines that only
the engine kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.errors import UsageError
from swell.sandbox.launching import start
from swell.sandbox.place import Running, SandboxFolder, Wanted, variables_for
from tests.servers.refusing import Refusing

pytest.importorskip("moto")

_SWELL = "from swell.cli.main import swell_command; swell_command()"
_ROLE = "arn:aws:iam::123456789012:role"


class Desk:
    """Types commands with settings that lead to a sandbox, but in no settings file."""

    def __init__(self, folder: Path, running: Running) -> None:
        self.folder = folder
        self.home = folder / "home"
        given = variables_for(running, SandboxFolder(Path(running.folder)).credentials)
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "SWELL_"))}
        given = {n: v for n, v in given.items() if n.startswith("AWS_")}
        self.environ = {
            **kept,
            **given,
            "SWELL_HOME": str(self.home),
            "SWELL_BATCH_ENDPOINT_URL": running.batch_url,
            "SWELL_LOGS_ENDPOINT_URL": running.logs_url,
            "SWELL_S3_ENDPOINT_URL": running.s3_url,
            "SWELL_S3_ADDRESSING": "path",
            "SWELL_REMOTE_POLL_S": "0.1",
            "SWELL_USER": "tester",
        }

    def swell(self, *words: str, code: int = 0, answers: str = "", **variables: str) -> str:
        return self.type(
            sys.executable, "-c", _SWELL, *words, code=code, answers=answers, **variables
        )

    def type(self, *words: str, code: int = 0, answers: str = "", **variables: str) -> str:
        done = subprocess.run(
            words, cwd=self.folder, env={**self.environ, **variables}, input=answers,
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("sandbox")
    try:
        started = start(Wanted(str(folder / "state"), str(folder / "home"), ends_with_stdin=True))
    except UsageError as why:
        pytest.skip(str(why))
    assert started.stdin is not None
    with started.stdin:
        yield started.running


@pytest.fixture
def desk(running: Running, tmp_path: Path) -> Desk:
    return Desk(tmp_path, running)


GIVEN = ("--region", "us-east-1", "--bucket", "swell/team", "--queue", "swell")


def test_what_is_given_is_tried_and_written_and_the_next_command_told(desk: Desk) -> None:
    said = desk.swell("configure", "aws", *GIVEN, "--profile", "team", "--yes")

    assert "s3://swell/team can be written and read" in said
    assert "python flow.py --profile team run --with batch" in said
    assert (desk.home / "team.toml").read_text() == (
        'aws_region = "us-east-1"\ns3_region = "us-east-1"\n'
        'datastore = "s3://swell/team"\nbatch_queue = "swell"\n'
    )


def test_what_fails_is_told_and_asked_again(desk: Desk) -> None:
    answers = f"us-east-1\nswell\nnone\nfargate\njob\n{_ROLE}/job\n{_ROLE}/images\ny\n"

    said = desk.swell("configure", "aws", answers=answers)

    assert "Queues there: fair, fargate, spot, swell." in said
    assert "no job queue 'none' in the region us-east-1" in said
    assert "Write it like arn:aws:iam::123456789012:role/job." in said
    assert f'batch_execution_role = "{_ROLE}/images"' in (desk.home / "config.toml").read_text()


def test_saying_no_writes_nothing(desk: Desk) -> None:
    said = desk.swell("configure", "aws", *GIVEN, "--iam-role", f"{_ROLE}/job", answers="n\n")

    assert "Nothing was written." in said
    assert not desk.home.exists()


def test_other_lines_of_the_file_stay_and_its_values_are_taken_as_given(desk: Desk) -> None:
    desk.home.mkdir()
    (desk.home / "team.toml").write_text('# ours\nuser = "ada"\nbatch_queue = "spot"\n')

    desk.swell("configure", "aws", *GIVEN[:4], "--profile", "team", "--yes")

    written = (desk.home / "team.toml").read_text()
    assert written.startswith('# ours\nuser = "ada"\nbatch_queue = "spot"\n')


def test_what_was_not_given_is_named_when_nothing_may_be_asked(desk: Desk) -> None:
    said = desk.swell("configure", "aws", "--region", "us-east-1", "--yes", code=2)

    assert "Give --bucket" in said
    assert not desk.home.exists()


def test_without_anybody_to_answer_the_options_are_named(desk: Desk) -> None:
    assert "Nobody answers" in desk.swell("configure", "aws", "--region", "us-east-1", code=2)


def test_a_bucket_that_is_not_there_is_refused_before_anything_is_written(desk: Desk) -> None:
    with Refusing(404, "NoSuchBucket") as s3:
        said = desk.swell(
            "configure", "aws", *GIVEN, "--yes", code=1, SWELL_S3_ENDPOINT_URL=s3.endpoint
        )

    assert "there is no such bucket" in said
    assert not desk.home.exists()


def test_a_setting_of_the_environment_that_goes_before_the_file_is_told(desk: Desk) -> None:
    said = desk.swell("configure", "aws", *GIVEN, "--yes", SWELL_BATCH_JOB_QUEUE="spot")

    assert "SWELL_BATCH_JOB_QUEUE is set in the environment" in said


def test_the_profile_of_the_sandbox_is_left_alone(desk: Desk) -> None:
    said = desk.swell("configure", "aws", "--profile", "sandbox", "--yes", code=2)

    assert "belongs to the sandbox" in said


def test_the_doctor_tells_whether_batch_can_be_reached(desk: Desk) -> None:
    configured = {"SWELL_DATASTORE": "s3://swell/x", "SWELL_BATCH_JOB_QUEUE": "swell"}

    well = desk.swell("doctor", **configured)
    away = desk.swell("doctor", **configured, SWELL_BATCH_ENDPOINT_URL="http://127.0.0.1:9")

    assert "the queue 'swell' takes jobs: EC2" in well
    assert "s3://swell/x can be read" in well
    assert "cannot be reached at http://127.0.0.1:9" in away


def test_the_doctor_does_not_ask_for_batch_where_it_is_not_configured(desk: Desk) -> None:
    said = desk.swell("doctor", SWELL_BATCH_ENDPOINT_URL="")

    assert "AWS Batch\n" not in said


KILLED = """
import os, signal
from swell import FlowSpec, step

class KilledFlow(FlowSpec):
    @step
    def start(self):
        print("the last words")
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    KilledFlow()
"""


def test_the_last_lines_of_a_container_that_was_killed_are_in_the_log(desk: Desk) -> None:
    (desk.folder / "killed.py").write_text(KILLED)
    at = {"SWELL_DATASTORE": "s3://swell/killed", "SWELL_BATCH_JOB_QUEUE": "swell"}

    desk.type(sys.executable, "killed.py", "run", "--with", "batch", code=1, **at)

    said = desk.type(sys.executable, "killed.py", "logs", "1/start")
    assert said.count("the last words\n") == 1
