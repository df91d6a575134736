"""What stands beside the bytes of an object: its type and notes, as far as headers carry them."""

from __future__ import annotations

import re

from swell.errors import UsageError
from swell.s3.objects import S3PutObject

# RFC 9110: names of headers are tokens, and other than ASCII has no meaning in values. Of what
# breaks this the engine dies, or can write the object and not read it.
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TEXT = re.compile(r"(?:[!-~](?:[ !-~]*[!-~])?)?")


def attributes_of(put: S3PutObject) -> dict[str, str] | None:
    """By header; None where nothing was said. Raises UsageError for what no header can carry."""
    given = {str(name): str(value) for name, value in (put.metadata or {}).items()}
    for name, value in given.items():
        if _NAME.fullmatch(name) is None:
            raise UsageError(
                f"A note on '{put.key}' cannot be called {name!r}.",
                remedy="Names are of letters, digits, '-', '_' and '.', as in HTTP headers.",
            )
        _check_text(put.key, f"The note '{name}'", value)
    if put.content_type:
        _check_text(put.key, "The content type", str(put.content_type))
        given["Content-Type"] = str(put.content_type)
    return given or None


def _check_text(key: str, what: str, text: str) -> None:
    if _TEXT.fullmatch(text) is None:
        raise UsageError(
            f"{what} of '{key}' is {text!r}, which no HTTP header can carry.",
            remedy="Write it in ASCII on one line, such as with json.dumps or urllib.parse.quote.",
        )
