"""Endpoint, region and credentials: from settings, the environment and the files in ~/.aws."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from swell.datastore.aws_profile import credentials_from, read_profile
from swell.datastore.object_access import ObjectAccess, access_from, s3_options
from swell.errors import StoreError, UsageError
from swell.settings import AwsVariables, aws_variables, load_settings

CONFIG = """
[default]
region = eu-west-1

[profile lab]
region = eu-central-1
endpoint_url = https://storage.lab
s3 =
    addressing_style = path

[profile program]
credential_process = {program}

[profile role]
role_arn = arn:aws:iam::1:role/x
source_profile = default
"""
CREDENTIALS = """
[default]
aws_access_key_id = DEFAULT
aws_secret_access_key = secret

[lab]
aws_access_key_id = LAB
aws_secret_access_key = secret-lab
aws_session_token = token-lab
"""


GIVEN = """
{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "B", "SessionToken": "C",
 "Expiration": "2030-01-01T00:00:00Z"}
"""


@pytest.fixture
def aws(tmp_path: Path) -> AwsVariables:
    """The variables of a user with files in ~/.aws and nothing else."""
    (tmp_path / "config").write_text(CONFIG.format(program=f"cat {tmp_path}/given"))
    (tmp_path / "given").write_text(GIVEN)
    (tmp_path / "credentials").write_text(CREDENTIALS)
    return aws_variables(
        {
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        }
    )


def change(aws: AwsVariables, **changes: object) -> AwsVariables:
    import msgspec

    return msgspec.structs.replace(aws, **changes)


def test_without_anything_the_default_profile_and_amazons_endpoint_are_used(aws):
    config, provider = s3_options("bucket", ObjectAccess(), aws)
    assert config == {
        "region": "eu-west-1",
        "virtual_hosted_style_request": True,
        "unsigned_payload": True,
        "access_key_id": "DEFAULT",
        "secret_access_key": "secret",
    }
    assert provider is None


def test_a_profile_gives_keys_token_region_endpoint_and_addressing(aws):
    config, _ = s3_options("bucket", ObjectAccess(profile="lab"), change(aws, has_keys=True))
    assert config["session_token"] == "token-lab"
    assert config["access_key_id"] == "LAB"
    assert config["region"] == "eu-central-1"
    assert config["endpoint"] == "https://storage.lab"
    assert config["virtual_hosted_style_request"] is False


def test_keys_in_the_environment_go_before_a_profile_that_the_environment_names(aws):
    config, _ = s3_options("bucket", ObjectAccess(), change(aws, has_keys=True, profile="lab"))
    assert "access_key_id" not in config
    assert config["region"] == "eu-central-1"


def test_settings_go_before_the_environment_and_that_before_the_profile(aws):
    given = change(aws, profile="lab", region="us-west-2", endpoint_url="http://10.0.0.1:9000")
    config, _ = s3_options("bucket", ObjectAccess(), given)
    assert config["region"] == "us-west-2"
    assert config["endpoint"] == "http://10.0.0.1:9000"
    access = ObjectAccess(endpoint_url="http://other", region="eu-north-1", addressing="virtual")
    config, _ = s3_options("bucket", access, given)
    assert config["region"] == "eu-north-1"
    assert config["endpoint"] == "http://bucket.other"
    assert config["unsigned_payload"] is False


def test_a_role_of_the_machine_is_left_to_the_engine(aws):
    config, provider = s3_options("bucket", ObjectAccess(), change(aws, has_role=True))
    assert "access_key_id" not in config
    assert provider is None


def test_a_program_can_give_the_credentials(aws):
    _, provider = s3_options("bucket", ObjectAccess(profile="program"), aws)
    assert provider is not None
    given = provider()
    assert (given["access_key_id"], given["secret_access_key"], given["token"]) == ("A", "B", "C")
    assert given["expires_at"].year == 2030


def test_a_program_that_gives_none_is_named():
    with pytest.raises(StoreError, match="Run it by hand: false"):
        credentials_from("false")


def test_a_profile_that_is_not_there_is_told_with_those_that_are(aws):
    with pytest.raises(UsageError, match="There are: default, lab, program, role"):
        s3_options("bucket", ObjectAccess(profile="labb"), aws)


def test_a_file_that_is_no_profile_file_is_named(tmp_path):
    path = tmp_path / "config"
    path.write_text("region = x\n")
    with pytest.raises(StoreError, match="config cannot be read"):
        read_profile(str(path), str(tmp_path / "none"), None)


def test_no_files_are_no_profile(tmp_path):
    assert read_profile(str(tmp_path / "a"), str(tmp_path / "b"), None).name is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SWELL_S3_ENDPOINT_URL", "127.0.0.1:9000"),
        ("SWELL_S3_ADDRESSING", "paths"),
        ("SWELL_STORE_RETRIES", "often"),
    ],
)
def test_a_setting_that_cannot_be_is_named(variable: str, value: str):
    with pytest.raises(UsageError, match=variable):
        access_from(load_settings({variable: value}))


def test_a_credentials_file_of_the_settings_stands_alone(aws, tmp_path):
    own = tmp_path / "own"
    own.write_text("[default]\naws_access_key_id = OWN\naws_secret_access_key = s\n")
    access = ObjectAccess(credentials_file=str(own))
    config, provider = s3_options("b", access, msgspec.structs.replace(aws, has_keys=True))
    assert config["region"] == "us-east-1"
    assert "access_key_id" not in config
    assert provider is not None
    given = provider()
    assert (given["access_key_id"], given["token"]) == ("OWN", None)


def test_a_credentials_file_that_is_not_there_is_told(aws, tmp_path):
    access = ObjectAccess(credentials_file=str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"no profile 'default'"):
        s3_options("b", access, aws)
