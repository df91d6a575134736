"""Events on cards, newest first."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import msgspec

from swell.cards.component import MetaflowCardComponent, escape, render_safely
from swell.cards.components import theme_class
from swell.cards.previews import preview


class _Event(msgspec.Struct, frozen=True):
    """One event as given; ``received_at`` is Unix seconds."""

    facts: dict[str, Any]
    received_at: float
    theme: str | None
    priority: str | None
    payloads: dict[str, Any]


class EventsTimeline(MetaflowCardComponent):
    """What happened, newest first; the last ``max_events`` are kept, all are counted."""

    REALTIME_UPDATABLE = True

    def __init__(self, title: str | None = None, max_events: int = 100) -> None:
        self._title = title
        self._max_events = max_events
        self._events: list[_Event] = []
        self._total = 0
        self._first_at: float | None = None
        self._last_at: float | None = None
        self._finished = False

    def update(
        self,
        event_data: dict[str, Any],
        style_theme: str | None = None,
        priority: str | None = None,
        payloads: dict[str, Any] | None = None,
        finished: bool | None = None,
    ) -> None:
        """Add an event: plain facts, and ``payloads`` of components that fold out.

        ``style_theme`` is one of default, success, warning, error, info, primary,
        secondary, tool_call, ai_response; ``priority`` low, normal, high or critical.
        """
        now = time.time()
        self._first_at = now if self._first_at is None else self._first_at
        self._last_at = now
        self._total += 1
        self._finished = self._finished if finished is None else finished
        event = _Event(dict(event_data), now, style_theme, priority, dict(payloads or {}))
        self._events = [event, *self._events][: self._max_events]

    def get_stats(self) -> dict[str, Any]:
        """Counts and times (Unix seconds) of the events so far."""
        stats: dict[str, Any] = {
            "total_events": self._total,
            "displayed_events": len(self._events),
            "last_update": self._last_at,
            "first_event": self._first_at,
            "finished": self._finished,
        }
        if self._first_at is not None and self._last_at is not None and self._total > 1:
            runtime_s = self._last_at - self._first_at
            if runtime_s > 0:
                stats["events_per_minute"] = round(self._total / runtime_s * 60, 1)
                stats["total_runtime_seconds"] = round(runtime_s, 1)
        return stats

    def render(self) -> str:
        state = "finished" if self._finished else "open"
        left_out = self._total - len(self._events)
        hidden = f", the last {len(self._events)} shown" if left_out else ""
        count = f"{self._total} event{'' if self._total == 1 else 's'}{hidden}, {state}"
        title = escape(self._title or "Events")
        items = "".join(_render_event(event) for event in self._events)
        return (
            f'<div class="timeline"><div class="row"><strong>{title}</strong>'
            f"<span>{count}</span></div><ol>{items}</ol></div>"
        )


def _render_event(event: _Event) -> str:
    facts = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>"
        for key, value in event.facts.items()
        if key != "timestamp"
    )
    folded = "".join(
        f"<details><summary>{escape(key)}</summary>{_render_payload(value)}</details>"
        for key, value in event.payloads.items()
    )
    priority = theme_class(event.priority).replace(" theme-", " priority-")
    return (
        f'<li class="event{theme_class(event.theme)}{priority}"><time>{_when(event)}</time>'
        f"<dl>{facts}</dl>{folded}</li>"
    )


def _render_payload(value: Any) -> str:
    return render_safely(value) if isinstance(value, MetaflowCardComponent) else preview(value)


def _when(event: _Event) -> str:
    stated = event.facts.get("timestamp", event.received_at)
    if isinstance(stated, (int, float)) and not isinstance(stated, bool):
        return datetime.fromtimestamp(stated).strftime("%H:%M:%S")
    return escape(stated)
