"""How fast each operation of an API may be called: a token bucket that slows down when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable

# All accounts: 50 calls a second of each operation, shared by everybody in the account.
# https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
RATES_PER_S = {
    "SubmitJob": 40.0,
    "DescribeJobs": 10.0,
    "ListJobs": 5.0,
    "TerminateJobs": 20.0,
    "TerminateJob": 40.0,
    "CancelJob": 40.0,
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
    "GetLogEvents": 10.0,
}
"""Calls a second of each operation, below the limit so that others find room."""
OTHER_RATE_PER_S = 5.0

_SLOWEST = 1 / 40
_RECOVERY = 1 / 20


class TokenBucket:
    """Lets ``rate_per_s`` calls pass, and a second's worth at once after a pause.

    ``slow_down`` halves the rate, down to a fortieth; each ``speed_up`` gives a twentieth
    back. Safe for many threads.
    """

    def __init__(self, rate_per_s: float, clock: Callable[[], float]) -> None:
        self._full_rate = rate_per_s
        self._burst = max(1.0, rate_per_s)
        self._clock = clock
        self._lock = threading.Lock()
        self.rate_per_s = rate_per_s
        self._tokens = self._burst
        self._at = clock()

    def take(self) -> float:
        """Take a token; returns the seconds to wait before it may be used."""
        with self._lock:
            self._refill()
            self._tokens -= 1.0
            return 0.0 if self._tokens >= 0 else -self._tokens / self.rate_per_s

    def slow_down(self) -> None:
        """The service asked for fewer calls: no burst, and half as many a second."""
        with self._lock:
            self._refill()
            self._tokens = min(self._tokens, 0.0)
            self.rate_per_s = max(self._full_rate * _SLOWEST, self.rate_per_s / 2)

    def speed_up(self) -> None:
        """A call went well."""
        with self._lock:
            self._refill()
            step = self._full_rate * _RECOVERY
            self.rate_per_s = min(self._full_rate, self.rate_per_s + step)

    def _refill(self) -> None:
        now = self._clock()
        gained = max(0.0, now - self._at) * self.rate_per_s
        # A slowed bucket saves up no burst: what follows a throttle is let through singly.
        burst = self._burst if self.rate_per_s == self._full_rate else 1.0
        self._tokens = min(max(burst, self._tokens), self._tokens + gained)
        self._at = now
