"""The bootstrap's own client of S3, against a real server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from swell.bootstrap.store import Store, StoreFailure
from tests.servers.seaweedfs import READER_KEY, READER_SECRET, SeaweedFs


@pytest.fixture
def store(s3_url: str) -> Iterator[Store]:
    opened = Store(s3_url, os.environ)
    yield opened
    opened.close()


def test_what_was_written_is_read_whole_and_in_ranges(store: Store) -> None:
    data = os.urandom(3_000_000)

    assert store.write(lambda: "a/b c+ü.bin", data)

    assert store.read("a/b c+ü.bin") == data
    assert store.read("a/b c+ü.bin", 10, 20) == data[10:30]
    assert store.read("a/b c+ü.bin", len(data) - 5, 100) == data[-5:]
    pieces: list[bytes] = []
    assert store.read("a/b c+ü.bin", sink=pieces.append) == b""
    assert b"".join(pieces) == data


def test_nothing_is_written_over(store: Store) -> None:
    assert store.write(lambda: "key", b"first")
    assert not store.write(lambda: "key", b"second")
    assert store.read("key") == b"first"


def test_keys_are_listed_in_order_behind_a_key_with_their_age_by_the_stores_clock(
    store: Store,
) -> None:
    for number in (3, 1, 2):
        store.write(lambda number=number: f"lease/{number:010d}", b"driver")  # type: ignore[misc]
    store.write(lambda: "other/1", b"")

    beats = store.listing("lease/")

    assert [beat.key for beat in beats] == [f"lease/{number:010d}" for number in (1, 2, 3)]
    assert [beat.key for beat in store.listing("lease/", beats[1].key)] == [beats[2].key]
    assert store.listing("none/") == []
    # Both tell whole seconds at worst.
    assert all(abs(store.now() - beat.modified_at) < 60 for beat in beats)


def test_the_stores_time_is_never_ahead_of_it(store: Store) -> None:
    store.listing("")
    assert store.now() <= time.time() + 0.001


def test_a_listing_goes_on_over_pages(store: Store) -> None:
    for number in range(1010):
        store.write(lambda number=number: f"many/{number:04d}", b"")  # type: ignore[misc]

    assert [one.key for one in store.listing("many/")] == [f"many/{n:04d}" for n in range(1010)]


def test_what_is_not_there_or_not_allowed_is_told(store: Store, s3_server: SeaweedFs) -> None:
    with pytest.raises(StoreFailure, match="404 NoSuchKey") as missing:
        store.read("nothing")
    assert missing.value.code == "NoSuchKey"

    reader = Store("s3://data/x", s3_server.environ(READER_KEY, READER_SECRET))
    with pytest.raises(StoreFailure, match=r"403 AccessDenied .*s3:PutObject"):
        reader.write(lambda: "key", b"")
    reader.close()
