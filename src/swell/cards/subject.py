"""What a card is about: the facts of one attempt that a rendered page shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from swell.authoring.context import TaskContext
from swell.cards.component import escape
from swell.cards.previews import preview, type_name
from swell.model.record import ArtifactRef
from swell.model.wire import decode_record

_SYSTEM_TAGS = ("python_version:", "runtime:", "swell_version:", "user:", "date:")


class Shown(msgspec.Struct, frozen=True):
    """A named value on the page; ``html`` is made of it when the page is rendered.

    ``is_new`` marks what this step itself set or read.
    """

    name: str
    type: str
    html: Callable[[], str]
    is_new: bool = True


class Subject(msgspec.Struct, frozen=True):
    """One attempt. ``started_at`` and ``ended_at`` are Unix seconds.

    ``error`` is what the step's own code raised. ``step_code`` and ``flow_class`` are
    objects whose source is read only when a page shows it.
    """

    flow: str
    run: str
    step: str
    task: str
    attempt: int = 0
    user: str = ""
    tags: tuple[str, ...] = ()
    script: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    error: BaseException | None = None
    parameters: tuple[Shown, ...] = ()
    artifacts: tuple[Shown, ...] = ()
    step_code: Callable[..., Any] | None = None
    flow_class: Any = None


def subject_of(
    task: TaskContext, started_at: float, ended_at: float, error: BaseException | None
) -> Subject:
    """The facts of the attempt that ``task`` runs."""
    stored = decode_record(task.run.parameters).artifacts if task.run.parameters else {}
    # Every flow's 'name' is kept with the parameters, for tools; it is the page's headline.
    stored_parameters = {name: ref for name, ref in stored.items() if name != "name"}
    flow = task.flow
    return Subject(
        flow=task.run.flow,
        run=task.run.run,
        step=task.step,
        task=task.launch.job.task,
        attempt=task.launch.job.attempt,
        user=task.run.user,
        tags=tuple(tag for tag in task.run.tags if not tag.startswith(_SYSTEM_TAGS)),
        script=task.run.script,
        started_at=started_at,
        ended_at=ended_at,
        error=error,
        parameters=tuple(shown_ref(name, ref) for name, ref in stored_parameters.items()),
        artifacts=_artifacts(task, stored.keys()),
        step_code=getattr(type(flow), task.step, None),
        flow_class=type(flow),
    )


def shown_value(name: str, value: object) -> Shown:
    """A value that is in memory."""
    return Shown(name, type_name(value), lambda: preview(value))


def shown_ref(name: str, ref: ArtifactRef) -> Shown:
    """A value that stays in the store: its recorded preview is enough."""
    text = escape(ref.preview)
    html = f'<pre class="repr">{text}</pre>' if "\n" in text else f"<code>{text}</code>"
    return Shown(name, ref.type, lambda: html, is_new=False)


def _artifacts(task: TaskContext, parameters: Any) -> tuple[Shown, ...]:
    """What is in memory by value, then what was handed on unread by its recorded preview."""
    inputs = task.launch.inputs
    inherited: dict[str, ArtifactRef] = {}
    if task.inputs is None and inputs.records:
        inherited = decode_record(inputs.records[0]).artifacts
    in_memory = {name: value for name, value in vars(task.flow).items() if name[0] != "_"}
    own = [shown_value(name, value) for name, value in in_memory.items() if name not in parameters]
    unread = [
        shown_ref(name, ref)
        for name, ref in inherited.items()
        if name not in in_memory and name not in parameters and name[0] != "_"
    ]
    return tuple(own + unread)
