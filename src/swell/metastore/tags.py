"""How a run's user tags change: the part of the rules that needs the stored set."""

from __future__ import annotations

from collections.abc import Collection

from swell.errors import TaggingError

MAX_USER_TAGS = 50
"""User tags one run may have."""


def changed_tags(
    before: Collection[str], *, add: Collection[str], remove: Collection[str]
) -> frozenset[str]:
    """User tags after removing, then adding.

    Raises TaggingError past ``MAX_USER_TAGS``, unless the set shrinks (or stays): one
    that is over the limit already can be brought down.
    """
    after = (frozenset(before) - frozenset(remove)) | frozenset(add)
    if len(after) > MAX_USER_TAGS and len(after) > len(before):
        raise TaggingError(
            f"The run would have {len(after)} user tags; {MAX_USER_TAGS} are allowed.",
            remedy="Remove tags that are not needed any more, then add the new ones.",
        )
    return after
