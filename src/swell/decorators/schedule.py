"""``@schedule``: when a deployed flow starts; without effect on runs from the terminal."""

from __future__ import annotations

from typing import ClassVar

from swell.authoring.decorator import FlowDecorator, FlowDecoratorFactory
from swell.decorators.arguments import flag, optional_text


class ScheduleDecorator(FlowDecorator):
    """Checked and kept for deployments: ``cron`` text, or one of weekly, daily, hourly."""

    name = "schedule"
    defaults: ClassVar = {
        "cron": None,
        "weekly": False,
        "daily": True,
        "hourly": False,
        "timezone": None,
    }

    def check_arguments(self) -> None:
        optional_text(self, "cron")
        optional_text(self, "timezone")
        for argument in ("weekly", "daily", "hourly"):
            flag(self, argument)


schedule = FlowDecoratorFactory(ScheduleDecorator)
