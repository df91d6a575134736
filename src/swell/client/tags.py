"""Which tags a person may give and take; pure, shared by the client and the command line."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from swell.errors import TaggingError

MAX_TAG_CHARACTERS = 500


def checked_tags(tags: str | Iterable[str]) -> tuple[str, ...]:
    """One tag or several, each checked. Raises TaggingError naming tag and rule."""
    several = (tags,) if isinstance(tags, str) else tuple(tags)
    for tag in several:
        _check(tag)
    return several


def tags_to_add(tags: str | Iterable[str], system_tags: Collection[str]) -> tuple[str, ...]:
    """``tags`` checked, without those the run has as system tags: adding one is no change."""
    return tuple(tag for tag in checked_tags(tags) if tag not in system_tags)


def tags_to_remove(tags: str | Iterable[str], system_tags: Collection[str]) -> tuple[str, ...]:
    """``tags`` checked. Raises TaggingError when one of them is a system tag."""
    wanted = checked_tags(tags)
    for tag in wanted:
        if tag in system_tags:
            raise TaggingError(
                f"'{tag}' is a system tag: swell gave it to the run and needs it.",
                remedy="Only user tags can be removed.",
            )
    return wanted


def _check(tag: object) -> None:
    if not isinstance(tag, str):
        raise TaggingError(
            f"{tag!r} is of type {type(tag).__name__}; a tag is text.",
            remedy=f"Write it as a string, such as '{tag}'.",
        )
    if not 1 <= len(tag) <= MAX_TAG_CHARACTERS:
        raise TaggingError(
            f"A tag has 1 to {MAX_TAG_CHARACTERS} characters, and this one has {len(tag):,}: "
            f"'{tag[:40]}'.",
            remedy="Choose a shorter one." if tag else "Leave it out, or write a name.",
        )
    try:
        tag.encode()
    except UnicodeEncodeError as error:
        raise TaggingError(
            f"The tag {tag!a} cannot be written as UTF-8: {error.reason} at "
            f"character {error.start}.",
            remedy="Remove that character.",
        ) from error
