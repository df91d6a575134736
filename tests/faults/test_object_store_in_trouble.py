"""Buckets that are denied, away, or go away in the middle; connections that are cut or mute."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from swell import S3
from swell.datastore.object_access import ObjectAccess, access_from
from swell.datastore.object_address import parse_address
from swell.datastore.object_store import PART_BYTES, ObjectStorage
from swell.datastore.patience import Patience
from swell.errors import DataMissing, StoreError
from swell.settings import load_settings
from tests.faults.driving import Place, until
from tests.servers import seaweedfs
from tests.servers.proxy import Proxy
from tests.servers.seaweedfs import READER_KEY, READER_SECRET, SeaweedFs

SOON = Patience(retries=3, first_wait_s=0.01, max_wait_s=0.05)


@pytest.fixture
def proxy(s3_server: SeaweedFs, s3_url: str) -> Iterator[Proxy]:
    """Between the tests and the server."""
    with Proxy(s3_server.ports["s3.port"]) as proxy:
        yield proxy


@pytest.fixture
def said() -> list[str]:
    return []


def storage(url: str, endpoint: str, said: list[str], **changes: object) -> ObjectStorage:
    changes = {"endpoint_url": endpoint, "patience": SOON, **changes}
    access: ObjectAccess = msgspec.structs.replace(access_from(load_settings()), **changes)
    return ObjectStorage(parse_address(url), access, said.append)


def test_an_answer_that_is_cut_off_is_asked_for_again(proxy, s3_url, said):
    through = storage(s3_url, proxy.endpoint, said)
    data = os.urandom(2 * PART_BYTES)
    through.write("k", [data])
    proxy.drop()
    proxy.cut_after = 3_000_000
    threading.Thread(target=lambda: mend(proxy), daemon=True).start()
    assert through.read("k") == data
    assert proxy.cuts > 0


def mend(proxy: Proxy) -> None:
    until(lambda: proxy.cuts, "nothing was cut")
    proxy.cut_after = None


def test_a_connection_that_is_always_cut_off_is_given_up_and_told(proxy, s3_url, said):
    through = storage(s3_url, proxy.endpoint, said)
    through.write("k", [os.urandom(PART_BYTES)])
    proxy.drop()
    proxy.cut_after = 1_000_000
    with pytest.raises(StoreError, match=r"broke off.* Tried 4 times in \d+ s"):
        through.read("k")
    assert "Trying again" in said[0]


def test_a_server_that_never_answers_is_given_up_and_told(proxy, s3_url, said):
    proxy.is_deaf = True
    through = storage(s3_url, proxy.endpoint, said, silence_s=0.2)
    with pytest.raises(StoreError, match="did not answer in time"):
        through.read("k")
    assert "Trying again" in said[0]


def test_a_try_that_was_made_and_not_answered_still_counts_as_the_writers_own(
    proxy, s3_url, said, s3_server
):
    """The first put arrives, its answer does not: the second finds the key, with its content."""
    through = storage(s3_url, proxy.endpoint, said)

    direct = storage(s3_url, s3_server.endpoint, said)
    proxy.cut_after = 0
    threading.Thread(target=lambda: mend(proxy), daemon=True).start()
    assert through.write("claim", [b"mine"]) is True
    assert bytes(direct.read("claim")) == b"mine"
    assert through.write("claim", [b"other"]) is False


def test_what_a_server_was_killed_in_the_middle_of_is_not_there_afterwards(
    tmp_path: Path, s3_url: str, said
):
    if seaweedfs.program() is None:
        pytest.skip("SeaweedFS is not installed")
    server = SeaweedFs(tmp_path)
    server.start()
    try:
        server.make_bucket("data")
        with Proxy(server.ports["s3.port"]) as proxy:
            through = storage(s3_url, proxy.endpoint, said)
            through.write("before", [b"stays"])
            failed: list[BaseException] = []

            def write() -> None:
                try:
                    through.write("large", [os.urandom(6 * PART_BYTES)])
                except StoreError as error:
                    failed.append(error)

            writer = threading.Thread(target=write)
            busy = proxy.connections
            writer.start()
            until(lambda: proxy.connections > busy, "the transfer did not begin")
            server.kill()
            writer.join(timeout=60)
            assert not writer.is_alive()
            assert isinstance(failed[0], StoreError)
            assert failed[0].retryable
        server.start()
        # It answers a while before it has found its volumes again.
        direct = storage(s3_url, server.endpoint, said, patience=Patience(retries=20))
        assert bytes(direct.read("before")) == b"stays"
        with pytest.raises(DataMissing):
            direct.read("large")
        assert direct.write("large", [b"a" * PART_BYTES]) is True
    finally:
        server.kill()


def test_an_interrupt_is_not_kept_waiting_by_a_server_that_is_mute(proxy, s3_url, said):
    proxy.is_deaf = True
    through = storage(s3_url, proxy.endpoint, said, silence_s=60)
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        import signal

        until(lambda: proxy.connections, "no connection was made")
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        through.read("k")
    assert time.monotonic() - began < 50
    proxy.drop()


def test_a_bucket_that_may_not_be_used_is_told_by_the_users_client(
    s3_url, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READER_SECRET)
    with S3(s3root=s3_url) as s3:
        with pytest.raises(StoreError, match="access was denied"):
            s3.put("a", "b")
        with pytest.raises(StoreError, match="access was denied"):
            s3.get("a")


FLOW = """
import os

class TinyFlow(FlowSpec):
    @step
    def start(self):
        self.data = os.urandom(100_000)
        self.next(self.end)

    @step
    def end(self):
        print("read", len(self.data))

if __name__ == "__main__":
    TinyFlow()
"""


def s3_environ(**changes: str) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if name.startswith("SWELL_S3_")}
    return {**found, "SWELL_CACHE_GB": "0", **changes}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"AWS_ACCESS_KEY_ID": READER_KEY, "AWS_SECRET_ACCESS_KEY": READER_SECRET},
            "access was denied",
        ),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the secret key does not fit the access key"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "the access key is not known there"),
        ({"AWS_SESSION_TOKEN": "nonsense"}, "AWS_ACCESS_KEY_ID"),
        ({"SWELL_S3_PROFILE": "nobody"}, "There is no profile 'nobody'"),
        ({"SWELL_S3_ENDPOINT_URL": "localhost"}, "is no URL"),
        ({"SWELL_STORE_RETRIES": "1", "SWELL_S3_ENDPOINT_URL": "http://127.0.0.1:1"},
         "nothing answers at its endpoint"),
        ({"SWELL_CACHE_GB": "much"}, "SWELL_CACHE_GB"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_use_its_bucket_ends_before_it_begins(
    place: Place, s3_url, changes, told
):
    environ = place.environ(**s3_environ(**changes), SWELL_DATASTORE=s3_url)
    ended = place.run(place.script(FLOW), "run", env=environ)
    assert ended.code in (1, 2)
    assert told in ended.text
    assert "Traceback" not in ended.text
    assert "Task starts" not in ended.text


WAITING_FLOW = """
import os, time

class WaitingFlow(FlowSpec):
    @step
    def start(self):
        open("up", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.01)
        self.data = os.urandom(100_000)
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    WaitingFlow()
"""


def test_a_bucket_that_goes_away_in_mid_run_fails_the_task_with_the_cause(
    place: Place, proxy, s3_url
):
    environ = place.environ(
        **s3_environ(SWELL_S3_ENDPOINT_URL=proxy.endpoint, SWELL_STORE_RETRIES="1"),
        SWELL_DATASTORE=s3_url,
    )
    with place.started(place.script(WAITING_FLOW), "run", env=environ) as driver:
        driver.wait_for("Task starts")
        until(lambda: (place.folder / "up").exists(), "the task did not start")
        proxy.is_down = True
        proxy.drop()
        (place.folder / "go").touch()
        assert driver.wait() == 1
        assert "Trying again" in driver.text
        assert f"in {s3_url}" in driver.text
