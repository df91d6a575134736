"""`swell configure aws`: asks what AWS Batch needs, tries it at once, writes a profile."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from swell.cli.looking import Looking, looking_of
from swell.errors import SwellError, UsageError
from swell.settings import SANDBOX_PROFILE, aws_variables, parse_settings, settings_with
from swell.settings_file import file_text, settings_path, with_values, write_settings
from swell.settings_table import SETTINGS

if TYPE_CHECKING:
    from swell.session.aws_setup import AwsSetup


def configure_command(ctx: click.Context) -> click.Command:
    """``swell configure``."""
    del ctx
    aws = click.Command(
        "aws",
        params=[
            click.Option(["--region"], metavar="NAME", help="The region of queue and bucket."),
            click.Option(
                ["--bucket"], metavar="BUCKET[/PREFIX]", help="Where artifacts go, in S3."
            ),
            click.Option(["--queue"], metavar="NAME", help="The queue of jobs that name none."),
            click.Option(
                ["--iam-role"], metavar="ARN", help="The role of jobs; it must reach the bucket."
            ),
            click.Option(
                ["--execution-role"],
                metavar="ARN",
                help="The role with which Fargate fetches images and writes logs.",
            ),
            click.Option(
                ["--profile", "name"],
                metavar="NAME",
                help="Write NAME.toml instead of config.toml.",
            ),
            click.Option(
                ["--yes"], is_flag=True, help="Ask nothing: what is not given stays as it is."
            ),
        ],
        callback=_aws,
        help="Ask for region, bucket, queue and roles, try each at once, and write them into a "
        "settings file. Keys are never asked for and never written.",
    )
    return click.Group("configure", commands={"aws": aws}, help="Write settings, tried before.")


class _Question(NamedTuple):
    """One setting: its words, what was typed for it, and how it is tried.

    ``check`` returns a sentence; ``settled`` turns what was typed into the setting's value.
    """

    setting: str
    words: str
    given: str | None
    check: Callable[[str], str]
    is_optional: bool = False
    settled: Callable[[str], str] = str


@click.pass_context
def _aws(ctx: click.Context, /, name: str | None, yes: bool, **given: Any) -> None:
    looking = looking_of(ctx)
    profile = name or looking.settings.profile
    _refuse_name(profile)
    try:
        _Configuring(looking, profile, asks=not yes).run(given)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise UsageError(
            "Nobody answers the questions.",
            remedy="Give --region, --bucket, --queue, --iam-role and --yes.",
        ) from None


class _Configuring:
    """One dialogue."""

    def __init__(self, looking: Looking, profile: str | None, *, asks: bool) -> None:
        self._looking = looking
        self._profile = profile
        self._asks = asks
        self._path = settings_path(looking.settings.home, profile)
        self._text = file_text(self._path)
        self._there = parse_settings(self._text.encode(), self._path)
        self._before = settings_with(self._there)
        self._values: dict[str, str] = {}
        self._opened: AwsSetup | None = None

    def run(self, given: dict[str, str | None]) -> None:
        """Ask, try, write, and say what comes next."""
        try:
            self._ask_all(given)
        finally:
            if self._opened is not None:
                self._opened.close()
        self._write()

    def _ask_all(self, given: dict[str, str | None]) -> None:
        from swell.session.aws_setup import s3_address

        region = _Question("aws_region", "Region", given["region"], self._try_region)
        self._values["s3_region"] = self._answer(region)
        assert self._opened is not None
        setup = self._opened
        self._answer(
            _Question(
                "datastore",
                "Bucket, or bucket/prefix",
                given["bucket"],
                setup.bucket,
                settled=lambda text: s3_address(text).url,
            )
        )
        if self._asks and given["queue"] is None:
            self._looking.print([f"  Queues there: {', '.join(setup.queue_names()) or 'none'}."])
        self._answer(_Question("batch_queue", "Job queue", given["queue"], setup.queue))
        for right in setup.queue_check.denied if setup.queue_check is not None else ():
            self._warn(f"Without the right {right} less is known of why a job waits.")
        self._ask_roles(setup, given)
        try:
            self._fine(setup.logs())
        except SwellError as error:
            self._warn(f"{error.message} What killed containers printed last is then not shown.")

    def _try_region(self, region: str) -> str:
        """Credentials, in that region: a name that is none is found out by asking there."""
        from swell.session.aws_setup import AwsSetup, with_typed

        if self._opened is not None:
            self._opened.close()
        values = {"aws_region": region, "s3_region": region}
        self._opened = AwsSetup(with_typed(self._before, values))
        return self._opened.credentials()

    def _ask_roles(self, setup: AwsSetup, given: dict[str, str | None]) -> None:
        role = self._answer(
            _Question(
                "batch_iam_role",
                "ARN of the role of jobs (empty: that of their machines)",
                given["iam_role"],
                setup.role,
                is_optional=True,
            )
        )
        if setup.is_fargate and not role:
            self._warn(
                "Jobs on Fargate have no credentials without a role of their own: they cannot "
                "reach the bucket."
            )
        if setup.is_fargate or given["execution_role"]:
            self._answer(
                _Question(
                    "batch_execution_role",
                    "ARN of the role with which Fargate fetches images",
                    given["execution_role"],
                    setup.role,
                )
            )

    # --- one question ------------------------------------------------------------------

    def _answer(self, question: _Question) -> str:
        """The value, once it passes; what fails is told, and asked again."""
        text = question.given
        default = getattr(self._before, question.setting) or ""
        if question.setting == "aws_region":
            default = default or aws_variables().region or ""
        while True:
            if text is None:
                text = self._ask(question, default)
            if not text and question.is_optional:
                return ""
            try:
                self._fine(question.check(text))
                value = question.settled(text)
            except SwellError as error:
                if not self._asks:
                    raise
                looking = self._looking
                looking.print([f"  {looking.paint.red('✗')} {error.message}"])
                if error.remedy:
                    looking.print([f"    {error.remedy}"])
                text = None
            else:
                self._values[question.setting] = value
                return value

    def _ask(self, question: _Question, default: str) -> str:
        if self._asks:
            shown = default or ("" if question.is_optional else None)
            return str(click.prompt(question.words, default=shown, type=str)).strip()
        if not default and not question.is_optional:
            option = {
                "aws_region": "--region",
                "datastore": "--bucket",
                "batch_queue": "--queue",
                "batch_execution_role": "--execution-role",
            }[question.setting]
            raise UsageError(
                f"{question.words}: nothing was given.",
                remedy=f"Give {option}, or leave out --yes.",
            )
        return default

    # --- the file -------------------------------------------------------------------------

    def _write(self) -> None:
        looking = self._looking
        text = with_values(
            self._text, self._values, lambda data: parse_settings(data, self._path), self._path
        )
        looking.print(["", f"{self._path} will say:"])
        looking.print(f"  {line}" for line in text.splitlines())
        if self._profile is None:
            looking.print(
                [
                    "  It holds for every run: artifacts of runs on this machine go to the bucket "
                    "too. --profile NAME keeps these settings apart."
                ]
            )
        if self._asks and not click.confirm("Write it?", default=True):
            looking.print(["Nothing was written."])
            return
        write_settings(self._path, text)
        looking.print(["Written."])
        for setting in SETTINGS:
            typed = self._values.get(setting.name)
            if (
                typed is not None
                and getattr(settings_with({**self._values}), setting.name) != typed
            ):
                self._warn(f"{setting.variable} is set in the environment, and goes before it.")
        chosen = f" --profile {self._profile}" if self._profile is not None else ""
        looking.print(["", f"Run a flow there:  python flow.py{chosen} run --with batch"])

    def _fine(self, sentence: str) -> None:
        self._looking.print([f"  {self._looking.paint.green('✓')} {sentence}"])

    def _warn(self, sentence: str) -> None:
        self._looking.print([f"  {self._looking.paint.yellow('!')} {sentence}"])


def _refuse_name(profile: str | None) -> None:
    if profile == SANDBOX_PROFILE:
        raise UsageError(
            f"The profile '{SANDBOX_PROFILE}' belongs to the sandbox, which writes it itself.",
            remedy="Give another --profile.",
        )
    if profile is not None and (not profile or os.sep in profile or profile.startswith(".")):
        raise UsageError(f"'{profile}' cannot be a profile.", remedy="Give a word, such as team.")
