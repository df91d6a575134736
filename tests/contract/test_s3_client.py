"""``swell.S3`` on a real S3 server: what scripts written for Metaflow's client rely on."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell import S3
from swell.errors import DataMissing, StoreError, UsageError
from swell.s3.objects import S3GetObject, S3PutObject

LARGE = 40_000_000


@pytest.fixture
def s3(s3_url: str, tmp_path: Path) -> Iterator[S3]:
    with S3(s3root=s3_url, tmproot=str(tmp_path)) as s3:
        yield s3


def test_what_was_put_is_got_as_text_bytes_and_file(s3, s3_url):
    assert s3.put("a/hello", "wörld") == f"{s3_url}/a/hello"
    got = s3.get("a/hello")
    assert (got.text, got.blob, got.size, got.exists) == ("wörld", "wörld".encode(), 6, True)
    assert (got.key, got.url) == ("a/hello", f"{s3_url}/a/hello")
    assert Path(got.path).read_text() == "wörld"
    assert got.last_modified > 1_000_000_000
    assert got.range_info is None


def test_files_that_were_read_are_gone_behind_the_with_statement(s3_url, tmp_path):
    with S3(s3root=s3_url, tmproot=str(tmp_path)) as s3:
        s3.put("a", "x")
        path = Path(s3.get("a").path)
        assert path.exists()
        assert tmp_path in path.parents
    assert list(tmp_path.iterdir()) == []


def test_whole_urls_need_no_root(s3_url):
    with S3() as s3:
        url = s3.put(f"{s3_url}/a", b"1")
        assert s3.get(url).blob == b"1"
        assert [found.url for found in s3.list_recursive([s3_url])] == [url]


def test_an_existing_object_stays_if_it_may_not_be_overwritten(s3, s3_url):
    s3.put("a", "first")
    s3.put("a", "second", overwrite=False)
    assert s3.get("a").text == "first"
    written = s3.put_many([("a", "x"), ("b", "y")], overwrite=False)
    assert written == [("b", f"{s3_url}/b")]
    large = bytes(LARGE)
    assert s3.put_many([("a", large)], overwrite=False) == []
    s3.put("a", "third")
    assert s3.get("a").text == "third"


def test_what_is_missing_is_named_or_said(s3, s3_url):
    with pytest.raises(DataMissing, match=f"nothing at {s3_url}/none"):
        s3.get("none")
    missing = s3.get("none", return_missing=True)
    assert (missing.exists, missing.size, missing.blob, missing.path) == (False, None, None, None)
    s3.put("a", "x")
    found = s3.get_many(["a", "none"], return_missing=True)
    assert [one.exists for one in found] == [True, False]
    with pytest.raises(DataMissing):
        s3.info("none")
    assert s3.info("none", return_missing=True).exists is False


def test_notes_and_content_type_are_kept(s3):
    s3.put("a", b"{}", content_type="application/json", metadata={"made_by": "me"})
    for found in (s3.get("a"), s3.info("a")):
        assert found.content_type == "application/json"
        assert found.metadata == {"made_by": "me"}
    assert s3.info("a").size == 2
    assert s3.info("a").downloaded is False


def test_open_files_are_put_from_their_beginning(s3, tmp_path):
    in_memory = io.BytesIO(b"in memory")
    in_memory.read()
    (tmp_path / "x").write_bytes(b"in a file")
    with open(tmp_path / "x", "rb") as file, open(tmp_path / "x", "rb", buffering=0) as raw:
        s3.put_many([("a", in_memory), ("b", file), ("c", raw)])
    assert [found.blob for found in s3.get_many("abc")] == [b"in memory", *[b"in a file"] * 2]


@pytest.mark.parametrize("size", [100, LARGE])
def test_parts_of_objects_are_read(s3, size):
    data = os.urandom(size)
    s3.put("a", data)
    middle = s3.get(S3GetObject("a", 10, size - 20))
    assert middle.blob == data[10:-10]
    assert middle.range_info == (size, 10, size - 20)
    assert s3.get(S3GetObject("a", size - 5)).blob == data[-5:]
    beyond = s3.get(S3GetObject("a", size - 5, 100))
    assert beyond.blob == data[-5:]
    assert beyond.range_info == (size, size - 5, 5)


def test_large_objects_and_files_go_in_parts_and_come_back_whole(s3, tmp_path):
    data = os.urandom(LARGE)
    (tmp_path / "file").write_bytes(data)
    s3.put_files([("f", str(tmp_path / "file")), S3PutObject("g", path=tmp_path / "file")])
    s3.put("h", memoryview(data))
    for found in s3.get_many(["f", "g", "h"]):
        assert found.size == LARGE
        assert Path(found.path).read_bytes() == data


def test_many_are_put_and_got_in_order(s3):
    values = {f"many/{number}": os.urandom(1_000) for number in range(200)}
    written = s3.put_many(values.items())
    assert [key for key, _ in written] == list(values)
    assert [found.blob for found in s3.get_many(values)] == list(values.values())
    below = s3.get_recursive(["many"])
    assert {found.key: found.blob for found in below} == values
    assert {found.prefix for found in below} == {"many"}


def test_a_folder_is_listed_with_its_folders_or_with_all_below(s3):
    for key in ("a", "d/b", "d/e/c", "da"):
        s3.put(key, key)
    assert [(found.key, found.exists) for found in s3.list_paths()] == [
        ("a", True),
        ("d", False),
        ("da", True),
    ]
    assert [found.key for found in s3.list_paths(["d"])] == ["d/b", "d/e"]
    recursive = [(found.key, found.size) for found in s3.list_recursive()]
    assert sorted(recursive) == [("a", 1), ("d/b", 3), ("d/e/c", 5), ("da", 2)]
    assert [found.key for found in s3.list_recursive(["d"])] == ["d/b", "d/e/c"]
    assert sorted(found.text for found in s3.get_all()) == ["a", "d/b", "d/e/c", "da"]


def closed_file() -> io.BytesIO:
    file = io.BytesIO()
    file.close()
    return file


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (lambda: S3().get("key"), "Write s3://bucket/key"),
        (lambda: S3(s3root="s3://data").get("s3://data/x"), "relative to the root"),
        (lambda: S3(s3root="s3://data").get("../x"), "has no empty, '.' or '..' parts"),
        (lambda: S3(s3root="s3://data").put("", "x"), "names no object"),
        (lambda: S3(s3root="s3://data").put("x//y", "x"), "has no empty, '.' or '..' parts"),
        (lambda: S3().get("s3://data/x//y"), "has no empty, '.' or '..' parts"),
        (lambda: S3(s3root="s3://data").put("/x", "x"), "does not begin with '/'"),
        (lambda: S3(s3root="s3://data").put("x/", "x"), "x/ names no object"),
        (lambda: S3(s3root="s3://data").put("x", 5), "is a int"),
        (lambda: S3(s3root="s3://data").get(5), "5 is a int, not a key"),
        (lambda: S3(s3root="s3://data").put("x", "", metadata={"ö": "x"}), "called 'ö'"),
        (lambda: S3(s3root="s3://data").put("x", "", metadata={"a": "ö"}), "no HTTP header"),
        (lambda: S3(s3root="s3://data").put("x", "", metadata={"a": "b\nc"}), "no HTTP header"),
        (lambda: S3(s3root="s3://data").put("x", "", content_type="a\nb"), "no HTTP header"),
        (lambda: S3(s3root="s3://data").put("x", closed_file()), "cannot be read from"),
        (lambda: S3(s3root="s3://data").put_files([("x", "/no/file")]), "no file '/no/file'"),
        (lambda: S3(s3root="s3://data", bucket="x"), "Give one of them"),
        (lambda: S3(s3root="data"), "begins with s3://"),
        (lambda: S3(run=5), "outside of a task"),
        (lambda: S3().get_all(), "needs a root"),
        (lambda: S3(s3root="s3://data").get(S3GetObject("x", -1)), "counted from 0"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_sentence(s3_url, use, told):
    with pytest.raises(UsageError) as caught:
        use()
    assert told in str(caught.value)


def test_a_bucket_that_is_not_there_is_named(s3_url):
    with pytest.raises(StoreError, match="no such bucket"):
        S3(s3root="s3://no-such-bucket").list_recursive()


def test_files_land_where_there_is_a_place_and_a_bad_one_is_named(s3, s3_url, tmp_path):
    s3.put("a", "x")
    with pytest.raises(StoreError, match="no-such-folder"):
        _ = S3(s3root=s3_url, tmproot=str(tmp_path / "no-such-folder")).get("a").path


def test_forked_workers_use_it_beside_their_parent(s3, s3_url):
    from swell import parallel_map

    s3.put_many((str(number), str(number)) for number in range(4))

    def read(number: int) -> str:
        with S3(s3root=s3_url) as own:
            return own.get(str(number)).text

    assert parallel_map(read, range(4)) == ["0", "1", "2", "3"]
    assert s3.get("1").text == "1"


def test_importing_swell_loads_nothing_of_object_stores():
    code = (
        "import sys; from swell import FlowSpec, step\n"
        "print([m for m in sys.modules if 'obstore' in m or 'object_store' in m or '.s3' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
