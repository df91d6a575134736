"""Sentences on what happens in a run: the same on a terminal, in a pipe and in the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from swell.cli.render import count_text, duration_text
from swell.model.cause import Cause
from swell.model.record import Outcome
from swell.scheduler.observe import (
    ChildrenOpened,
    RunFinished,
    TaskEnded,
    TaskFailed,
    TaskRetries,
    TasksEnding,
)
from swell.scheduler.ready import StepCounts

_NAMES_SHOWN = 6


def failure_words(outcome: Outcome) -> str:
    """'ValueError: bad', 'timeout: It ran longer than …', 'host lost'; one line."""
    message = first_line(outcome.message)
    if outcome.cause is Cause.USER_ERROR and message:
        return message
    cause = outcome.cause.value.replace("_", " ")
    if message.lower().startswith(cause):
        return message
    return f"{cause}: {message}" if message else cause


def first_line(text: str) -> str:
    """The first line that says something; '…' marks that more follow."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    return f"{lines[0].strip()} …" if len(lines) > 1 else lines[0].strip()


def sentence(text: str) -> str:
    """``text`` with an end."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def was_ended(failure: TaskFailed) -> bool:
    """Whether it did not fail by itself: it was ended with the run."""
    return failure.outcome.cause is Cause.CANCELLED


def ended_words(notice: TaskEnded) -> str:
    """That an attempt ended well, or was caught."""
    took = duration_text(notice.seconds)
    if notice.is_caught:
        return f"Task failed and was caught, after {took}."
    return f"Task is done, in {took}."


def ended_together_words(ended: Sequence[TaskEnded]) -> str:
    """That attempts which shared a process ended well."""
    took = duration_text(sum(one.seconds for one in ended))
    if len(ended) == 1:
        return f"Task is done, in {took}."
    return f"{len(ended):,} tasks are done, in {took} together."


def failed_words(notice: TaskFailed) -> str:
    """That a task is out of attempts, and whether some were left that it may not use."""
    if was_ended(notice):
        return f"Task was ended: {sentence(failure_words(notice.outcome))}"
    words = f"Task failed: {sentence(failure_words(notice.outcome))}"
    if notice.is_tolerated:
        words += " Its foreach may lose some, so the run goes on."
    if notice.job.attempt + 1 >= notice.attempts:
        return words
    if not notice.outcome.retryable:
        words += " It is not retried: its failure says that trying again cannot help."
    elif not notice.is_meant:
        words += " It is not retried: @retry names other failures."
    return words


def opened_words(notice: ChildrenOpened) -> str:
    """How many tasks a foreach opened, and which go first."""
    words = f"Step '{notice.step}' opens {count_text(notice.num, 'task')}."
    canaries = notice.canaries
    if not canaries:
        return words
    if len(canaries) == 1:
        return (
            f"{words} Its canary goes first, the largest item, {canaries[0]:,}; the others start "
            "if it passes."
        )
    listed = [f"{canaries[0]:,} (the smallest)", f"{canaries[1]:,} (the largest)"]
    listed += [f"{index:,}" for index in canaries[2:]]
    return (
        f"{words} {len(canaries)} canaries go first, items {', '.join(listed)}; the others start "
        "if they pass."
    )


def retry_words(notice: TaskRetries) -> str:
    """That an attempt failed, and when the next one comes."""
    wait = notice.next_at - notice.at
    when = f"in {duration_text(wait)}" if wait > 0.5 else "now"
    failure = sentence(failure_words(notice.outcome))
    growth = notice.growth
    more = f", memory {growth.from_mb:,} → {growth.to_mb:,} MB" if growth is not None else ""
    more += ", in a process of its own" if notice.is_alone else ""
    return f"Attempt {notice.job.attempt + 1} failed: {failure} The next one starts {when}{more}."


def ending_words(notice: TasksEnding) -> str:
    """That running tasks are being ended."""
    which = "is" if notice.num == 1 else "are"
    return f"{count_text(notice.num, 'running task')} {which} being ended: {sentence(notice.why)}"


def finished_words(notice: RunFinished) -> str:
    """The last word on a run."""
    number, took = notice.run.number, duration_text(notice.seconds)
    if notice.left:
        tasks = "1 task goes on" if notice.left == 1 else f"{notice.left:,} tasks go on"
        return f"Run {number} is left to itself after {took}: {tasks} elsewhere."
    if notice.ok and notice.failures:
        failed = count_text(len(notice.failures), "task")
        return f"Run {number} is done, in {took}; {failed} failed, within max_failures."
    if notice.ok:
        return f"Run {number} is done, in {took}."
    if notice.interrupted:
        return f"Run {number} was ended after {took}: {sentence(notice.why)}"
    return f"Run {number} failed, after {took}."


def status_words(counts: Mapping[str, StepCounts], steps: Sequence[str]) -> str:
    """What runs, what waits, and which of ``steps`` have not begun; '' when all is over."""
    parts = [
        f"{step}: {count.running:,} running, {waiting_words(count)}"
        for step, count in counts.items()
        if count.running or count.waiting
    ]
    if not parts:
        return ""
    ahead = [step for step in steps if step not in counts or not counts[step].total]
    if ahead:
        parts.append(f"not begun: {some_of(ahead)}")
    return f"{'; '.join(parts)}."


def waiting_words(counts: StepCounts) -> str:
    """'12 waiting', or what for: '12 wait for memory'."""
    if not counts.waits_for:
        return f"{counts.waiting:,} waiting"
    verb = "waits" if counts.waiting == 1 else "wait"
    return f"{counts.waiting:,} {verb} for {counts.waits_for}"


def some_of(names: Iterable[str], shown: int = _NAMES_SHOWN) -> str:
    """'a, b, c' or 'a, b, c and 12 more'."""
    all_names = list(names)
    if len(all_names) <= shown + 1:
        return ", ".join(all_names)
    return f"{', '.join(all_names[:shown])} and {len(all_names) - shown:,} more"
