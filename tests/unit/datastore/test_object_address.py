"""URLs of object stores: what is one, and what a typo is told."""

from __future__ import annotations

import pytest

from swell.datastore.object_address import ObjectAddress, is_object_url, parse_address
from swell.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://bucket", ObjectAddress("s3", "bucket", "")),
        ("s3://bucket/", ObjectAddress("s3", "bucket", "")),
        (" s3a://bucket/a//b/ ", ObjectAddress("s3", "bucket", "a/b")),
        ("gs://bucket/x", ObjectAddress("gs", "bucket", "x")),
        ("az://box/x", ObjectAddress("az", "box", "x")),
    ],
)
def test_a_url_names_service_bucket_and_prefix(text: str, address: ObjectAddress):
    assert parse_address(text) == address
    assert is_object_url(text)


def test_an_address_is_told_as_it_is_typed():
    assert parse_address("s3://b/a/").url == "s3://b/a"
    assert parse_address("s3://b").under("x", "y").url == "s3://b/x/y"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("s4://bucket", "begins with s3://"),
        ("bucket/prefix", "begins with s3://"),
        ("s3:/bucket", "begins with s3://"),
        ("s3:///prefix", "names no bucket"),
        ("s3://", "names no bucket"),
        ("s3://my bucket", "cannot be a bucket"),
        ("s3://host:9000/bucket", "SWELL_S3_ENDPOINT_URL"),
        ("s3://bucket/../x", "Write the prefix out"),
    ],
)
def test_a_url_with_a_typo_is_refused_with_what_to_write(text: str, told: str):
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert told in str(caught.value)
