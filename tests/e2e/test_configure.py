"""`swell configure aws` and `swell doctor` as people use them, on a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.errors import UsageError
from swell.sandbox.place import Running
from tests.e2e.desk import Desk, sandbox_in
from tests.servers.refusing import Refusing

pytest.importorskip("moto")

_ROLE = "arn:aws:iam::123456789012:role"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    try:
        with sandbox_in(tmp_path_factory.mktemp("sandbox")) as running:
            yield running
    except UsageError as why:
        pytest.skip(str(why))


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
