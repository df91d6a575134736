"""``@trigger_on_finish``: flows whose end starts this one once deployed; no effect here."""

from __future__ import annotations

from typing import ClassVar

from swell.authoring.decorator import FlowDecorator, FlowDecoratorFactory
from swell.decorators.trigger import check_one_or_many


class TriggerOnFinishDecorator(FlowDecorator):
    """Checked and kept for deployments: one ``flow`` or several ``flows``."""

    name = "trigger_on_finish"
    defaults: ClassVar = {"flow": None, "flows": [], "options": {}}

    def check_arguments(self) -> None:
        check_one_or_many(self, "flow", "flows")


trigger_on_finish = FlowDecoratorFactory(TriggerOnFinishDecorator)
