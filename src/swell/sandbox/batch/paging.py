"""Pages and their tokens: a token is good for as long as the list it goes through."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from swell.sandbox.batch.entities import Document
from swell.sandbox.batch.refusal import Refused


def token(place: int) -> str:
    """An opaque token for ``place``."""
    return base64.b64encode(f"swell:{place}".encode()).decode()


def place(text: str) -> int:
    """What ``token`` was given; refused where it never gave this."""
    try:
        word, _, number = base64.b64decode(text, validate=True).decode().partition(":")
        if word != "swell":
            raise ValueError(text)
        return int(number)
    except (ValueError, binascii.Error):
        raise Refused(f"Invalid nextToken: {text[:80]}.") from None


def size(request: Document, most: int) -> int:
    """``maxResults``, which is 1 to ``most``, or ``most``."""
    wanted = request.get("maxResults")
    if wanted is None:
        return most
    if not 1 <= wanted <= most:
        raise Refused(f"maxResults must be between 1 and {most}, got {wanted}.")
    return int(wanted)


def page(name: str, items: Sequence[Document], request: Document, most: int) -> Document:
    """One page of ``items`` under the answer's member ``name``."""
    start = place(request["nextToken"]) if request.get("nextToken") else 0
    end = start + size(request, most)
    answer: Document = {name: list(items[start:end])}
    if end < len(items):
        answer["nextToken"] = token(end)
    return answer
