"""Reads the two forms of time that services send; ``time.strptime`` costs 10 ms to load."""

from __future__ import annotations

_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def _unix(year: int, month: int, day: int, clock: str) -> float:
    # Days since 1970 in the Gregorian calendar, years counted from March.
    years = year - (month < 3)
    days = 365 * years + years // 4 - years // 100 + years // 400
    days += (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
    hour, minute, second = clock.split(":")
    return days * 86400.0 + int(hour) * 3600 + int(minute) * 60 + float(second)


def from_http(text: str) -> float:
    """Unix seconds of 'Sun, 22 Nov 2026 16:10:00 GMT'. Raises ValueError for another form."""
    _, day, month, year, clock, _ = text.split()
    return _unix(int(year), _MONTHS.index(month) // 3 + 1, int(day), clock)


def from_iso(text: str) -> float:
    """Unix seconds of '2026-11-22T16:10:00.000Z'. Raises ValueError for another form."""
    day, _, clock = text.rstrip("Z").partition("T")
    year, month, date = day.split("-")
    return _unix(int(year), int(month), int(date), clock)
