"""What an attempt elsewhere, or its engine, says of its end, as the driver takes it."""

from __future__ import annotations

import msgspec

from swell.model.cause import Cause
from swell.model.remote import Ended
from swell.seams.queue import MemberUpdate


def went_well(result: bytes | None) -> bool:
    """Whether an attempt left a result that says so."""
    from swell.model.wire import decode_result

    return result is not None and decode_result(result).outcome.ok


def with_facts(ended: Ended) -> bytes | None:
    """The result with what only the supervisor knows of the place it ran at."""
    if ended.result is None or not ended.note.facts:
        return ended.result
    from swell.model.wire import decode_result, encode

    result = decode_result(ended.result)
    facts = {name: (name, value) for name, value in ended.note.facts.items()}
    return encode(msgspec.structs.replace(result, metadata={**facts, **result.metadata}))


def engine_cause(told: MemberUpdate) -> Cause | None:
    """The cause that the engine names for an end, if it names one."""
    return None if told.evidence is None else told.evidence.engine_cause
