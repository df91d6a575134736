"""Settings of AWS Batch, and the client that is opened from them."""

import pytest

from swell.compute.batch.access import BatchAccess, open_client
from swell.compute.batch.defaults import (
    access_from,
    completed,
    defaults_from,
    refuse_malformed,
)
from swell.errors import ComputeError, UsageError
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan
from swell.settings import Settings

ROLE = "arn:aws:iam::123456789012:role/team/job"


def test_what_batch_does_not_say_comes_from_the_settings_and_the_image_from_python():
    defaults = defaults_from(Settings(batch_queue="big", batch_iam_role=ROLE))
    plan = StepPlan("work", batch=BatchOptions(queue="small"))
    options = completed(plan, defaults)
    assert (options.queue, options.iam_role) == ("small", ROLE)
    assert options.image == f"python:{defaults.python}"
    assert completed(StepPlan("work"), defaults).queue == "big"


@pytest.mark.parametrize("limit", ["59", "soon", "-1"])
def test_a_time_limit_that_is_none_is_refused(limit):
    with pytest.raises(UsageError, match="SWELL_BATCH_TIME_LIMIT"):
        defaults_from(Settings(batch_time_limit=limit))


def test_an_endpoint_that_is_no_url_is_refused():
    with pytest.raises(UsageError, match="SWELL_LOGS_ENDPOINT_URL"):
        access_from(Settings(logs_endpoint_url="localhost"))


def test_keys_of_a_file_go_before_those_of_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = here\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "elsewhere")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    settings = Settings(
        aws_credentials_file=str(file), batch_endpoint_url="http://127.0.0.1:9", aws_region="x-y-1"
    )
    client = open_client(access_from(settings), "batch")
    assert client._request_signer._credentials.access_key == "here"
    assert client.meta.region_name == "x-y-1"
    assert client.meta.endpoint_url == "http://127.0.0.1:9"


def test_the_region_is_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert access_from(Settings()).region == "eu-north-1"


def test_no_region_is_told_before_anything_is_asked(monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ComputeError, match="No AWS region") as caught:
        open_client(BatchAccess(), "batch")
    assert "AWS_REGION" in caught.value.remedy


def test_a_profile_that_is_not_there_is_told(tmp_path):
    access = BatchAccess("eu-west-1", profile="nobody", credentials_file=str(tmp_path / "none"))
    with pytest.raises(ComputeError, match="profile"):
        open_client(access, "batch")


@pytest.mark.parametrize(
    "image",
    [
        "python:3.11",
        "python",
        "team/python:3.11-slim",
        "registry.local:5000/team/image:tag",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/image:1.2_x",
        "python@sha256:" + "0a" * 32,
    ],
)
def test_names_of_images_are_taken(image):
    refuse_malformed("work", BatchOptions(image=image, iam_role=ROLE))


@pytest.mark.parametrize("image", ["Python:3.11", "python 3.11", "python:", "-x", "http://x/y"])
def test_what_is_no_name_of_an_image_is_refused(image):
    with pytest.raises(ComputeError, match="not the name of an image"):
        refuse_malformed("work", BatchOptions(image=image))


@pytest.mark.parametrize("role", ["job", "arn:aws:iam::1:role/x", "arn:aws:s3:::bucket"])
def test_what_is_no_arn_of_a_role_is_refused_with_its_setting(role):
    with pytest.raises(ComputeError, match="iam_role") as caught:
        refuse_malformed("work", BatchOptions(image="python", iam_role=role))
    assert "SWELL_BATCH_IAM_ROLE" in caught.value.remedy
