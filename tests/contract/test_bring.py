"""Blobs of the home folder are brought to a bucket before attempts elsewhere read them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy
import pytest

from swell.datastore import bring as bringing
from swell.datastore.artifacts import Artifacts
from swell.datastore.blob_format import ZSTD, read_table, storage_key
from swell.datastore.bring import Bringer, keys_at_home, keys_of_launches
from swell.datastore.cache import REFRESH_AFTER_S, CachedStorage
from swell.datastore.files import File, Folder
from swell.datastore.items import load_item, store_items
from swell.datastore.local import LocalStorage
from swell.datastore.object_access import access_from
from swell.datastore.object_address import parse_address
from swell.datastore.object_store import PART_BYTES, ObjectStorage
from swell.datastore.packs import write_pack
from swell.datastore.patience import Patience
from swell.errors import DataDamaged, DataMissing, StoreError
from swell.model.ids import JobId
from swell.model.job import Frame, Inputs, Launch, Opened
from swell.model.record import Record
from swell.model.wire import encode
from swell.settings import load_settings
from swell.testing.memory_storage import MemoryStorage
from tests.faults.driving import until
from tests.servers.proxy import Proxy

RANDOM = numpy.random.default_rng(0)


class Counting(ObjectStorage):
    """Notes every key that is sent."""

    def __init__(self, url: str, **changes: object) -> None:
        import msgspec

        access = msgspec.structs.replace(access_from(load_settings()), **changes)
        super().__init__(parse_address(url), access, lambda text: None)
        self.sent: list[str] = []

    def upload(self, key, buffers, progress=None, attributes=None):
        self.sent.append(key)
        super().upload(key, buffers, progress, attributes)

    def write(self, key, buffers):
        self.sent.append(key)
        return super().write(key, buffers)


@pytest.fixture
def bucket(s3_url: str) -> Counting:
    return Counting(s3_url)


@pytest.fixture
def home(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "home")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def bringer(home, bucket, said) -> Bringer:
    return Bringer(home, CachedStorage(bucket, None), said.append)


def values(folder: Path) -> dict[str, object]:
    (folder / "notes.txt").write_text("kept " * 20_000)
    (folder / "out").mkdir()
    (folder / "out" / "small.txt").write_text("small")
    (folder / "out" / "large.bin").write_bytes(os.urandom(PART_BYTES + 5))
    return {
        "inline": [1, 2],
        "noise": RANDOM.random(500_000),
        "large noise": RANDOM.random(3_000_000),
        "zeros": numpy.zeros(2_000_000),
        "counts": RANDOM.integers(0, 50, 200_000),
        "mixed": [RANDOM.random(20_000), numpy.zeros(100_000), "x" * 30_000],
        "notes": File(folder / "notes.txt"),
        "out": Folder(folder / "out"),
    }


def loaded_as_text(value: object) -> object:
    if isinstance(value, numpy.ndarray):
        return value.tobytes()
    if isinstance(value, list):
        return [loaded_as_text(one) for one in value]
    if isinstance(value, File):
        return Path(value.path).read_bytes()
    if isinstance(value, Folder):
        return {file.name: Path(file.path).read_bytes() for file in value}
    return value


def test_artifacts_and_files_in_them_are_read_from_the_bucket_as_they_were(
    home, bucket, bringer, tmp_path
):
    kept = values(tmp_path)
    expected = {name: loaded_as_text(value) for name, value in kept.items()}
    refs = Artifacts(home).save(kept)
    sent = bringer.bring(keys_at_home(refs.values()))
    assert sent > 50_000_000
    far = Artifacts(CachedStorage(bucket, None))
    for name, ref in refs.items():
        assert loaded_as_text(far.load(ref)) == expected[name], name


def test_a_blob_keeps_its_key_and_takes_the_form_that_suits_a_network(home, bucket, bringer):
    counts = RANDOM.integers(0, 10_000, 200_000)
    key = Artifacts(home).save({"x": counts})["x"].key
    assert key is not None
    bringer.bring([key])
    assert ZSTD not in [section.codec for section in read_table(home, key).sections]
    there = read_table(bucket, key)
    assert ZSTD in [section.codec for section in there.sections]
    assert there.key == key
    assert there.file_size < counts.nbytes / 2


def test_nothing_is_sent_twice_by_one_process_or_the_next(home, bucket, bringer, said):
    refs = Artifacts(home).save({f"x{i}": RANDOM.random(10_000 + i) for i in range(20)})
    keys = keys_at_home(refs.values())
    assert bringer.bring(keys) > 0
    assert sorted(bucket.sent) == sorted(map(storage_key, keys))
    asked: list[str] = []
    bucket.entry = lambda key: asked.append(key)  # type: ignore[assignment]
    assert bringer.bring(keys) == 0
    assert asked == []
    del bucket.entry
    assert Bringer(home, CachedStorage(bucket, None), said.append).bring(keys) == 0
    assert len(bucket.sent) == 20


def test_what_was_seen_is_looked_for_again_after_hours(home, bucket, said):
    at = [0.0]
    bringer = Bringer(home, bucket, said.append, clock=lambda: at[0])
    key = Artifacts(home).save({"x": RANDOM.random(10_000)})["x"].key
    assert key is not None
    assert bringer.bring([key]) > 0
    bucket.delete([storage_key(key)])
    assert bringer.bring([key]) == 0
    at[0] = bringing.REMEMBERED_S + 1
    assert bringer.bring([key]) > 0
    assert bucket.size(storage_key(key)) is not None


def test_an_old_blob_in_the_bucket_is_sent_anew_before_a_cleaner_takes_it(home, bucket, said):
    saved = Artifacts(home).save({"x": RANDOM.random(10_000), "y": numpy.zeros(50_000)})
    keys = keys_at_home(saved.values())
    assert Bringer(home, bucket, said.append).bring(keys) > 0
    later = CachedStorage(bucket, None, clock=lambda: time.time() + REFRESH_AFTER_S + 60)
    assert Bringer(home, later, said.append).bring(keys) > 0
    assert len(bucket.sent) >= 2 * len(keys)


def test_a_damaged_blob_is_named_and_never_sent(home, bucket, bringer):
    for value in (RANDOM.random(30_000), RANDOM.integers(0, 10_000, 200_000), numpy.zeros(500_000)):
        key = Artifacts(home).save({"x": value})["x"].key
        assert key is not None
        path = Path(home.url) / storage_key(key)
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.chmod(0o600)
        path.write_bytes(data)
        with pytest.raises(DataDamaged, match=f"Blob {key} in {home.url} is damaged"):
            bringer.bring([key])
        assert bucket.size(storage_key(key)) is None


def test_a_blob_that_is_not_at_home_is_named(bringer):
    with pytest.raises(DataMissing, match="0123"):
        bringer.bring(["0123" * 16])


def test_an_error_in_the_middle_leaves_whole_blobs_only_and_the_rest_is_brought_later(
    home, bucket, s3_server, s3_url, said
):
    values = {f"x{i}": RANDOM.random(10_000 + i) for i in range(10)}
    refs = Artifacts(home).save({**values, "large": RANDOM.random(8_000_000)})
    keys = keys_at_home(refs.values())
    with Proxy(s3_server.ports["s3.port"]) as proxy:
        patience = Patience(retries=0, first_wait_s=0.01)
        through = Counting(s3_url, endpoint_url=proxy.endpoint, patience=patience)
        failing = Bringer(home, CachedStorage(through, None), said.append)
        large = storage_key(refs["large"].key or "")

        def break_off() -> None:
            until(lambda: large in through.sent, "the large one was not begun")
            proxy.is_down = True
            proxy.drop()

        breaker = threading.Thread(target=break_off)
        breaker.start()
        with pytest.raises(StoreError, match=r"its endpoint|broke off|connection"):
            failing.bring(keys)
        breaker.join(timeout=20)
        proxy.is_down = False
        there = {entry.key for entry in bucket.list("blobs/")}
        assert large not in there
        assert len(there) == 10
        through.sent.clear()
        failing.bring(keys)
        assert through.sent == [large]
    far = Artifacts(CachedStorage(bucket, None))
    assert numpy.array_equal(far.load(refs["large"]), Artifacts(home).load(refs["large"]))


def test_a_launch_names_all_that_it_may_read(home, bucket, bringer, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name * 1000)
    artifacts = Artifacts(home)
    first = artifacts.save({"x": RANDOM.random(10_000), "file": File(tmp_path / "a")})
    second = artifacts.save({"y": RANDOM.random(10_001)})
    parameters = artifacts.save({"table": "t" * 20_000})
    pack = str(tmp_path / "pack")
    write_pack(pack, [encode(Record(second))])
    small = store_items(home, [1, File(tmp_path / "b"), File(tmp_path / "c")], 10)
    assert small.items.ref(2).files == small.items.files[1:]
    large = store_items(home, [File(tmp_path / "c"), "x" * 80_000], 10)
    assert large.items.ref(1).files == ()
    stack = (
        Frame("start", "small", 3, 1, small.items.ref(1)),
        Frame("mid", "large", 2, 0, large.items.ref(0)),
    )
    launch = Launch(JobId("7", 0), "work", 1, Inputs(("start/1",), (encode(Record(first)),)), stack)
    wanted = keys_of_launches([launch], encode(Record(parameters)))
    assert first["file"].files[0] in wanted
    assert {first["x"].key, parameters["table"].key, large.items.key} < wanted
    assert small.items.ref(1).files == small.items.files[:1]
    assert small.items.ref(0).files == ()
    assert len(wanted) == 6
    join = Launch(JobId("8", 0), "join", 1, Inputs((), (), pack, Opened("s", "v", 3, small.items)))
    assert keys_of_launches([join], b"\x92\x80\x90") == {second["y"].key, *small.items.files}
    bringer.bring(wanted)
    far = CachedStorage(bucket, None)
    for items, index, expected in ((small, 1, "b"), (large, 0, "c")):
        assert load_item(far, items.items.ref(index)).read_range(0, 1) == expected.encode()


def test_what_names_a_store_of_its_own_stays_there(home):
    far = Artifacts(MemoryStorage("memory://far"), home=home)
    refs = far.save({"x": RANDOM.random(10_000)})
    assert refs["x"].store == "memory://far"
    assert keys_at_home(refs.values()) == set()


def test_any_storage_will_do_as_target_and_progress_is_told(home):
    told: list[str] = []
    at = iter(range(0, 1000, 3))
    target = MemoryStorage()
    refs = Artifacts(home).save({f"x{i}": RANDOM.random(10_000 + i) for i in range(3)})
    Bringer(home, target, told.append, clock=lambda: float(next(at))).bring(
        keys_at_home(refs.values())
    )
    assert f"from {home.url} to memory://test" in told[0]
    assert "of 0.2 MB" in told[0]
    assert "all 3" in told[-1]
    assert numpy.array_equal(Artifacts(target).load(refs["x1"]), Artifacts(home).load(refs["x1"]))
