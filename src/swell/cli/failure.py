"""The last word on a run that did not end well: which task, why, and how to go on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from swell.cli.again import Again
from swell.cli.lines import last_state
from swell.cli.render import Paint, count_text, say_error
from swell.cli.wording import failure_words, sentence, some_of, was_ended
from swell.errors import SwellError
from swell.model.ids import RunId
from swell.scheduler.loop import RunEnd
from swell.scheduler.observe import TaskFailed
from swell.session.flow import FlowAtHand
from swell.session.run_order import RunResult

if TYPE_CHECKING:
    from swell.session.reading import LocalStores

_CAUSES_SHOWN = 4
_LINES_SHOWN = 10
_TRACEBACK_SHOWN = 40
_ITEM_SHOWN = 60
_FRAME = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)


class Story(NamedTuple):
    """What the store adds to a failure: the task's place in its foreaches, its last lines."""

    place: str = ""
    last_lines: Sequence[str] = ()


def report_failure(at_hand: FlowAtHand, result: RunResult, again: Again, paint: Paint) -> None:
    """Write to stderr what failed, with the user's own traceback, and the commands to go on."""
    groups = groups_of([one for one in result.end.failures if not was_ended(one)])
    shown = [group[0] for group in groups[:_CAUSES_SHOWN]]
    stories = _stories(at_hand, result.run.id, shown)
    lines = report(result.run.id.number, result.end, groups, stories, again, paint)
    say_error("\n".join(lines))


def groups_of(failures: Sequence[TaskFailed]) -> list[list[TaskFailed]]:
    """Failures of one cause together: the largest group first, then by the first failure."""
    groups: dict[tuple[str, ...], list[TaskFailed]] = {}
    for failure in failures:
        groups.setdefault(_cause_of(failure), []).append(failure)
    return sorted(groups.values(), key=len, reverse=True)


def _cause_of(failure: TaskFailed) -> tuple[str, ...]:
    """Equal for failures of one cause: the same exception from the same line of one step."""
    outcome = failure.outcome
    if outcome.error is None:
        return (failure.step, outcome.cause.value, re.sub(r"\d+", "0", outcome.message))
    frames = _FRAME.findall(outcome.error.traceback)
    file, line = frames[-1] if frames else ("", "")
    return (failure.step, outcome.cause.value, outcome.error.type, file, line)


def report(
    run: int,
    end: RunEnd,
    groups: Sequence[Sequence[TaskFailed]],
    stories: Mapping[str, Story],
    again: Again,
    paint: Paint,
) -> list[str]:
    """The lines of the report; ``stories`` by task id."""
    lines = [""]
    if end.interrupted:
        lines += [paint.yellow(f"Run {run}: {sentence(end.why)}"), *_kept(end), ""]
    elif not groups:
        lines += [paint.red(f"Run {run} failed: {sentence(end.why or 'nothing says why')}"), ""]
    elif sum(map(len, groups)) > 1:
        lines += [paint.red(_summary(groups, end)), ""]
    for group in groups[:_CAUSES_SHOWN]:
        lines += _group_lines(group, stories.get(group[0].job.task, Story()), paint)
    rest = sum(map(len, groups[_CAUSES_SHOWN:]))
    if rest:
        causes = count_text(len(groups) - _CAUSES_SHOWN, "other cause")
        lines += [f"… and {count_text(rest, 'more task')}, for {causes}.", ""]
    if groups:
        path = f"{run}/{groups[0][0].step}/{groups[0][0].job.task}"
        lines.append(f"{paint.dim('Log:')}     {again.logs(path)}")
        lines.append(f"{paint.dim('Debug:')}   {again.debug(path)}")
    lines.append(f"{paint.dim('Go on:')}   {again.resume(run)}")
    return lines


def _summary(groups: Sequence[Sequence[TaskFailed]], end: RunEnd) -> str:
    """'137 of 200 tasks of work failed, for 3 causes:'"""
    failures = [failure for group in groups for failure in group]
    steps = list(dict.fromkeys(failure.step for failure in failures))
    causes = "all for one cause" if len(groups) == 1 else f"for {len(groups)} causes"
    if len(steps) > 1:
        return f"{count_text(len(failures), 'task')} of {some_of(steps)} failed, {causes}."
    total = end.counts[steps[0]].total if steps[0] in end.counts else len(failures)
    of = f" of {total:,} tasks" if total > len(failures) else " tasks"
    return f"{len(failures):,}{of} of '{steps[0]}' failed, {causes}."


def _kept(end: RunEnd) -> list[str]:
    kept = sum(count.done + count.adopted for count in end.counts.values())
    ended = sum(count.cancelled for count in end.counts.values())
    words = ["No task had finished."]
    if kept:
        words = [f"{count_text(kept, 'finished task')} {'is' if kept == 1 else 'are'} kept."]
    if ended:
        words.append(
            f"{count_text(ended, 'running task')} {'was' if ended == 1 else 'were'} ended."
        )
    return [" ".join(words)]


def _group_lines(group: Sequence[TaskFailed], story: Story, paint: Paint) -> list[str]:
    failure = group[0]
    heading = f"{failure.step}/{failure.job.task} failed"
    facts = [story.place] if story.place else []
    if failure.job.attempt:
        facts.append(f"after {count_text(failure.job.attempt + 1, 'attempt')}")
    if facts:
        heading += f" ({', '.join(facts)})"
    lines = [f"{paint.red(heading)}: {failure_words(failure.outcome)}"]
    traceback = _traceback_of(failure)
    if len(traceback) > 1:
        lines += [f"    {line}" for line in _shortened(traceback)]
    else:
        lines += [f"    {line}" for line in failure.outcome.message.strip().splitlines()[1:]]
    if failure.outcome.remedy:
        lines.append(f"  {failure.outcome.remedy}")
    if story.last_lines:
        lines.append(paint.dim("  Last lines it printed:"))
        lines += [f"    {line}" for line in story.last_lines]
    if len(group) > 1:
        others = some_of([f"{one.step}/{one.job.task}" for one in group[1:]])
        lines.append(paint.dim(f"  In the same way: {others}"))
    return [*lines, ""]


def _traceback_of(failure: TaskFailed) -> list[str]:
    error = failure.outcome.error
    return error.traceback.rstrip().splitlines() if error is not None else []


def _shortened(traceback: Sequence[str]) -> list[str]:
    left_out = len(traceback) - _TRACEBACK_SHOWN
    if left_out <= 1:
        return list(traceback)
    return [
        traceback[0],
        f"  … {left_out} lines, which are in the log …",
        *traceback[left_out + 1 :],
    ]


def lines_before(printed: Sequence[str], traceback: Sequence[str], num: int) -> list[str]:
    """The last ``num`` lines of ``printed`` without ``traceback``, which is shown apart."""
    lines = list(printed)
    if traceback:
        size = len(traceback)
        for at in range(len(lines) - size, -1, -1):
            if lines[at : at + size] == list(traceback):
                del lines[at : at + size]
                break
    return lines[-num:]


# --- from the store --------------------------------------------------------------


def _stories(at_hand: FlowAtHand, run: RunId, failures: Sequence[TaskFailed]) -> dict[str, Story]:
    """By task id; what the store cannot tell is left out, as the report must come anyway."""
    if not failures:
        return {}
    import os

    from swell.session.place import find_place
    from swell.session.reading import open_place

    stories = {}
    try:
        stores = open_place(find_place(at_hand.settings, at_hand.script, os.getcwd()))
        try:
            for failure in failures:
                stories[failure.job.task] = _story(stores, run, failure)
        finally:
            stores.close()
    except SwellError:
        pass
    return stories


def _story(stores: LocalStores, run: RunId, failure: TaskFailed) -> Story:
    from swell.session.failed import foreach_places, last_lines

    places = [
        f"{place.var}[{place.index}] = {_shown_item(place.item)}"
        if place.item
        else f"{place.var}[{place.index}]"
        for place in foreach_places(stores, run, failure.step, failure.job.task)
    ]
    traceback = _traceback_of(failure)
    printed = last_lines(stores, run, failure.job, _LINES_SHOWN + len(traceback))
    lines = lines_before([last_state(line) for line in printed], traceback, _LINES_SHOWN)
    return Story(", ".join(places), lines)


def _shown_item(text: str) -> str:
    return text if len(text) <= _ITEM_SHOWN else f"{text[:_ITEM_SHOWN]}…"
