"""Addresses of PostgreSQL databases as people write them, and without their passwords; pure."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

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
    parts = urlsplit(_plain(address))
    login, mark, hosts = parts.netloc.rpartition("@")
    user = login.partition(":")[0]
    kept = [
        option
        for option in parts.query.split("&")
        if option and option.partition("=")[0] not in _SECRET
    ]
    netloc = f"{user}{mark}{hosts}" if user else hosts
    # urlunsplit drops the two slashes of an empty host, which means a local socket.
    text = urlunsplit(("", netloc, parts.path, "&".join(kept), ""))
    return f"postgresql://{text.removeprefix('//')}"


def database_name(address: str) -> str:
    """The name of the database; empty where the user's own is meant."""
    return urlsplit(_plain(address)).path.removeprefix("/")


def has_password(address: str) -> bool:
    """Whether a password stands in the URL."""
    parts = urlsplit(_plain(address))
    options = {option.partition("=")[0] for option in parts.query.split("&")}
    return ":" in parts.netloc.rpartition("@")[0] or "password" in options


def _plain(address: str) -> str:
    return address.strip().removeprefix(_TYPE)
