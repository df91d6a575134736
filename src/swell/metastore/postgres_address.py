"""Addresses of PostgreSQL databases as people write them, and without their passwords; pure."""

from __future__ import annotations

from typing import NamedTuple

SCHEMES = ("postgresql", "postgres")
_TYPE = "postgresql@"
_SECRET = frozenset({"password", "sslpassword"})


def is_postgres(address: str) -> bool:
    """Whether ``address`` means a PostgreSQL database: a URL, with or without
    ``postgresql@`` before it."""
    return _plain(address).partition("://")[0] in SCHEMES and "://" in address


def connection_url(address: str) -> str:
    """The URL that the driver takes, its password included."""
    return _plain(address)


def public_address(address: str) -> str:
    """The URL without its password, to be shown and stored."""
    parts = _parts(address)
    kept = [
        option
        for option in parts.options.split("&")
        if option and option.partition("=")[0] not in _SECRET
    ]
    login = f"{parts.user}@" if parts.user else ""
    return f"postgresql://{login}{parts.place}{'?' if kept else ''}{'&'.join(kept)}"


def has_password(address: str) -> bool:
    """Whether a password stands in the URL."""
    parts = _parts(address)
    return bool(parts.password) or "password=" in parts.options


def is_password_misread(address: str) -> bool:
    """Whether a '/' or '?' in the password ends the login too early for the driver."""
    rest = _plain(address).partition("://")[2]
    authority = _authority(rest)
    return "@" not in authority and "@" in rest and _has_odd_port(authority)


class _Parts(NamedTuple):
    user: str
    password: str
    place: str
    options: str


def _parts(address: str) -> _Parts:
    """By libpq's rules (manual, 34.1.1.2), where '#' is a character like any other.

    A password with '/' or '?' in it is no URL for libpq; it must not be shown all the same.
    """
    rest = _plain(address).partition("://")[2]
    login, mark, hosts = _authority(rest).rpartition("@")
    if mark:
        rest = hosts + rest[len(login) + len(mark) + len(hosts) :]
    elif is_password_misread(address):
        login, _, rest = rest.rpartition("@")
    user, _, password = login.partition(":")
    place, _, options = rest.partition("?")
    return _Parts(user, password, place, options)


def _authority(rest: str) -> str:
    return rest.partition("/")[0].partition("?")[0]


def _has_odd_port(hosts: str) -> bool:
    ports = (host.rpartition("]")[2].partition(":")[2] for host in hosts.split(","))
    return any(port and not port.isdecimal() for port in ports)


def _plain(address: str) -> str:
    return address.strip().removeprefix(_TYPE)
