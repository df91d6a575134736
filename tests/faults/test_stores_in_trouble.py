"""Stores that are full, read-only, damaged or of another version, while a flow wants to run."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import swell
from tests.faults.driving import Driver, Place

OWN_FOLDER = os.path.dirname(swell.__file__)

SUM_FLOW = """
import os

class SumFlow(FlowSpec):
    n = Parameter("n", default=4)
    size = Parameter("size", default=10)

    @step
    def start(self):
        self.xs = list(range(self.n))
        self.next(self.work, foreach="xs")

    @step
    def work(self):
        self.data = os.urandom(self.size)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(len(i.data) for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total is", self.total)

if __name__ == "__main__":
    SumFlow()
"""


@pytest.fixture
def script(place: Place) -> Path:
    return place.script(SUM_FLOW)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("file systems may not be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def assert_told(driver: Driver, *words: str) -> None:
    """The run failed with a message that a user can act upon, and no stack trace of ours."""
    assert driver.code == 1, driver.text
    for word in words:
        assert word in driver.text, driver.text
    assert "Traceback" not in driver.text
    assert OWN_FOLDER not in driver.text
    assert "Internal error" not in driver.text


def test_an_artifact_larger_than_the_disk_fails_its_task_and_loses_nothing(
    small_disk: Path, script: Path, place: Place
) -> None:
    place.root = small_disk / "store"
    small = place.run(script, "run")
    assert small.code == 0, small.text

    driver = place.run(script, "run", "--size", "3000000", "--max-workers", "1")

    assert_told(driver, "disk full", "Free some space")
    done = place.done_steps("SumFlow", 2)
    assert done[0] == "start"
    for file in (place.root / "blobs").rglob("*"):
        if file.is_file() and file.stat().st_size > 1_000_000:
            file.unlink()
    place.wait_until_empty()
    again = place.run(script, "run")
    assert again.code == 0, again.text


def test_a_disk_that_fills_up_under_the_run_ends_it_with_a_sentence(
    small_disk: Path, place: Place
) -> None:
    script = place.script(
        """
        import os

        class FillFlow(FlowSpec):
            @step
            def start(self):
                file = os.open(os.environ["FILL"], os.O_WRONLY | os.O_CREAT)
                try:
                    while True:
                        os.write(file, b"x" * 4096)
                except OSError:
                    pass
                print("full now", "y" * 200_000, flush=True)
                self.next(self.end)

            @step
            def end(self):
                pass

        if __name__ == "__main__":
            FillFlow()
        """
    )
    place.root = small_disk / "store"
    fill = small_disk / "fill"

    driver = place.run(script, "run", env=place.environ(FILL=str(fill)))

    assert_told(driver, "space")
    place.wait_until_empty()
    fill.unlink()
    resumed = place.run(script, "resume", env=place.environ(FILL="/dev/full"))
    assert resumed.code == 0, resumed.text


def test_a_store_that_cannot_be_written_is_told_before_anything_starts(
    place: Place, script: Path, tmp_path: Path
) -> None:
    place.run(script, "run")
    before = place.tasks("SumFlow")
    read_only = tmp_path / "read-only"
    read_only.mkdir()
    bind = ["mount", "--bind", "-o", "ro", str(place.root), str(read_only)]
    if subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("file systems may not be mounted here")
    try:
        place.root = read_only

        driver = place.run(script, "run")

        assert_told(driver, str(read_only), "SWELL_ROOT")
    finally:
        subprocess.run(["umount", "-l", str(read_only)], check=True)
    place.root = tmp_path / ".swell"
    assert place.tasks("SumFlow").keys() == before.keys()


def test_a_store_under_a_file_is_told(place: Place, script: Path) -> None:
    (place.folder / "taken").write_text("a file")
    place.root = place.folder / "taken" / "store"

    driver = place.run(script, "run")

    assert_told(driver, "taken", "SWELL_ROOT")


def test_a_corrupt_database_is_told_and_left_as_it_is(place: Place, script: Path) -> None:
    assert place.run(script, "run").code == 0
    database = place.root / "metadata.db"
    garbage = b"no database at all" * 1000
    database.write_bytes(garbage)

    for arguments in (["run"], ["resume"], ["logs", "1/start"], ["dump", "1/start"]):
        driver = place.run(script, *arguments)
        assert_told(driver, str(database))
        assert database.read_bytes() == garbage


def test_a_torn_database_is_told(place: Place, script: Path) -> None:
    assert place.run(script, "run", "--n", "90").code == 0
    database = place.root / "metadata.db"
    data = bytearray(database.read_bytes())
    data[4096 * 2 :] = b"\xff" * (len(data) - 4096 * 2)
    database.write_bytes(data)

    driver = place.run(script, "run")

    assert_told(driver, str(database))


def test_a_database_of_a_newer_version_is_told_and_left_as_it_is(
    place: Place, script: Path
) -> None:
    assert place.run(script, "run").code == 0
    database = place.root / "metadata.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()

    driver = place.run(script, "run")

    assert_told(driver, "newer", str(database))
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA user_version").fetchone() == (9999,)
    connection.close()


def test_a_store_folder_of_a_newer_format_is_told(place: Place, script: Path) -> None:
    assert place.run(script, "run").code == 0
    mark = place.root / "store.toml"
    mark.write_text(mark.read_text().replace("format = 1", "format = 99"))

    driver = place.run(script, "run")

    assert_told(driver, "newer", str(place.root))


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_artifact_fails_the_task_that_reads_it_and_is_told(
    place: Place, damage: str
) -> None:
    script = place.script(
        """
        import os

        class ReadFlow(FlowSpec):
            @step
            def start(self):
                self.data = os.urandom(300_000)
                self.next(self.middle)

            @step
            def middle(self):
                self.next(self.end)

            @step
            def end(self):
                if not os.path.exists("free"):
                    raise ValueError("not yet")
                print("read", len(self.data))

        if __name__ == "__main__":
            ReadFlow()
        """
    )
    assert place.run(script, "run").code == 1
    blobs = [path for path in (place.root / "blobs").rglob("*") if path.is_file()]
    blob = max(blobs, key=lambda path: path.stat().st_size)
    os.chmod(blob, 0o600)
    if damage == "cut":
        blob.write_bytes(blob.read_bytes()[:100_000])
    else:
        blob.unlink()
    (place.folder / "free").touch()

    driver = place.run(script, "resume")

    assert driver.code == 1
    assert "'data'" in driver.text or blob.name in driver.text, driver.text
    assert "Internal error" not in driver.text
    assert OWN_FOLDER not in driver.text


def test_a_store_that_vanishes_under_a_run_ends_it(place: Place) -> None:
    script = place.script(
        """
        import os, time

        class GoneFlow(FlowSpec):
            @step
            def start(self):
                print("on", flush=True)
                while not os.path.exists("free"):
                    time.sleep(0.01)
                self.data = os.urandom(300_000)
                self.next(self.end)

            @step
            def end(self):
                pass

        if __name__ == "__main__":
            GoneFlow()
        """
    )
    with place.started(script, "run") as driver:
        driver.wait_for("] on")
        shutil.rmtree(place.root)
        (place.folder / "free").touch()
        driver.wait()

        assert_told(driver, "was removed")
    place.wait_until_empty()
