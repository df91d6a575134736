"""``@batch``: the step is an AWS Batch job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import flag, optional_text, optional_whole_number
from swell.decorators.resources import larger, wish
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan

_TEXTS = (
    "image",
    "queue",
    "iam_role",
    "execution_role",
    "tmpfs_path",
    "log_driver",
    "executable",
    "share",
)
_FLAGS = ("use_tmpfs", "tmpfs_tempdir", "privileged")
_AMOUNTS = ("max_swap", "inferentia", "trainium", "efa", "tmpfs_size", "priority")
_LISTS = ("host_volumes", "efs_volumes", "log_options")


class BatchDecorator(StepDecorator):
    """Run the step as a job on AWS Batch.

    ``cpu``, ``gpu`` and ``memory`` (MB) count as in ``@resources``: the larger wish holds.
    ``share`` and ``priority`` place the job in a fair-share queue.
    """

    name = "batch"
    defaults: ClassVar = {
        "cpu": None,
        "gpu": None,
        "memory": None,
        "image": None,
        "queue": None,
        "iam_role": None,
        "execution_role": None,
        "shared_memory": None,
        "max_swap": None,
        "swappiness": None,
        "inferentia": None,
        "trainium": None,
        "efa": None,
        "host_volumes": None,
        "efs_volumes": None,
        "use_tmpfs": False,
        "tmpfs_tempdir": True,
        "tmpfs_size": None,
        "tmpfs_path": "/swell_temp",
        "aws_batch_tags": None,
        "ephemeral_storage": None,
        "log_driver": None,
        "log_options": None,
        "executable": None,
        "privileged": False,
        "share": None,
        "priority": None,
    }

    def check_arguments(self) -> None:
        wish(self)
        for argument in _TEXTS:
            optional_text(self, argument)
        for argument in _FLAGS:
            flag(self, argument)
        for argument in _AMOUNTS:
            optional_whole_number(self, argument)
        optional_whole_number(self, "swappiness", maximum=100)
        optional_whole_number(self, "priority", maximum=9999)
        # GiB, on Fargate: https://docs.aws.amazon.com/batch/latest/APIReference/API_EphemeralStorage.html
        optional_whole_number(self, "ephemeral_storage", minimum=21, maximum=200)
        for argument in _LISTS:
            self._check_list(argument)
        self._tags()
        attributes = self.attributes
        if attributes["inferentia"] is not None and attributes["trainium"] is not None:
            raise self.problem(
                "@batch was given both inferentia and trainium.",
                remedy="Give one: they mean the same.",
            )
        path = attributes["tmpfs_path"]
        if path is not None and not path.startswith("/"):
            raise self.problem(f"@batch: tmpfs_path is {path!r}.", remedy="Give an absolute path.")

    def plan(self, plan: StepPlan) -> StepPlan:
        resources = larger(plan.resources, wish(self))
        return msgspec.structs.replace(
            plan, backend="batch", resources=resources, batch=self._options()
        )

    def _options(self) -> BatchOptions:
        given: dict[str, Any] = {name: optional_text(self, name) for name in _TEXTS}
        given |= {name: flag(self, name) for name in _FLAGS}
        given |= {name: optional_whole_number(self, name) for name in _AMOUNTS}
        given |= {name: self._list(name) for name in _LISTS}
        inferentia = given.pop("inferentia")
        return BatchOptions(
            **{**given, "trainium": given["trainium"] if inferentia is None else inferentia},
            swappiness=optional_whole_number(self, "swappiness", maximum=100),
            ephemeral_storage=optional_whole_number(self, "ephemeral_storage"),
            tags=tuple(self._tags().items()),
        )

    def _list(self, argument: str) -> tuple[str, ...]:
        """Text counts as a list of its parts between commas."""
        given = self.attributes[argument]
        values = given.split(",") if isinstance(given, str) else given or ()
        return tuple(value.strip() for value in values if value.strip())

    def _check_list(self, argument: str) -> None:
        given = self.attributes[argument]
        values = [given] if isinstance(given, str) else given
        if values is None:
            return
        if not isinstance(values, (list, tuple)) or not all(isinstance(v, str) for v in values):
            raise self.problem(
                f"@batch: {argument} is {given!r}.", remedy="Give text, or a list of texts."
            )

    def _tags(self) -> dict[str, str]:
        """As a dict; text is read as ``key=value,key=value``."""
        given = self.attributes["aws_batch_tags"]
        if given is None:
            return {}
        if isinstance(given, str):
            pairs = [part.partition("=") for part in given.split(",")]
            if all(key.strip() and equals for key, equals, _ in pairs):
                return {key.strip(): value.strip() for key, _, value in pairs}
        if isinstance(given, Mapping):
            tags = dict(given)
            if all(isinstance(text, str) for text in (*tags, *tags.values())):
                return tags
        raise self.problem(
            f"@batch: aws_batch_tags is {given!r}.",
            remedy="Give a dict of texts: {'team': 'ml'}, or text: 'team=ml,stage=test'.",
        )


batch = StepDecoratorFactory(BatchDecorator)
