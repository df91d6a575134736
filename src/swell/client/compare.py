"""What differs between two runs; pure: facts and Records in, differences out, nothing loaded."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from blake3 import blake3

from swell.model.facts import AttemptFact, RunFact, TaskFact
from swell.model.record import ArtifactRef

Refs = Mapping[str, ArtifactRef]


class RunView(msgspec.Struct, frozen=True):
    """What is known of a run, to be compared.

    ``steps`` are the names in the order of its graph. ``code`` has short texts by name
    (commit, branch), ``script`` the text of the script; None where it was not kept or
    cannot be read. ``packages`` are versions by name, None where they were not kept.
    ``records`` has the artifacts of tasks by task id.
    """

    run: RunFact
    steps: tuple[str, ...] = ()
    parameters: Refs = {}
    code: Mapping[str, str] = {}
    script: str | None = None
    packages: Mapping[str, str] | None = None
    tasks: tuple[TaskFact, ...] = ()
    attempts: tuple[AttemptFact, ...] = ()
    records: Mapping[str, Refs] = {}


class Change(msgspec.Struct, frozen=True):
    """Something with a name that is different; None: that run has none."""

    name: str
    first: str | None
    second: str | None


class ArtifactChange(msgspec.Struct, frozen=True):
    """An artifact of a step that differs in ``differing`` of ``tasks`` tasks of both runs.

    ``indices`` are the foreach indices of the first such task, ``first`` and ``second``
    what the runs have there; None: nothing of that name.
    """

    step: str
    name: str
    tasks: int
    differing: int
    indices: tuple[int, ...]
    first: ArtifactRef | None
    second: ArtifactRef | None


class StepSum(msgspec.Struct, frozen=True):
    """Tasks of a step in one run; times in seconds and memory in MB of those that ran in it."""

    tasks: int = 0
    typical_s: float | None = None
    longest_s: float | None = None
    peak_memory_mb: float | None = None


class StepPair(msgspec.Struct, frozen=True):
    """A step in both runs; None: that run's flow has no such step."""

    name: str
    first: StepSum | None
    second: StepSum | None


class RunDiff(msgspec.Struct, frozen=True):
    """All that differs; ``steps`` has every step, for their times.

    ``same_artifacts`` counts artifacts of tasks that are equal in both, each content once.
    """

    parameters: tuple[Change, ...]
    code: tuple[Change, ...]
    script: tuple[str, ...]
    packages: tuple[Change, ...]
    steps: tuple[StepPair, ...]
    artifacts: tuple[ArtifactChange, ...]
    same_artifacts: int
    unknown: tuple[str, ...] = ()

    @property
    def changed_steps(self) -> tuple[StepPair, ...]:
        """Steps that one run lacks, or that have another number of tasks."""
        return tuple(
            pair
            for pair in self.steps
            if pair.first is None or pair.second is None or pair.first.tasks != pair.second.tasks
        )

    @property
    def same_in(self) -> tuple[str, ...]:
        """What is known of both runs and is the same in them."""
        parts = {
            "parameters": self.parameters,
            "code": self.code or self.script,
            "packages": self.packages,
            "steps": self.changed_steps,
            "artifacts": self.artifacts,
        }
        return tuple(
            name for name, changes in parts.items() if not changes and name not in self.unknown
        )


def compare_runs(first: RunView, second: RunView) -> RunDiff:
    """What is different in ``second``, seen from ``first``."""
    steps = _step_names(first, second)
    artifacts, same = _artifacts(first, second, steps)
    is_script_known = first.script is not None and second.script is not None
    are_packages_known = first.packages is not None and second.packages is not None
    unknown = [] if is_script_known else ["code"]
    unknown += [] if are_packages_known else ["packages"]
    return RunDiff(
        parameters=tuple(_parameters(first.parameters, second.parameters)),
        code=tuple(_texts(first.code, second.code)),
        script=_script(first, second) if is_script_known else (),
        packages=tuple(_texts(first.packages or {}, second.packages or {}))
        if are_packages_known
        else (),
        steps=_steps(first, second, steps),
        artifacts=artifacts,
        same_artifacts=same,
        unknown=tuple(unknown),
    )


def content_key(ref: ArtifactRef) -> str:
    """Equal content, equal key: the Blob's, or that which it would have."""
    return ref.key if ref.key is not None else blake3(ref.inline or b"").hexdigest()


# --- parameters, code, packages ----------------------------------------------------------


def _parameters(first: Refs, second: Refs) -> Iterator[Change]:
    for name in sorted({*first, *second}):
        one, other = first.get(name), second.get(name)
        if not _is_same(one, other):
            yield Change(name, _line(one), _line(other))


def _line(ref: ArtifactRef | None) -> str | None:
    return None if ref is None else ref.preview_line


def _texts(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys([*first, *second]):
        if first.get(name) != second.get(name):
            yield Change(name, first.get(name), second.get(name))


def _script(first: RunView, second: RunView) -> tuple[str, ...]:
    """A unified diff without its heading."""
    if first.script == second.script:
        return ()
    from difflib import unified_diff

    one, other = (first.script or "").splitlines(), (second.script or "").splitlines()
    lines = list(unified_diff(one, other, lineterm="", n=2))[2:]
    return tuple(lines) or ("(only the ends of lines differ)",)


# --- steps -------------------------------------------------------------------------------


def _step_names(first: RunView, second: RunView) -> list[str]:
    """The second run's order; steps that only the first has come where that had them."""
    names = list(second.steps)
    place = 0
    for name in first.steps:
        if name in names:
            place = names.index(name) + 1
        else:
            names.insert(place, name)
            place += 1
    return names


def _steps(first: RunView, second: RunView, names: Sequence[str]) -> tuple[StepPair, ...]:
    sums = [_sums(first), _sums(second)]
    return tuple(
        StepPair(
            name,
            sums[0].get(name, StepSum()) if name in first.steps else None,
            sums[1].get(name, StepSum()) if name in second.steps else None,
        )
        for name in names
    )


def _sums(view: RunView) -> dict[str, StepSum]:
    ran = {fact.created.task for fact in view.tasks if fact.created.origin_task is None}
    counts: dict[str, int] = {}
    for fact in view.tasks:
        counts[fact.created.step] = counts.get(fact.created.step, 0) + 1
    seconds: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    for attempt in view.attempts:
        if attempt.job.task not in ran:
            continue
        if attempt.started_at is not None and attempt.ended_at is not None:
            took = attempt.ended_at - attempt.started_at
            seconds.setdefault(attempt.step, []).append(took)
        peak = attempt.usage.peak_memory_mb
        if peak:
            peaks[attempt.step] = max(peak, peaks.get(attempt.step, 0.0))
    return {
        step: StepSum(
            count,
            statistics.median(seconds[step]) if step in seconds else None,
            max(seconds[step]) if step in seconds else None,
            peaks.get(step),
        )
        for step, count in counts.items()
    }


# --- artifacts ---------------------------------------------------------------------------


class _Found(msgspec.Struct):
    """How an artifact of a step compares, so far."""

    tasks: int = 0
    differing: int = 0
    indices: tuple[int, ...] = ()
    first: ArtifactRef | None = None
    second: ArtifactRef | None = None


def _artifacts(
    first: RunView, second: RunView, steps: Iterable[str]
) -> tuple[tuple[ArtifactChange, ...], int]:
    """Differences by step, told where they first are: not again by steps that hand them on."""
    given = {*first.parameters, *second.parameters, "name"}
    tasks = [_by_step(first), _by_step(second)]
    told: set[tuple[str, str, str]] = set()
    same: set[tuple[str, str]] = set()
    changes: list[ArtifactChange] = []
    for step in steps:
        of_first, of_second = (of_run.get(step, {}) for of_run in tasks)
        found: dict[str, _Found] = {}
        new: set[tuple[str, str, str]] = set()
        for place in of_first.keys() & of_second.keys():
            one = first.records.get(of_first[place], {})
            other = second.records.get(of_second[place], {})
            for name in {*one, *other} - given:
                if name[:1] == "_":
                    continue
                known = found.setdefault(name, _Found())
                known.tasks += 1
                pair = (one.get(name), other.get(name))
                if _is_same(*pair):
                    same.add((name, content_key(one[name])))
                    continue
                keys = (name, *(content_key(ref) if ref else "" for ref in pair))
                difference = (keys[0], keys[1], keys[2])
                if difference in told:
                    continue
                new.add(difference)
                known.differing += 1
                if known.differing == 1 or place.indices < known.indices:
                    known.indices, (known.first, known.second) = place.indices, pair
        told |= new
        changes += [
            ArtifactChange(step, name, one.tasks, one.differing, one.indices, one.first, one.second)
            for name, one in sorted(found.items())
            if one.differing
        ]
    return tuple(changes), len(same)


class _Place(msgspec.Struct, frozen=True):
    """Where a task stands in its flow; the same in both runs."""

    indices: tuple[int, ...]
    rounds: tuple[int, ...]
    node: str


def _by_step(view: RunView) -> dict[str, dict[_Place, str]]:
    found: dict[str, dict[_Place, str]] = {}
    for fact in view.tasks:
        created = fact.created
        node = created.task.partition("_node_")[2]
        place = _Place(created.indices, created.rounds, node)
        found.setdefault(created.step, {})[place] = created.task
    return found


def _is_same(one: ArtifactRef | None, other: ArtifactRef | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.inline is not None and other.inline is not None:
        return one.inline == other.inline
    return one.size == other.size and content_key(one) == content_key(other)
