"""Runs whose data is in a bad place or cannot be read: sentence, exit code, nothing begun."""

from __future__ import annotations

import pytest

from tests.faults.driving import Driver, Place
from tests.servers.refusing import Refusing

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


def assert_told(driver: Driver, *words: str, code: int = 1) -> None:
    """It ended with ``code`` and with ``words`` in its sentence, without a stack trace."""
    assert driver.code == code, driver.text
    for word in words:
        assert word in driver.text, driver.text
    assert "Traceback" not in driver.text
    assert "Internal error" not in driver.text


def run(place: Place, endpoint: str, url: str = "s3://bucket/x", **more: str) -> Driver:
    environ = place.environ(
        AWS_ACCESS_KEY_ID="a",
        AWS_SECRET_ACCESS_KEY="b",
        SWELL_S3_ENDPOINT_URL=endpoint,
        SWELL_DATASTORE=url,
        SWELL_CACHE_GB="0",
        **more,
    )
    return place.run(place.script(FLOW), "run", env=environ)


@pytest.mark.parametrize(
    ("status", "code", "told", "remedy"),
    [
        (404, "NoSuchBucket", "there is no such bucket", "mend its name"),
        (403, "AccessDenied", "access was denied", "Ask for permission"),
        (400, "AuthorizationHeaderMalformed", "the bucket is in another region", "SWELL_S3_REGION"),
        (301, "PermanentRedirect", "the bucket is in another region", "SWELL_S3_REGION"),
        (400, "ExpiredToken", "the session token has expired", "Get new credentials"),
        (403, "QuotaExceeded", "its quota is used up", "Free some space"),
    ],
)
def test_a_bucket_that_refuses_is_told_at_once_and_nothing_begins(
    place: Place, status: int, code: str, told: str, remedy: str
) -> None:
    with Refusing(status, code) as server:
        ended = run(place, server.endpoint)

        assert_told(ended, told, remedy, "s3://bucket/x")
        assert "Task starts" not in ended.text
        assert "Trying again" not in ended.text
        assert server.requests <= 2


def test_tries_again_are_shown_and_bounded(place: Place) -> None:
    with Refusing(503, "SlowDown") as server:
        ended = run(place, server.endpoint, SWELL_STORE_RETRIES="2")

        assert_told(ended, "it asks for fewer requests", "Tried 3 times in", "try again later")
        assert "Trying again in" in ended.text
        assert "(1 of 2)" in ended.text
        # The engine asks once more by itself each time.
        assert server.requests <= 6


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SWELL_DATASTORE", "s3//bucket", "begins with s3://"),
        ("SWELL_DATASTORE", "s3://", "bucket"),
        ("SWELL_DATASTORE", "S3:bucket/x", "begins with s3://"),
        ("SWELL_DATASTORE", "s3://bucket/x?region=eu-west-1", "SWELL_S3_REGION"),
        ("SWELL_METADATA", "postgres//u@h/d", "postgresql://user@host/database"),
        ("SWELL_METADATA", "sqlite:///x.db", "postgresql://user@host/database"),
        ("SWELL_STORE_RETRIES", "often", "SWELL_STORE_RETRIES"),
        ("SWELL_METADATA_WAIT", "long", "SWELL_METADATA_WAIT"),
    ],
)
def test_a_url_or_number_with_a_typo_is_told_before_anything_begins(
    place: Place, variable: str, value: str, told: str
) -> None:
    settings = {variable: value}
    if variable == "SWELL_STORE_RETRIES":
        settings["SWELL_DATASTORE"] = "s3://bucket/x"
    if variable == "SWELL_METADATA_WAIT":
        settings["SWELL_METADATA"] = "postgresql://nobody@127.0.0.1:1/x"

    ended = place.run(place.script(FLOW), "run", env=place.environ(**settings))

    assert ended.code in (1, 2), ended.text
    assert_told(ended, told, code=ended.code)
    assert "Task starts" not in ended.text


SHAPE_FLOW = """
from shapes import Circle

class ShapeFlow(FlowSpec):
    @step
    def start(self):
        self.shape = Circle() if Circle is not None else None
        self.next(self.end)

    @step
    def end(self):
        import os
        if not os.path.exists("go"):
            raise ValueError("told to")
        print("read", self.shape)

if __name__ == "__main__":
    ShapeFlow()
"""


def test_a_class_that_is_no_class_any_more_is_told(place: Place) -> None:
    (place.folder / "shapes.py").write_text("class Circle:\n    pass\n")
    script = place.script(SHAPE_FLOW)
    assert place.run(script, "run").code == 1
    (place.folder / "shapes.py").write_text("Circle = None\n")
    (place.folder / "go").touch()

    ended = place.run(script, "resume")

    assert ended.code == 1
    assert "The stored bytes do not load" in ended.text
    assert "Its class may have changed since it was stored" in ended.text
    assert "Internal error" not in ended.text


def test_a_class_that_can_no_longer_be_imported_is_named_with_a_remedy(place: Place) -> None:
    (place.folder / "shapes.py").write_text("class Circle:\n    pass\n")
    script = place.script(SHAPE_FLOW)
    assert place.run(script, "run").code == 1
    (place.folder / "shapes.py").unlink()
    script.write_text(script.read_text().replace("from shapes import Circle", "Circle = None"))
    (place.folder / "go").touch()

    ended = place.run(script, "resume")

    assert ended.code == 1
    assert "needs 'shapes.Circle', which cannot be imported here" in ended.text
    assert "Install the package of 'shapes'" in ended.text
    assert "Internal error" not in ended.text
    shown = place.run(script, "dump", "1/start", "--file", "out.pickle")
    assert_told(shown, "shapes.Circle")
