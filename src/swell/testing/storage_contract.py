"""What every Storage must do, as tests that authors of one inherit."""

from __future__ import annotations

import threading

import pytest

from swell.errors import DataMissing
from swell.seams.storage import Storage


class StorageContract:
    """Inherit, and give a fixture ``storage`` that returns an empty Storage."""

    def test_what_was_written_is_read(self, storage: Storage) -> None:
        assert storage.write("a/b", [b"one", memoryview(b"two"), b""]) is True
        assert bytes(storage.read("a/b")) == b"onetwo"

    def test_a_large_value_is_read_whole_and_in_parts(self, storage: Storage) -> None:
        data = bytes(range(256)) * 20_000
        storage.write("large", [data])
        assert storage.read("large") == data
        assert storage.read("large", 70_001, 3_000_000) == data[70_001:3_070_001]

    def test_an_empty_value_is_a_value(self, storage: Storage) -> None:
        assert storage.write("empty", []) is True
        assert bytes(storage.read("empty")) == b""

    def test_a_range_that_leaves_the_value_is_cut(self, storage: Storage) -> None:
        storage.write("k", [b"0123456789"])
        assert bytes(storage.read("k", 3, 4)) == b"3456"
        assert bytes(storage.read("k", 8, 100)) == b"89"
        assert bytes(storage.read("k", 7)) == b"789"
        assert bytes(storage.read("k", 50, 10)) == b""

    def test_a_second_write_changes_nothing_and_says_so(self, storage: Storage) -> None:
        assert storage.write("k", [b"first"]) is True
        assert storage.write("k", [b"second"]) is False
        assert bytes(storage.read("k")) == b"first"

    def test_of_many_writers_of_one_key_exactly_one_wins(self, storage: Storage) -> None:
        won: list[int] = []

        def write(number: int) -> None:
            if storage.write("claim", [str(number).encode() * 100_000]):
                won.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert bytes(storage.read("claim")) == str(won[0]).encode() * 100_000

    def test_a_missing_key_is_named(self, storage: Storage) -> None:
        with pytest.raises(DataMissing, match="no/such/key"):
            storage.read("no/such/key")

    def test_keys_are_listed_in_order_with_their_sizes(self, storage: Storage) -> None:
        keys = ["a/1", "a/2/x", "a.b", "a/10", "b", "a/2.z"]
        for size, key in enumerate(keys):
            storage.write(key, [b"x" * size])
        assert [entry.key for entry in storage.list("")] == sorted(keys)
        assert {e.key: e.size for e in storage.list("")} == {k: n for n, k in enumerate(keys)}

    def test_a_listing_is_of_a_prefix_and_goes_on_behind_a_key(self, storage: Storage) -> None:
        keys = [f"run/{number:02d}/{name}" for number in range(5) for name in "xy"]
        for key in [*keys, "runs", "ru"]:
            storage.write(key, [b"."])
        assert [e.key for e in storage.list("run/")] == keys
        assert [e.key for e in storage.list("run/03/")] == keys[6:8]
        assert [e.key for e in storage.list("run/0")] == keys
        assert [e.key for e in storage.list("run/", after="run/02/x")] == keys[5:]
        assert [e.key for e in storage.list("run/", after="run/02")] == keys[4:]
        assert list(storage.list("nothing/")) == []

    def test_what_was_deleted_is_gone_and_can_be_written_anew(self, storage: Storage) -> None:
        storage.write("k", [b"old"])
        storage.write("other", [b"stays"])
        storage.delete(["k", "never/there"])
        with pytest.raises(DataMissing):
            storage.read("k")
        assert [entry.key for entry in storage.list("")] == ["other"]
        assert storage.write("k", [b"new"]) is True
        assert bytes(storage.read("k")) == b"new"

    def test_writing_into_what_was_read_never_reaches_the_store(self, storage: Storage) -> None:
        for key, size in (("small", 100), ("large", 3_000_000)):
            storage.write(key, [bytes(size)])
            view = storage.read(key)
            view[0] = 1
            assert storage.read(key)[0] == 0

    def test_it_has_an_address(self, storage: Storage) -> None:
        assert storage.url
