"""Token buckets: so many calls a second of each operation, and as many at once."""

from __future__ import annotations


class Buckets:
    """One bucket an operation. Full at first; at least one call fits."""

    def __init__(self, calls_per_s: float) -> None:
        self.calls_per_s = calls_per_s
        self._left: dict[str, tuple[float, float]] = {}

    def admits(self, operation: str, now: float) -> bool:
        """Whether a call at ``now`` (Unix seconds) is within the limit; takes a token if so."""
        size = max(self.calls_per_s, 1.0)
        left, since = self._left.get(operation, (size, now))
        left = min(size, left + (now - since) * self.calls_per_s)
        if left < 1.0:
            self._left[operation] = (left, now)
            return False
        self._left[operation] = (left - 1.0, now)
        return True
