"""Runs one attempt: gives the step its data, calls it, and collects what it leaves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from swell.authoring import flow as flow_object
from swell.authoring.decorator import StepDecorator, in_entering_order
from swell.authoring.flow import Flow
from swell.authoring.transition import Chosen, declared_next, empty_foreach, not_iterable
from swell.errors import InternalError, InvalidNextException, NonRetryable, SwellError
from swell.model.cause import Cause
from swell.model.graph import Graph, Node
from swell.model.job import Launch, RunContext
from swell.model.record import (
    ArtifactRef,
    AttemptResult,
    CardRef,
    ErrorInfo,
    Items,
    Outcome,
    Record,
    Split,
    Transition,
    Usage,
)
from swell.model.redaction import credentials_in, previews_without
from swell.model.wire import decode_record, encode
from swell.task.causes import cause_of
from swell.task.context import AttemptContext
from swell.task.current import Running
from swell.task.disk_space import advice, look_at_disk
from swell.task.door import Comparer, TaskDoor
from swell.task.gpu_memory import gpu_memory_mb
from swell.task.inputs import JoinInputs
from swell.task.loads import TimedStore
from swell.task.trace import describe_error

if TYPE_CHECKING:
    from swell.task.canaries import CanaryChoice

CHILD_INLINE_BYTES = 1024
"""What a foreach hands to all its children stands in a Blob from this size on, so that
not every child's Record repeats it."""


class StoredItems(Protocol):
    """What storing a foreach's items gives."""

    @property
    def items(self) -> Items: ...
    @property
    def count(self) -> int: ...


class ArtifactStore(Comparer, Protocol):
    """The datastore as a task uses it."""

    @property
    def store(self) -> str | None:
        """What references to what is saved name as their store."""
        ...

    def save(
        self, values: Mapping[str, object], *, inline_bytes: int | None = None
    ) -> dict[str, ArtifactRef]:
        """Store ``values``. Raises UnstorableArtifact and StoreError."""
        ...

    def promote(self, ref: ArtifactRef) -> ArtifactRef:
        """The same artifact as a Blob."""
        ...

    def changed(self, ref: ArtifactRef, value: object) -> bool:
        """Whether ``value``, loaded from ``ref``, was changed in place."""
        ...

    def store_items(self, iterable: Iterable[Any], limit: int, name: str) -> StoredItems:
        """Iterate once and store each item. Raises TooManyItems past ``limit``."""
        ...

    def take_keys(self) -> tuple[str, ...]:
        """Keys of the Blobs stored since the last call."""
        ...

    def save_card(self, html: bytes) -> tuple[str, str]:
        """(Blob key, SHA-1 hash) of a rendered card."""
        ...


class FlowInForce(NamedTuple):
    """The flow as this run uses it, after mutators and ``--with``."""

    flow_class: type[Flow]
    graph: Graph
    decorators: Mapping[str, Sequence[StepDecorator]]
    read_only: Mapping[str, str]


class Replayed(NamedTuple):
    """What a step did that ran only to be looked at: the exception it ended with, if any, the
    artifacts it had set, and where it went on to."""

    error: BaseException | None
    artifacts: Mapping[str, object]
    chosen: Chosen | None


class AttemptRunner:
    """Runs attempts of one run in this process, one after the other.

    ``late_facts`` gives the fields of ``current`` that are made when first asked for.
    """

    def __init__(
        self,
        force: FlowInForce,
        run: RunContext,
        store: ArtifactStore,
        late_facts: Callable[[Launch], Mapping[str, Callable[[], object]]],
        *,
        show_own_frames: bool = False,
    ) -> None:
        self.force = force
        self.context = run
        self.store = store
        self.show_own_frames = show_own_frames
        self._late_facts = late_facts
        self._parameters = decode_record(run.parameters).artifacts

    def run(self, launch: Launch, alive: Callable[[], None]) -> AttemptResult:
        """Run one attempt; never raises for what the step does.

        ``alive`` is called right before the step's decorators and code.
        """
        started_at = time.time()
        store = TimedStore(self.store)
        attempt, join = self._prepare(launch, store)
        with self._running(launch) as current:
            context = AttemptContext(attempt.flow, join, launch, self.context, current)
            alive()
            error = attempt.execute(context)
            for action in context.actions:
                action()
        return attempt.result(context, error, started_at, store.seconds)

    def replay(self, launch: Launch, look: Callable[[Replayed], None]) -> None:
        """Run the step of ``launch`` and keep nothing: no artifact, item or card is stored.

        ``look`` is called while ``current`` still answers for the task.
        """
        attempt, join = self._prepare(launch, self.store)
        with self._running(launch) as current:
            context = AttemptContext(attempt.flow, join, launch, self.context, current)
            error = attempt.execute(context)
            artifacts = flow_object.own_artifacts(attempt.flow)
            look(Replayed(error, artifacts, None if error else attempt.chosen))

    def _prepare(self, launch: Launch, store: Comparer) -> tuple[_Attempt, JoinInputs | None]:
        """The flow object with its data, and the inputs where the step is a join."""
        run = self.context
        inputs = launch.inputs
        node = self.force.graph.nodes[launch.step]
        available = dict(self._parameters)
        if not node.is_join and inputs.records:
            available.update(decode_record(inputs.records[0]).artifacts)
        flow = self.force.flow_class(use_cli=False)
        door = TaskDoor(
            launch,
            available,
            self.force.read_only,
            store,
            assigned=lambda: flow_object.own_artifacts(flow),
            expected_inputs=len(inputs.tasks) if node.is_join else None,
        )
        flow_object.bind(flow, door, node)
        join = JoinInputs(inputs, launch.stack, store, run.flow) if node.is_join else None
        return _Attempt(self, launch, node, flow, door), join

    def _running(self, launch: Launch) -> Running:
        return Running(lambda: (self._facts(launch), self._late_facts(launch)))

    def _facts(self, launch: Launch) -> dict[str, object]:
        run = self.context
        task = launch.job.task
        return {
            "flow_name": run.flow,
            "run_id": run.run,
            "step_name": launch.step,
            "task_id": task,
            "retry_count": launch.job.attempt,
            "origin_run_id": run.origin_run,
            "pathspec": f"{run.flow}/{run.run}/{launch.step}/{task}",
            "namespace": run.namespace,
            "username": run.user,
            "tags": frozenset(run.tags),
            "tempdir": ".",
            "is_parallel": launch.gang is not None,
            "parameter_names": [
                name for name, kind in self.force.read_only.items() if kind != "constant"
            ],
            **run.project,
        }


class _Attempt:
    """The state of one call of ``AttemptRunner.run``."""

    def __init__(
        self,
        runner: AttemptRunner,
        launch: Launch,
        node: Node,
        flow: Flow,
        door: TaskDoor,
    ) -> None:
        self.runner = runner
        self.launch = launch
        self.node = node
        self.flow = flow
        self.door = door
        self.chosen: Chosen | None = None

    # --- the step's code -----------------------------------------------------

    def execute(self, context: AttemptContext) -> BaseException | None:
        """Call the step inside its decorators; the exception it ended with, if any."""
        decorators = self.runner.force.decorators.get(self.launch.step, ())
        try:
            if self.launch.fallback is not None:
                _record_fallback(decorators, context)
            elif not decorators:
                self._call_step(context)
            else:
                with ExitStack() as entered:
                    for decorator in in_entering_order(decorators):
                        entered.enter_context(decorator.around(context))
                    self._call_step(context)
            if context.caught is not None:
                self.chosen = Chosen(targets=self.node.targets)
            else:
                self._choose_transition(context)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            return error
        return None

    def _call_step(self, context: AttemptContext) -> None:
        if context.skip_keywords is not None:
            flow_object.follow_own_transition(self.flow, context.skip_keywords or None)
            return
        code = context.replacement or getattr(type(self.flow), self.launch.step)
        arguments = (self.flow, context.inputs) if self.node.is_join else (self.flow,)
        answer = code(*arguments)
        if context.replacement is not None and answer:
            keywords = answer if isinstance(answer, Mapping) else None
            flow_object.follow_own_transition(self.flow, keywords)

    def _choose_transition(self, context: AttemptContext) -> None:
        if context.next_keywords is not None:
            flow_object.follow_own_transition(self.flow, context.next_keywords or None)
        elif self._is_declared():
            flow_object.follow_own_transition(self.flow)
        self.chosen = flow_object.chosen_transition(self.flow)
        if self.chosen is None and self.node.targets:
            raise InvalidNextException(
                f"Step '{self.launch.step}' ended without calling self.next.",
                remedy="Make self.next(…) its last line, outside of any 'if'.",
                source_file=self.node.file,
                line_no=self.node.line,
            )

    def _is_declared(self) -> bool:
        function = getattr(type(self.flow), self.launch.step)
        return self.chosen is None and declared_next(function) is not None

    # --- what it leaves ------------------------------------------------------

    def result(
        self,
        context: AttemptContext,
        error: BaseException | None,
        started_at: float,
        load_s: float,
    ) -> AttemptResult:
        """Store artifacts and cards; a failure to store is a failure of the attempt."""
        code_ended = time.perf_counter()
        transition = None
        artifacts: dict[str, ArtifactRef] = {}
        try:
            if error is None:
                transition = self._transition()
            artifacts = self._artifacts(opens_foreach=bool(transition and transition.split))
        except (Exception, SystemExit, KeyboardInterrupt) as storing_error:
            error = error or storing_error
        if error is not None and not artifacts:
            artifacts = self._storable_artifacts()
        artifacts = previews_without(artifacts, {*context.secrets, *credentials_in(os.environ)})
        cards = self._cards(context)
        outcome = msgspec.structs.replace(
            self._outcome(context, error, transition, started_at),
            load_s=load_s,
            save_s=time.perf_counter() - code_ended,
        )
        record = msgspec.Raw(encode(Record(artifacts, cards)))
        return AttemptResult(outcome, record, context.metadata, self.runner.store.take_keys())

    def _transition(self) -> Transition:
        chosen = self.chosen
        if chosen is None:
            return Transition()
        if chosen.num_parallel is not None:
            split = Split(var="", num=chosen.num_parallel, items=Items(), is_gang=True)
            self._check_splits(split.num)
            return Transition(chosen.targets, split)
        if chosen.foreach is None:
            return Transition(chosen.targets)
        canaries = self._canaries()
        items = canaries.over(chosen.items) if canaries is not None else chosen.items
        try:
            stored = self.runner.store.store_items(
                items, self.runner.context.max_num_splits, f"self.{chosen.foreach}"
            )
        except TypeError as error:
            raise not_iterable(self.flow, chosen.foreach, chosen.items, error) from error
        self._check_splits(stored.count)
        if stored.count == 0 and not chosen.allow_empty:
            raise empty_foreach(self.flow, chosen)
        indices = canaries.indices() if canaries is not None else ()
        split = Split(chosen.foreach, stored.count, stored.items, canaries=indices)
        return Transition(chosen.targets, split)

    def _canaries(self) -> CanaryChoice | None:
        number = self.node.canary or self.runner.context.canary
        if not number:
            return None
        from swell.task.canaries import CanaryChoice

        return CanaryChoice(number)

    def _check_splits(self, wanted: int) -> None:
        limit = self.runner.context.max_num_splits
        if wanted > limit:
            raise SwellError(
                f"Step '{self.launch.step}' opens {wanted:,} tasks, but --max-num-splits "
                f"allows {limit:,}.",
                remedy=f"If that many are meant, add --max-num-splits {wanted}.",
            )

    def _artifacts(self, *, opens_foreach: bool) -> dict[str, ArtifactRef]:
        store = self.runner.store
        new = flow_object.own_artifacts(self.flow)
        for name, value in flow_object.loaded_artifacts(self.flow).items():
            ref = self.door.available.get(name)
            if ref is None or name in self.runner.force.read_only:
                continue
            if store.changed(ref, value):
                new[name] = value
        if opens_foreach and self.chosen is not None and isinstance(self.chosen.items, Iterator):
            # Its items were stored; it is used up itself, and a generator cannot be stored.
            new.pop(self.chosen.foreach or "", None)
        inline_bytes = CHILD_INLINE_BYTES if opens_foreach else None
        given = {name: ref.handed_on() for name, ref in self.door.available.items()}
        refs = {**given, **store.save(new, inline_bytes=inline_bytes)}
        if not opens_foreach:
            return refs
        return {
            name: store.promote(ref)
            if ref.inline is not None and len(ref.inline) > CHILD_INLINE_BYTES
            else ref
            for name, ref in refs.items()
        }

    def _storable_artifacts(self) -> dict[str, ArtifactRef]:
        """Of a failed attempt, what can be stored: to be looked at, never handed on."""
        refs = dict(self.door.available)
        for name, value in flow_object.own_artifacts(self.flow).items():
            try:
                refs.update(self.runner.store.save({name: value}))
            except Exception:  # one artifact that cannot be kept must not hide the others
                continue
        return refs

    def _cards(self, context: AttemptContext) -> tuple[CardRef, ...]:
        cards = []
        for type_, id_, html in context.cards:
            key, digest = self.runner.store.save_card(html)
            cards.append(CardRef(type_, id_, digest, key, len(html), self.runner.store.store))
        return tuple(cards)

    def _outcome(
        self,
        context: AttemptContext,
        error: BaseException | None,
        transition: Transition | None,
        started_at: float,
    ) -> Outcome:
        ended_at = time.time()
        on_gpus = gpu_memory_mb()
        used = Usage() if on_gpus is None else Usage(gpu_memory_mb=on_gpus)
        if error is None:
            info = self._describe(context.caught) if context.caught is not None else None
            return Outcome(
                ok=True,
                error=info,
                transition=transition,
                caught=context.caught is not None,
                started_at=started_at,
                ended_at=ended_at,
                used=used,
            )
        cause = cause_of(error)
        info = self._describe(error)
        if not isinstance(error, SystemExit):
            _write_to_stderr(info.traceback)
        message, remedy = _sentence(error, info), ""
        if cause is Cause.DISK_FULL:
            disk = look_at_disk(error, self.runner.context.home)
            remedy = advice(disk)
            if isinstance(error, SwellError):
                message, remedy = error.message, error.remedy or remedy
            message = f"{message.rstrip('.')} ({disk})." if disk else message
        return Outcome(
            ok=False,
            cause=cause,
            message=message,
            remedy=remedy,
            error=info,
            retryable=not isinstance(error, NonRetryable),
            started_at=started_at,
            ended_at=ended_at,
            used=used,
        )

    def _describe(self, error: BaseException) -> ErrorInfo:
        return describe_error(error, with_own_frames=self.runner.show_own_frames)


def _sentence(error: BaseException, info: ErrorInfo) -> str:
    if isinstance(error, SystemExit):
        return f"The step called sys.exit({error.code!r}), before it was done."
    if isinstance(error, SwellError):
        return str(error)
    return f"{info.type}: {info.text}" if info.text else info.type


def _write_to_stderr(text: str) -> None:
    import sys

    sys.stderr.write(text)
    sys.stderr.flush()


def _record_fallback(decorators: Iterable[StepDecorator], context: AttemptContext) -> None:
    for decorator in decorators:
        record = getattr(decorator, "record_fallback", None)
        if record is not None:
            record(context)
            return
    raise InternalError(
        f"Step '{context.step}' was launched to record a failure, but nothing on it catches one."
    )
