"""The manifest is checked, and of a submission only what an attempt needs is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.bootstrap.manifest import Manifest, read_member
from swell.bootstrap.place import Refused
from tests.e2e.bootstrap_stage import pack

PARTS = st.lists(st.binary(max_size=30), min_size=1, max_size=5)


@given(shared=PARTS, launches=PARTS, data=st.data())
def test_each_member_is_found_with_its_shared_part(
    shared: list[bytes], launches: list[bytes], data: st.DataObject
) -> None:
    numbers = [data.draw(st.integers(0, len(shared) - 1)) for _ in launches]
    whole = pack(list(zip(numbers, launches, strict=True)), shared)

    for index, (number, launch) in enumerate(zip(numbers, launches, strict=True)):
        found = read_member(lambda start, length: whole[start : start + length], index)
        assert found == (number.to_bytes(4, "little") + launch, shared[number])


def test_a_child_of_ten_thousand_reads_some_kilobytes() -> None:
    whole = pack([(0, b"launch") for _ in range(10_000)], [b"x" * 1000])
    reads: list[int] = []

    def read(start: int, length: int) -> bytes:
        reads.append(length)
        return whole[start : start + length]

    member, shared = read_member(read, 9_999)

    assert (member[4:], shared) == (b"launch", b"x" * 1000)
    assert len(reads) <= 5
    assert sum(reads) < 70_000


@pytest.mark.parametrize(
    ("whole", "sentence"),
    [
        (b"", "shorter than its head"),
        (b"swellsub" + (2).to_bytes(4, "little") + bytes(8), "of version 2"),
        (pack([(3, b"")], [b""]), "names shared part 3 of 1"),
    ],
)
def test_a_submission_that_is_no_submission_is_told(whole: bytes, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        read_member(lambda start, length: whole[start : start + length], 0)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"not json", "The manifest cannot be read"),
        (b"{}", "KeyError 'format'"),
        (json.dumps({"format": 9}).encode(), "has format 9, this program reads 1"),
    ],
)
def test_a_manifest_that_is_none_is_told(data: bytes, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        Manifest(data)
