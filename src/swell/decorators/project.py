"""``@project``: flows that belong together, each user on a branch of their own."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from swell.authoring.decorator import FlowDecorator, FlowDecoratorFactory
from swell.decorators.arguments import flag
from swell.errors import UsageError

_LONGEST_NAME = 128
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


class Project(NamedTuple):
    """Where in which project a run stands; the fields are those of ``current``."""

    project_name: str
    project_flow_name: str
    branch_name: str
    is_user_branch: bool
    is_production: bool

    @property
    def facts(self) -> dict[str, str | bool]:
        """The fields by name, as ``RunContext.project`` carries them."""
        return dict(self._asdict())

    @property
    def tags(self) -> tuple[str, ...]:
        """The system tags of the run."""
        return (f"project:{self.project_name}", f"project_branch:{self.branch_name}")


class ProjectDecorator(FlowDecorator):
    """Put the flow into project ``name``.

    Its branch is ``user.<you>``; with ``branch`` (or ``--branch``) ``test.<branch>``; with
    ``production`` (or ``--production``) ``prod`` or ``prod.<branch>``.
    """

    name = "project"
    defaults: ClassVar = {"name": None, "branch": None, "production": False}

    def check_arguments(self) -> None:
        attributes = self.attributes
        flag(self, "production")
        if attributes["name"] is None:
            raise self.problem("@project has no name.", remedy="Write @project(name='…').")
        for argument in ("name", "branch"):
            value = attributes[argument]
            if value is not None and not is_valid_name(value):
                raise self.problem(
                    f"@project: {argument} is {value!r}.", remedy=f"Use {_name_rule()}."
                )


def resolve_project(
    decorator: ProjectDecorator,
    flow: str,
    user: str,
    branch: str | None = None,
    production: bool | None = None,
) -> Project:
    """The project of a run; ``branch`` and ``production`` are the options, None if not given.

    Raises UsageError where code and options disagree, or for a bad branch.
    """
    branch = _agreed(decorator, "branch", branch)
    is_production = _agreed(decorator, "production", production)
    if isinstance(is_production, str):
        is_production = is_production.lower() == "true"
    if branch is not None and not is_valid_name(branch):
        raise UsageError(f"Branch {branch!r} cannot be used.", remedy=f"Use {_name_rule()}.")
    if is_production:
        branch_name = f"prod.{branch}" if branch else "prod"
    else:
        branch_name = f"test.{branch}" if branch else f"user.{user}"
    name = decorator.attributes["name"]
    return Project(
        project_name=name,
        project_flow_name=f"{name}.{branch_name}.{flow}",
        branch_name=branch_name,
        is_user_branch=not is_production and not branch,
        is_production=bool(is_production),
    )


def is_valid_name(name: object) -> bool:
    """Whether it can name a project or a branch."""
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and set(name) <= _CHARACTERS


def _agreed(decorator: ProjectDecorator, argument: str, option: Any) -> Any:
    written = decorator.given.get(argument)
    if option is None:
        return written
    if written is not None and written != option:
        raise UsageError(
            f"@project says {argument}={written!r}, the command line {argument}={option!r}.",
            remedy="Make them agree, or drop one of them.",
        )
    return option


def _name_rule() -> str:
    return f"lower-case letters, digits and '_', at most {_LONGEST_NAME} of them"


project = FlowDecoratorFactory(ProjectDecorator)
