"""The sandbox's logs, credentials and metadata, asked with the clients that people use."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swell.errors import ComputeError
from swell.sandbox.doors import Doors
from swell.sandbox.instance_metadata import InstanceMetadata, SandboxKeys, Surroundings
from swell.sandbox.jobs import JobSpec
from swell.sandbox.log_service import LogService
from swell.sandbox.log_streams import LogStreams, StreamName
from swell.sandbox.moto_server import MotoLogs, MotoServer
from swell.sandbox.server_process import ServerProcess
from tests.servers.seaweedfs import KEY, SECRET, SeaweedFs

GROUP = "/aws/batch/job"
# The service refuses events that are older than two weeks.
AT = int(time.time() * 1000)
KEYS = SandboxKeys(KEY, SECRET)


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    pytest.importorskip("moto")
    server = MotoServer(tmp_path_factory.mktemp("moto"), "us-east-1")
    server.launch()
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture
def metadata() -> InstanceMetadata:
    return InstanceMetadata(KEYS, "us-east-1", "123456789012")


@pytest.fixture
def doors(metadata: InstanceMetadata) -> Iterator[Doors]:
    doors = Doors(metadata)
    doors.start()
    yield doors
    doors.close()


@pytest.fixture
def streams(tmp_path: Path) -> LogStreams:
    return LogStreams(tmp_path)


@pytest.fixture
def logs(moto: MotoServer, doors: Doors, streams: LogStreams) -> Iterator[Any]:
    """boto3's client of CloudWatch Logs."""
    session = pytest.importorskip("boto3").Session(KEY, SECRET, region_name="us-east-1")
    at_moto = MotoLogs(moto.port, "us-east-1")
    doors.serve_logs(LogService(streams, at_moto))
    client = session.client("logs", endpoint_url=doors.url)
    yield client
    client.close()
    at_moto.close()


def get(url: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(
        url, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, ""


def pages(logs: Any, stream: str, **more: Any) -> list[tuple[int, str]]:
    """All events, read as the API's documentation says: the end is a token that stays."""
    asked = {"logGroupName": GROUP, "logStreamName": stream, "startFromHead": True, **more}
    page = logs.get_log_events(**asked)
    found = page["events"]
    while True:
        token = page["nextForwardToken"]
        page = logs.get_log_events(**asked, nextToken=token)
        found += page["events"]
        if page["nextForwardToken"] == token:
            return [(event["timestamp"], event["message"]) for event in found]


def test_a_log_is_read_while_it_is_written(logs, streams):
    name = StreamName(GROUP, "reading/default/1")
    streams.write(name, b"one\ntwo\n", AT)
    assert pages(logs, name.stream) == [(AT, "one"), (AT, "two")]
    streams.write(name, b"three\n", AT + 500)
    assert [text for _, text in pages(logs, name.stream)] == ["one", "two", "three"]


def test_a_long_log_comes_in_pages(logs, streams):
    name = StreamName(GROUP, "long/default/1")
    streams.write(name, b"".join(b"line %d\n" % n for n in range(12_000)), AT)
    assert [text for _, text in pages(logs, name.stream)] == [f"line {n}" for n in range(12_000)]


def test_a_stream_of_a_container_that_said_nothing_is_empty_and_one_of_none_is_not_there(
    logs, streams
):
    streams.open(StreamName(GROUP, "silent/default/1"))
    assert pages(logs, "silent/default/1") == []
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        pages(logs, "never/default/1")


def test_streams_are_listed_and_searched(logs, streams):
    for n in range(3):
        streams.write(StreamName(GROUP, f"listed/default/{n}"), b"said %d\n" % n, AT)
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="listed/")
    names = [stream["logStreamName"] for stream in found["logStreams"]]
    assert names == [f"listed/default/{n}" for n in range(3)]
    events = logs.filter_log_events(logGroupName=GROUP, logStreamNames=names[1:])["events"]
    assert [event["message"] for event in events] == ["said 1", "said 2"]
    groups = logs.describe_log_groups()["logGroups"]
    assert GROUP in [group["logGroupName"] for group in groups]


def test_what_a_user_writes_there_is_kept_too(logs):
    logs.create_log_group(logGroupName="mine")
    logs.create_log_stream(logGroupName="mine", logStreamName="s")
    logs.put_log_events(
        logGroupName="mine", logStreamName="s", logEvents=[{"timestamp": AT, "message": "m"}]
    )
    found = logs.get_log_events(logGroupName="mine", logStreamName="s", startFromHead=True)
    assert [event["message"] for event in found["events"]] == ["m"]


def test_only_who_has_the_token_gets_credentials(doors, metadata):
    assert get(f"{doors.url}/credentials")[0] == 403
    status, body = get(f"{doors.url}/credentials", Authorization=metadata.token)
    assert status == 200
    given = json.loads(body)
    assert (given["AccessKeyId"], given["SecretAccessKey"]) == (KEY, SECRET)


def test_a_spot_notice_is_at_its_host_alone(doors, metadata):
    def action(host: str) -> tuple[int, str]:
        asked = urllib.request.Request(f"{doors.url}/host/{host}/latest/api/token", method="PUT")
        with urllib.request.urlopen(asked, timeout=20) as answer:
            token = answer.read().decode()
        place = f"{doors.url}/host/{host}/latest/meta-data/spot/instance-action"
        return get(place, X_aws_ec2_metadata_token=token)

    assert action("i-1")[0] == 404
    metadata.announce("i-1", 1_700_000_000)
    status, body = action("i-1")
    assert status == 200
    assert json.loads(body) == {"action": "terminate", "time": "2023-11-14T22:13:20Z"}
    assert action("i-2")[0] == 404
    assert get(f"{doors.url}/host/i-1/latest/meta-data/instance-id")[0] == 401


@pytest.mark.parametrize("client", ["botocore", "obstore"])
@pytest.mark.parametrize("how", ["container", "keys"])
def test_a_job_s_surroundings_open_the_sandbox_s_s3(
    s3_server: SeaweedFs, doors, metadata, tmp_path, monkeypatch, client, how
):
    token_file = tmp_path / "token"
    token_file.write_text(metadata.token)
    surroundings = Surroundings(
        doors.url,
        str(token_file) if how == "container" else None,
        KEYS,
        "us-east-1",
        s3_server.endpoint,
    )
    spec = JobSpec(
        job_id="1", attempt=1, image="", command=(), environment={}, vcpus=1, memory_mib=4
    )
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in surroundings.variables(spec).items():
        monkeypatch.setenv(name, value)
    key = f"surroundings-{client}-{how}"
    if client == "botocore":
        s3 = pytest.importorskip("boto3").Session().client("s3")
        s3.put_object(Bucket="data", Key=key, Body=b"kept")
        with s3.get_object(Bucket="data", Key=key)["Body"] as body:
            assert body.read() == b"kept"
        s3.close()
    else:
        from swell.datastore.object_access import access_from
        from swell.datastore.object_address import parse_address
        from swell.datastore.object_store import ObjectStorage
        from swell.settings import load_settings

        storage = ObjectStorage(parse_address("s3://data/at-jobs"), access_from(load_settings()))
        storage.write(key, [b"kept"])
        assert bytes(storage.read(key)) == b"kept"


def test_a_server_that_ends_at_once_is_told_with_its_last_words(tmp_path):
    server = ServerProcess("Nothing", tmp_path / "log")
    server.launch(["/bin/sh", "-c", "echo no licence; exit 3"])
    with pytest.raises(ComputeError, match=r"Nothing ended at once[^$]*no licence"):
        server.wait_until(lambda: False)
