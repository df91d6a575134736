"""Names, ARNs and ids, as the service makes and reads them."""

from __future__ import annotations

import random
import re

from swell.sandbox.batch.refusal import Refused
from swell.sandbox.batch.tuning import BatchSettings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def checked_name(value: str, what: str) -> str:
    """``value``, at most 128 of letters, digits, ``_`` and ``-``, the first no sign."""
    if _NAME.fullmatch(value) is None:
        raise Refused(
            f"Error executing request, Exception : {what} should match valid pattern: "
            f"^[a-zA-Z0-9][a-zA-Z0-9_-]{{0,127}}$, got: {value[:160]}"
        )
    return value


class Names:
    """Makes what is unique from one seeded source, so that a run can be repeated."""

    def __init__(self, settings: BatchSettings, seed: int | None = None) -> None:
        self._settings = settings
        self._random = random.Random(seed)

    def arn(self, kind: str, name: str) -> str:
        """Such as ``arn:aws:batch:us-east-1:123456789012:job-queue/name``."""
        return f"{self.prefix('batch')}{kind}/{name}"

    def prefix(self, service: str) -> str:
        """The ARN's beginning for ``service`` in this account and Region."""
        return f"arn:aws:{service}:{self._settings.region}:{self._settings.account}:"

    def uuid(self) -> str:
        """A fresh id, as jobs have."""
        bits = f"{self._random.getrandbits(128):032x}"
        return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"

    def task_id(self) -> str:
        """A fresh id, as ECS tasks have: 32 hexadecimal digits."""
        return f"{self._random.getrandbits(128):032x}"

    def instance_id(self) -> str:
        """Such as ``i-0123456789abcdef0``."""
        return f"i-0{self._random.getrandbits(64):016x}"


def last_part(name_or_arn: str, kind: str) -> str:
    """The name in ``name_or_arn``, which may be an ARN of ``kind``."""
    if not name_or_arn.startswith("arn:"):
        return name_or_arn
    _, found, name = name_or_arn.partition(f":{kind}/")
    if not found:
        raise Refused(f"{name_or_arn} is not the ARN of a {kind}.")
    return name
