"""What PostgreSQL and its driver say, in words of the user's situation; pure."""

from __future__ import annotations

from typing import NamedTuple

from swell.errors import MetadataError


class Trouble(NamedTuple):
    """``cause`` follows the words 'The metadata database X'; ``passes`` where waiting can help.

    ``is_load``: the server is there, but cannot take one more just now.
    """

    cause: str
    remedy: str
    passes: bool = False
    is_load: bool = False


def trouble_of(text: str, state: str | None, *, is_lost: bool) -> Trouble:
    """The situation behind an error.

    ``text`` is the driver's, ``state`` the server's five characters (PostgreSQL manual,
    appendix A) where it came so far, ``is_lost`` whether the connection is gone.
    """
    if state is not None:
        for prefix, trouble in _BY_STATE:
            if state.startswith(prefix):
                return trouble
        # Of an unknown state, a lost connection is the more telling fact.
        return _LOST if is_lost else _other(text)
    for part, trouble in _BY_TEXT:
        if part in text:
            return trouble
    return _LOST if is_lost else _other(text)


def metadata_error(address: str, trouble: Trouble, text: str) -> MetadataError:
    """``trouble`` with the database at ``address`` (shown: without a password)."""
    found = MetadataError(
        f"The metadata database {address} {trouble.cause} ({last_words(text)}).",
        remedy=trouble.remedy,
    )
    found.retryable = trouble.passes
    return found


def last_words(text: str) -> str:
    """What a message of libpq comes down to: its first line, from the server's level on."""
    lines = text.strip().splitlines() or ["no reason given"]
    line = lines[0]
    for mark in ("FATAL:", "ERROR:"):
        if mark in line:
            line = line.partition(mark)[2]
    for mark in (" failed: ", "connection failed: "):
        line = line.rpartition(mark)[2]
    return line.strip().rstrip(".")


def _other(text: str) -> Trouble:
    del text
    return Trouble(
        "cannot be used", "Ask whoever runs the server; its log says more on this moment."
    )


_LOST = Trouble(
    "does not answer",
    "Check that the server runs and can be reached from here. A run that ended so goes on "
    "with 'resume': what was reported done is stored.",
    passes=True,
)
_PASSWORD = Trouble(
    "refuses the user name or password",
    "Correct them in SWELL_METADATA, or keep the password in PGPASSWORD or ~/.pgpass.",
)
_NO_DATABASE = Trouble(
    "does not exist on its server",
    "Correct the name at the end of the URL, or have it made with 'createdb'.",
)
_STARTING = Trouble(
    "is starting or stopping", "Wait until the server is up.", passes=True, is_load=True
)
_CROWDED = Trouble(
    "takes no more connections just now",
    "Wait until others have ended, or have max_connections of the server raised.",
    passes=True,
    is_load=True,
)
_READ_ONLY = Trouble(
    "may only be read here: it is a standby, or set to be read only",
    "Give the URL of the primary server.",
)
_NO_RIGHT = Trouble(
    "may not be used so by this user",
    "Let its owner grant the rights; docs/team.md lists the statements.",
)
_FULL = Trouble(
    "has no room or memory left on its server",
    "Let whoever runs the server free some; then run 'resume'.",
    passes=True,
)

_BY_STATE = (
    ("28", _PASSWORD),
    ("3D000", _NO_DATABASE),
    ("53300", _CROWDED),
    ("53", _FULL),
    ("57P04", _NO_DATABASE),
    ("57P", _STARTING),
    ("57014", Trouble("broke off a statement", "Try again.", passes=True)),
    ("40", Trouble("had two changes in each other's way", "Try again.", passes=True)),
    ("55P03", Trouble("is locked by another program", "Try again.", passes=True)),
    ("08", _LOST),
    ("25006", _READ_ONLY),
    ("42501", _NO_RIGHT),
)
# While connecting there is no state to be had from the driver, and the words of the server
# may be in its own language: then a lost connection is assumed.
_BY_TEXT = (
    ("no password supplied", _PASSWORD),
    ("password authentication failed", _PASSWORD),
    ("does not exist", _NO_DATABASE),
    ("starting up", _STARTING),
    ("shutting down", _STARTING),
    ("recovery mode", _STARTING),
    ("not yet accepting", _STARTING),
    ("too many clients", _CROWDED),
    ("too many connections", _CROWDED),
    ("connection slots are reserved", _CROWDED),
    (
        "no pg_hba.conf entry",
        Trouble(
            "does not let this user in from here",
            "Have an entry for it added to pg_hba.conf on the server; "
            "'sslmode=require' in the URL may do as well.",
        ),
    ),
    (
        "resolve host",
        Trouble(
            "is on a host whose name is not known",
            "Check the host in the URL, and that this machine's network is up.",
            passes=True,
        ),
    ),
    (
        "translate host name",
        Trouble(
            "is on a host whose name is not known",
            "Check the host in the URL, and that this machine's network is up.",
            passes=True,
        ),
    ),
    (
        "SSL",
        Trouble(
            "could not agree with this machine on encryption",
            "Check sslmode and the certificates that the URL names.",
        ),
    ),
    (
        "invalid",
        Trouble(
            "is not named by a URL that can be read",
            "Write it like postgresql://user@host/database.",
        ),
    ),
    (
        'missing "="',
        Trouble(
            "is not named by a URL that can be read",
            "Write it like postgresql://user@host/database.",
        ),
    ),
    (
        "NUL",
        Trouble(
            "cannot keep a text with a zero byte", "Take the zero byte out of the tag or name."
        ),
    ),
)
