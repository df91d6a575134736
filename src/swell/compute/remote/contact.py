"""How long a driver goes on with a store or an engine that does not answer; no I/O."""

from __future__ import annotations

from swell.errors import ComputeError, SwellError


class Contact:
    """Who has been silent since when. After ``patience_s`` seconds it is time to leave.

    Silence counts from the first call that failed, so that a machine that slept is not late.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._silent_since: dict[str, float] = {}

    def answered(self, who: str) -> None:
        """``who`` did what it was asked."""
        self._silent_since.pop(who, None)

    def is_silent(self, who: str) -> bool:
        """Whether the last call to ``who`` failed."""
        return who in self._silent_since

    def failed(self, who: str, error: SwellError, now: float) -> ComputeError | None:
        """A call failed with ``error``, which may pass; what to leave the run with, if it
        has not passed for too long."""
        silent_s = now - self._silent_since.setdefault(who, now)
        if silent_s < self._patience_s:
            return None
        return ComputeError(
            f"{error.message} So it went for {silent_s:.0f} s, and the run is left as it is: "
            "what it has elsewhere may go on.",
            remedy=f"{error.remedy or ''} When it answers again, go on with 'attach'.".strip(),
        )
