"""What may be asked of the sandbox itself, beside the Batch API: faults, capacity, status."""

from __future__ import annotations

import msgspec

from swell.sandbox.batch.faults import Faults


class ChaosRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is given replaces what was; what is not given stays. ``clear`` comes first."""

    clear: bool = False
    spot: float | None = None
    oom: float | None = None
    within_s: float | None = None
    notice_s: float | None = None
    throttle: float | None = None
    capacity: int | None = None
    environments: dict[str, str] | None = None
    seed: int | None = None
    host_loss: int = 0
    """How many busy instances are lost now."""
    api_down_s: float = 0.0
    """For how long no call is answered."""


class ChaosAnswer(msgspec.Struct, frozen=True):
    """The faults that hold now, and the instances that were lost by this request."""

    faults: Faults
    lost_hosts: tuple[str, ...]
    api_down_s: float


def merged(faults: Faults, request: ChaosRequest) -> Faults:
    """``faults`` as ``request`` changes them."""
    base = Faults() if request.clear else faults
    given = {
        name: getattr(request, name)
        for name in Faults.__struct_fields__
        if getattr(request, name) is not None
    }
    return msgspec.structs.replace(base, **given)
