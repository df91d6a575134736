"""The skeleton of the command line: lazy commands, one way for errors to reach the user."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

import click

from swell.cli.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from swell.cli.render import error_text, paint_for, say_error
from swell.errors import InternalError, SwellError, UsageError
from swell.settings import Settings, choose_profile, load_settings


class LazyCommand(NamedTuple):
    """A command that is imported when it is used: where it is, and one line on it.

    ``place`` is 'module:function'; the function gives the click command, called with
    the context of the group.
    """

    place: str
    summary: str
    is_hidden: bool = False


class LazyGroup(click.Group):
    """A group whose commands are made when they are called or their help is asked for."""

    def __init__(self, *, lazy: Mapping[str, LazyCommand], **options: Any) -> None:
        super().__init__(**options)
        self._lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names that are shown, in the order given."""
        return [name for name, command in self._lazy.items() if not command.is_hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make the command ``cmd_name``."""
        lazy = self._lazy.get(cmd_name)
        if lazy is None:
            return None
        module, _, function = lazy.place.partition(":")
        make: Callable[[click.Context], click.Command] = getattr(
            importlib.import_module(module), function
        )
        return make(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command when there is no such one."""
        if args and args[0] not in self._lazy:
            import difflib

            near = difflib.get_close_matches(args[0], self._lazy, n=1)
            known = ", ".join(self.list_commands(ctx))
            remedy = f"Did you mean '{near[0]}'?" if near else f"Commands: {known}."
            raise UsageError(f"There is no command '{args[0]}'.", remedy=remedy)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        rows = [(name, self._lazy[name].summary) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def profile_option(
    choose: Callable[[click.Context, click.Parameter, str | None], str | None],
) -> click.Option:
    """``--profile``, before the command; ``choose`` is called before other options are."""
    return click.Option(
        ["--profile"],
        metavar="NAME",
        is_eager=True,
        callback=choose,
        help="Read the settings of profile NAME.",
    )


def settings_of_profile(name: str) -> Settings:
    """The settings with profile ``name``, for this process and those it starts.

    Raises UsageError for a profile that is not there.
    """
    choose_profile(name)
    return load_settings()


def run_app(
    app: click.Command, arguments: list[str] | None, *, name: str, obj: object, settings: Settings
) -> NoReturn:
    """Run ``app`` and exit: 0 done, 1 what swell found wrong, 2 wrong usage, 130 interrupted."""
    paint = paint_for(sys.stderr, no_color=settings.no_color)
    code = EXIT_OK
    try:
        answer = app.main(
            arguments, prog_name=name, standalone_mode=False, obj=obj, auto_envvar_prefix="SWELL"
        )
        code = answer if isinstance(answer, int) else EXIT_OK
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except (click.Abort, KeyboardInterrupt):
        say_error("Interrupted.")
        code = EXIT_INTERRUPTED
    except click.UsageError as error:
        is_help = type(error).__name__ == "NoArgsIsHelpError"  # click 8.2 and later
        say_error(
            error.format_message()
            if is_help
            else _usage_text(error, paint.red(UsageError.headline), name)
        )
        code = EXIT_USAGE
    except click.ClickException as error:
        say_error(f"{paint.red('Error')}: {error.format_message()}")
        code = EXIT_FAILED
    except SwellError as error:
        if settings.is_debug:
            raise
        say_error(error_text(error, paint))
        code = EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    except BrokenPipeError:
        _drop_stdout()
    except Exception as error:
        if settings.is_debug:
            raise
        say_error(error_text(_bug(error), paint))
        code = EXIT_FAILED
    try:
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        _drop_stdout()
    sys.exit(code)


def _usage_text(error: click.UsageError, headline: str, name: str) -> str:
    message = error.format_message()
    path = error.ctx.command_path if error.ctx is not None else name
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        command = error.ctx.info_name
        if error.option_name in _options_before(error.ctx):
            return (
                f"{headline}: '{error.option_name}' stands before the command.\n"
                f"    Write it like '{name} {error.option_name} … {command}'."
            )
    return f"{headline}: {message}\n    See '{path} --help'."


def _options_before(context: click.Context) -> set[str]:
    """The options of the commands that ``context`` is a command of."""
    found: set[str] = set()
    parent = context.parent
    while parent is not None:
        for parameter in parent.command.params:
            found.update(parameter.opts, parameter.secondary_opts)
        parent = parent.parent
    return found


def _bug(error: Exception) -> InternalError:
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    return InternalError(
        f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})",
        remedy="This is a bug in swell: please report it. SWELL_DEBUG=1 shows the stack trace.",
    )


def _drop_stdout() -> None:
    """The reader of our output is gone: nothing more can be said there."""
    import os

    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
