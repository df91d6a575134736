"""Packs of records: each by its position, whole files only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.datastore.packs import open_pack, write_pack
from swell.errors import DataMissing, StoreError


@given(records=st.lists(st.binary(max_size=100), max_size=50))
def test_records_come_back_at_their_positions(tmp_path_factory, records):
    path = str(tmp_path_factory.mktemp("packs") / "join")
    write_pack(path, records)
    with open_pack(path) as pack:
        assert len(pack) == len(records)
        assert list(pack) == records
        assert [pack[n] for n in range(len(records))] == records
        assert [pack[-n - 1] for n in range(len(records))] == records[::-1]
        assert pack[1:3] == records[1:3]
        with pytest.raises(IndexError):
            pack[len(records)]


def test_records_taken_stay_when_the_pack_is_closed(tmp_path: Path):
    write_pack(str(tmp_path / "p"), [b"one", b"two"])
    pack = open_pack(str(tmp_path / "p"))
    one = pack[0]
    pack.close()
    assert one == b"one"


def test_a_pack_is_replaced_as_a_whole_and_leaves_no_drafts(tmp_path: Path):
    write_pack(str(tmp_path / "p"), [b"old"])
    write_pack(str(tmp_path / "p"), [b"new"])
    assert list(open_pack(str(tmp_path / "p"))) == [b"new"]
    assert os.listdir(tmp_path) == ["p"]


def test_a_missing_pack_is_named(tmp_path: Path):
    with pytest.raises(DataMissing, match="nowhere"):
        open_pack(str(tmp_path / "nowhere"))


def test_a_pack_cut_anywhere_is_refused(tmp_path: Path):
    path = tmp_path / "p"
    write_pack(str(path), [b"one", b"two", b"three"])
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError, match="not a whole pack"):
            open_pack(str(path))


def test_something_else_is_not_a_pack(tmp_path: Path):
    (tmp_path / "p").write_bytes(b"x" * 1000)
    with pytest.raises(StoreError, match="not a whole pack"):
        open_pack(str(tmp_path / "p"))
