"""How the program ends: its exit codes, and settings without which it cannot begin."""

from __future__ import annotations

import sys

from swell.cli.render import error_text, paint_for, say_error
from swell.errors import UsageError
from swell.settings import Settings, load_settings

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def settings_or_exit() -> Settings:
    """The settings in force; a settings file that cannot be used ends the program."""
    try:
        return load_settings()
    except UsageError as error:
        say_error(error_text(error, paint_for(sys.stderr, no_color=False)))
        sys.exit(EXIT_USAGE)
