"""What is done after an attempt ended: retryStrategy with evaluateOnExit. Pure."""

from __future__ import annotations

import msgspec

MOST_ATTEMPTS = 10
MOST_RULES = 5
LONGEST_PATTERN = 512


class ExitRule(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of evaluateOnExit; what is None matches everything."""

    action: str
    on_status_reason: str | None = None
    on_reason: str | None = None
    on_exit_code: str | None = None


class RetryStrategy(msgspec.Struct, frozen=True, rename="camel"):
    """How often a job may be tried in all, and what decides."""

    attempts: int = 1
    evaluate_on_exit: tuple[ExitRule, ...] = ()


class AttemptFacts(msgspec.Struct, frozen=True):
    """What the rules look at: the attempt's statusReason, its container's reason and exit code."""

    status_reason: str
    reason: str
    exit_code: int | None


def runs_again(strategy: RetryStrategy, attempts_made: int, facts: AttemptFacts) -> bool:
    """Whether a failed attempt is followed by another.

    The first entry of which every condition holds decides; where none does, it is tried again.
    """
    if attempts_made >= strategy.attempts:
        return False
    for rule in strategy.evaluate_on_exit:
        if _matches(rule, facts):
            return rule.action.upper() == "RETRY"
    return True


def _matches(rule: ExitRule, facts: AttemptFacts) -> bool:
    code = "" if facts.exit_code is None else str(facts.exit_code)
    return (
        _like(rule.on_status_reason, facts.status_reason)
        and _like(rule.on_reason, facts.reason)
        and _like(rule.on_exit_code, code)
    )


def _like(pattern: str | None, text: str) -> bool:
    if pattern is None:
        return True
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


def wrong_with(strategy: RetryStrategy) -> str | None:
    """What the API would say against ``strategy``; None: it is right."""
    if not 1 <= strategy.attempts <= MOST_ATTEMPTS:
        return f"retryStrategy attempts must be between 1 and {MOST_ATTEMPTS}"
    if len(strategy.evaluate_on_exit) > MOST_RULES:
        return f"evaluateOnExit may have at most {MOST_RULES} entries"
    for rule in strategy.evaluate_on_exit:
        for name, pattern in (
            ("onStatusReason", rule.on_status_reason),
            ("onReason", rule.on_reason),
            ("onExitCode", rule.on_exit_code),
        ):
            if pattern is None:
                continue
            if len(pattern) > LONGEST_PATTERN:
                return f"{name} is longer than {LONGEST_PATTERN} characters"
            if "*" in pattern[:-1]:
                return f"{name} may have an asterisk (*) only at its end"
            if name == "onExitCode" and not (pattern.removesuffix("*") or "0").isdigit():
                return "onExitCode may hold digits only, and an asterisk (*) at its end"
    return None
