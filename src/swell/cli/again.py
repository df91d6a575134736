"""Commands for the user to type next, in the form in which the program was started."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from swell.session.databases import shown_address

_NOT_FOR_RESUME = frozenset({"config_files", "config_values", "top_json"})
_ONLY_FOR_THIS_RUN = frozenset(
    {"json", "run_id_file", "runner_attribute_file", "origin_run_id", "detach"}
)


class Again(NamedTuple):
    """The words before a command, options before it, and options of ``run`` to keep."""

    program: tuple[str, ...]
    before: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def logs(self, path: str = "") -> str:
        """The command that shows the log of ``path``."""
        return shlex.join([*self.program, "logs", *([path] if path else [])])

    def debug(self, path: str) -> str:
        """The command that runs the task ``path`` again here."""
        return shlex.join([*self.program, "debug", path])

    def attach(self, run: int) -> str:
        """The command that goes on with ``run`` itself."""
        return shlex.join([*self.program, *self.before, "attach", str(run), *self.options])

    def resume(self, run: int) -> str:
        """The command that goes on after ``run``."""
        words = [*self.program, *self.before, "resume", "--origin-run-id", str(run), *self.options]
        return shlex.join(words)


def program_words(orig_argv: Sequence[str], argv: Sequence[str]) -> tuple[str, ...]:
    """What was typed up to the script: 'python', 'flow.py'; ``argv`` begins with the script."""
    words = tuple(orig_argv[: len(orig_argv) - (len(argv) - 1)])
    return words or ("python", argv[0])


def command_again(ctx: click.Context, names: Collection[str]) -> Again:
    """For the command of ``ctx``; of its options, those called ``names`` are kept."""
    root = ctx.find_root()
    wanted = set(names) - _ONLY_FOR_THIS_RUN
    return Again(
        program_words(sys.orig_argv, sys.argv),
        _given(root, lambda name: name not in _NOT_FOR_RESUME),
        _given(ctx, lambda name: name in wanted),
    )


def _given(ctx: click.Context, is_wanted: Any) -> tuple[str, ...]:
    """Options that were given on the command line, as words."""
    words: list[str] = []
    for param in ctx.command.params:
        name = param.name or ""
        if not isinstance(param, click.Option) or not is_wanted(name):
            continue
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            words += option_words(param, ctx.params.get(name))
    return tuple(words)


def option_words(option: click.Option, value: Any) -> list[str]:
    """``option`` with ``value`` as it is typed."""
    if option.is_flag:
        names = option.opts if value else option.secondary_opts
        return [names[0]] if names else []
    words: list[str] = []
    for one in value if option.multiple else [value]:
        parts = one if option.nargs != 1 else [one]
        words += [option.opts[0], *(shown_address(str(part)) for part in parts)]
    return words
