"""The line on a long transfer: when it is shown, and what it says."""

from __future__ import annotations

import io

from swell.s3.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_short_transfer_shows_nothing():
    stream = Terminal()
    with Progress("Reading", 3, stream) as progress:
        progress.moved(1_000_000)
        progress.ended()
    assert stream.getvalue() == ""


def test_the_line_tells_objects_bytes_and_speed():
    progress = Progress("Reading", 100, Terminal())
    progress.expect(2_000_000_000)
    progress.moved(500_000_000)
    for _ in range(7):
        progress.ended()
    assert progress.line(5.0) == "Reading: 7 of 100 objects, 500 of 2,000 MB, 100 MB/s"
    one = Progress("Writing", 1, Terminal())
    one.moved(30_000_000)
    assert one.line(1.0) == "Writing: 30 MB, 30 MB/s"


def test_a_long_transfer_is_shown_on_a_terminal_only_and_wiped_at_its_end():
    for stream, is_shown in ((Terminal(), True), (io.StringIO(), False)):
        times = iter([0.0, 1.0, 2.5, 2.6, 3.0])
        with Progress("Reading", 1, stream, clock=lambda: next(times)) as progress:  # noqa: B023
            for _ in range(4):
                progress.moved(10_000_000)
        shown = stream.getvalue()
        assert bool(shown) == is_shown
        assert shown.count("MB/s") == (2 if is_shown else 0)
        assert shown.endswith("\r\x1b[K" if is_shown else "")
