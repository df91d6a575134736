"""Reads the environment, and nothing else does: every setting, its default and its sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

import msgspec


class Setting(msgspec.Struct, frozen=True):
    """One setting: its environment variable, default (None: nothing) and what it is for."""

    name: str
    variable: str
    default: str | None
    sentence: str


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "root",
        "SWELL_ROOT",
        None,
        "The store folder. Unset: the nearest `.swell` upwards of the working directory, "
        "else one is made beside the script.",
    ),
    Setting("home", "SWELL_HOME", "~/.config/swell", "Where profiles are kept."),
    Setting("profile", "SWELL_PROFILE", None, "The profile to read from the home folder."),
    Setting(
        "user",
        "SWELL_USER",
        None,
        "Who runs the flow. Unset: SUDO_USER, USERNAME, USER, then the login name.",
    ),
    Setting(
        "default_with",
        "SWELL_DEFAULT_DECOSPECS",
        None,
        "Decorators for every step of every run, separated by blanks, as for `--with`.",
    ),
    Setting(
        "production_token",
        "SWELL_PRODUCTION_TOKEN",
        None,
        "Makes `production:<token>` the default namespace.",
    ),
    Setting(
        "isolation",
        "SWELL_ISOLATION",
        "auto",
        "How tasks get their process here: `fork`, `fresh` (a new interpreter) or `auto`.",
    ),
    Setting("debug", "SWELL_DEBUG", None, "Set to 1 to see swell's own stack traces."),
    Setting(
        "config",
        "SWELL_FLOW_CONFIG",
        None,
        'Files of configs as JSON: `{"name": "path"}`.',
    ),
    Setting(
        "config_values",
        "SWELL_FLOW_CONFIG_VALUE",
        None,
        'Values of configs as JSON: `{"name": {…}}`.',
    ),
)

ATTEMPT_VARIABLE = "SWELL_ATTEMPT"
"""Set by swell itself for a task in a fresh interpreter; not for users."""
RUN_ID_VARIABLE = "SWELL_RUN_ID"
"""Set by swell inside every task."""


class Settings(msgspec.Struct, frozen=True):
    """The settings in force; see SETTINGS for what each is for."""

    root: str | None = None
    home: str = "~/.config/swell"
    profile: str | None = None
    user: str | None = None
    default_with: str | None = None
    production_token: str | None = None
    isolation: str = "auto"
    debug: str | None = None
    config: str | None = None
    config_values: str | None = None
    login_names: tuple[str, ...] = ()
    attempt: str | None = None
    term: str = ""
    no_color: bool = False
    has_display: bool = False

    @property
    def is_debug(self) -> bool:
        """Whether swell's own stack traces are wanted."""
        return self.debug not in (None, "", "0")


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from ``environ`` (default: the process's own)."""
    env = os.environ if environ is None else environ
    given = {s.name: env[s.variable] for s in SETTINGS if env.get(s.variable)}
    names = (env.get(variable) for variable in ("SUDO_USER", "USERNAME", "USER"))
    return Settings(
        **given,
        login_names=tuple(name for name in names if name),
        attempt=env.get(ATTEMPT_VARIABLE),
        term=env.get("TERM", ""),
        no_color=bool(env.get("NO_COLOR")),
        has_display=bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY")),
    )


def without_own_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what swell set for one attempt alone."""
    return {key: value for key, value in environ.items() if key != ATTEMPT_VARIABLE}


def mark_task(run: str, environ: MutableMapping[str, str] | None = None) -> None:
    """Tell a task's own programs which run they belong to."""
    target = os.environ if environ is None else environ
    target[RUN_ID_VARIABLE] = run
    target.pop(ATTEMPT_VARIABLE, None)
