"""The last word on a run that did not end well: which task, why, and how to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from swell.cli.again import Again
from swell.cli.lines import last_state
from swell.cli.render import Paint, count_text, say_error
from swell.cli.wording import failure_words, sentence, some_of
from swell.errors import SwellError
from swell.model.ids import RunId
from swell.scheduler.failures import FailureGroup, FailureTally
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


class Story(NamedTuple):
    """What the store adds to a failure: the task's place in its foreaches, its last lines, and
    the parameters of the run in a line."""

    place: str = ""
    last_lines: Sequence[str] = ()
    parameters: str = ""


def report_failure(at_hand: FlowAtHand, result: RunResult, again: Again, paint: Paint) -> None:
    """Write to stderr what failed, with the user's own traceback, and the commands to go on."""
    shown = [group.first for group in result.end.tally.groups()[:_CAUSES_SHOWN]]
    stories = _stories(at_hand, result.run.id, shown)
    lines = report(result.run.id.number, result.end, stories, again, paint)
    say_error("\n".join(lines))


def report(
    run: int, end: RunEnd, stories: Mapping[str, Story], again: Again, paint: Paint
) -> list[str]:
    """The lines of the report; ``stories`` by task id."""
    groups = end.tally.groups()
    lines = [""]
    if end.interrupted:
        lines += [paint.yellow(f"Run {run}: {sentence(end.why)}"), *_kept(end), ""]
    elif not groups:
        lines += [paint.red(f"Run {run} failed: {sentence(end.why or 'nothing says why')}"), ""]
    else:
        if end.verdict:
            lines += [paint.red(sentence(end.verdict)), ""]
        if end.tally.total > 1:
            colour = paint.yellow if end.ok else paint.red
            lines += [colour(summary(end.tally, _total(end), is_tolerated=end.ok)), ""]
    for group in groups[:_CAUSES_SHOWN]:
        lines += _group_lines(group, stories.get(group.first.job.task, Story()), run, again, paint)
    rest = end.tally.total - sum(group.count for group in groups[:_CAUSES_SHOWN])
    if rest:
        num = len(groups) - _CAUSES_SHOWN
        causes = count_text(num, "other cause") + (" and more" if end.tally.other_tasks else "")
        lines += [f"… and {count_text(rest, 'more task')}, for {causes}.", ""]
    if groups:
        path = f"{run}/{groups[0].first.step}/{groups[0].first.job.task}"
        lines.append(f"{paint.dim('Log:')}     {again.logs(path)}")
        if len(groups) == 1:
            lines.append(f"{paint.dim('Debug:')}   {again.debug(path)}")
    label = "Again:" if end.ok else "Go on:"
    lines.append(f"{paint.dim(label)}   {again.resume(run)}")
    return lines


def summary(tally: FailureTally, total: int | None = None, *, is_tolerated: bool = False) -> str:
    """'137 of 200 tasks of 'work' failed: 3 causes.'; ``total`` are all tasks of a lone step."""
    num, failed = len(tally.groups()), tally.total
    causes = "all for one cause" if num == 1 else f"{num} causes"
    if tally.other_tasks:
        causes = f"more than {num} causes"
    within = ", within max_failures" if is_tolerated else ""
    steps = tally.steps
    if len(steps) > 1:
        return f"{count_text(failed, 'task')} of {some_of(steps)} failed{within}: {causes}."
    of = f" of {total:,} tasks" if total is not None and total > failed else " tasks"
    return f"{failed:,}{of} of '{steps[0]}' failed{within}: {causes}."


def _total(end: RunEnd) -> int | None:
    steps = end.tally.steps
    return end.counts[steps[0]].total if len(steps) == 1 and steps[0] in end.counts else None


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


def _group_lines(
    group: FailureGroup, story: Story, run: int, again: Again, paint: Paint
) -> list[str]:
    failure = group.first
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
    if group.count > 1:
        lines.append(paint.dim(f"  In the same way: {others_words(group)}"))
        command = again.debug(f"{run}/{failure.step}/{failure.job.task}")
        lines.append(paint.dim(f"  To run it here: {command}"))
        if story.parameters:
            lines.append(paint.dim(f"  Parameters: {story.parameters}"))
    return [*lines, ""]


def others_words(group: FailureGroup) -> str:
    """'fit/3, fit/4 and 12 more': the tasks that failed as the example did."""
    hidden = group.count - 1 - len(group.others)
    if hidden == 0:
        return some_of(group.others)
    shown = group.others[:-1]
    return f"{', '.join(shown)} and {hidden + 1:,} more"


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
    from swell.session.failed import foreach_places, last_lines, parameters_line

    places = [
        f"{place.var}[{place.index}] = {_shown_item(place.item)}"
        if place.item
        else f"{place.var}[{place.index}]"
        for place in foreach_places(stores, run, failure.step, failure.job.task)
    ]
    traceback = _traceback_of(failure)
    printed = last_lines(stores, run, failure.job, _LINES_SHOWN + len(traceback))
    lines = lines_before([last_state(line) for line in printed], traceback, _LINES_SHOWN)
    return Story(", ".join(places), lines, parameters_line(stores, run))


def _shown_item(text: str) -> str:
    return text if len(text) <= _ITEM_SHOWN else f"{text[:_ITEM_SHOWN]}…"
