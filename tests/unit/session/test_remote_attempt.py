"""What an attempt elsewhere adds to its result: the remedy where a module was missing."""

from __future__ import annotations

import msgspec
import pytest

from swell.model.cause import Cause
from swell.model.record import AttemptResult, Outcome
from swell.session.remote_attempt import with_remedy


def result(**outcome: object) -> AttemptResult:
    return AttemptResult(Outcome(**outcome), msgspec.Raw(b""))  # type: ignore[arg-type]  # one each


def test_a_missing_module_is_told_with_the_package_that_has_it() -> None:
    message = "ModuleNotFoundError: No module named 'yaml'"
    told = with_remedy(result(ok=False, cause=Cause.USER_ERROR, message=message)).outcome
    assert told.message.startswith(f"{message}. The container has no module 'yaml'")
    assert "@pypi(packages={'pyyaml': ''})" in told.message
    assert told.cause is Cause.USER_ERROR


@pytest.mark.parametrize("outcome", [{"ok": True}, {"ok": False, "message": "ValueError: no"}])
def test_other_ends_stay_as_they_are(outcome: dict[str, object]) -> None:
    before = result(**outcome)
    assert with_remedy(before) is before
