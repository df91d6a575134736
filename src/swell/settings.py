"""Reads the environment, and nothing else does: every setting, its default and its sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping

import msgspec

from swell.errors import UsageError

_DEFAULT_HOME = "~/.config/swell"


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
    Setting(
        "metadata",
        "SWELL_METADATA",
        None,
        "Where facts on runs are kept: `postgresql://user@host/database` for a team's one "
        "history. Unset, or `local`: in the store folder.",
    ),
    Setting(
        "metadata_wait",
        "SWELL_METADATA_WAIT",
        "600",
        "How many seconds a run waits for a PostgreSQL server that does not answer.",
    ),
    Setting(
        "home",
        "SWELL_HOME",
        _DEFAULT_HOME,
        "The folder of settings files: `config.toml`, and one `<profile>.toml` a profile. A line "
        'in them is the name of a setting and its value: `user = "ada"`.',
    ),
    Setting(
        "profile",
        "SWELL_PROFILE",
        None,
        "Read `<profile>.toml` from the home folder instead of `config.toml`.",
    ),
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
    metadata: str | None = None
    metadata_wait: str = "600"
    home: str = _DEFAULT_HOME
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
    """Read the settings: ``environ`` (default: the process's own) beats the settings file.

    Raises UsageError for a file that cannot be read, or a profile that is not there.
    """
    env = os.environ if environ is None else environ
    given = {s.name: env[s.variable] for s in SETTINGS if env.get(s.variable)}
    given = {**_read_file(given.get("home", _DEFAULT_HOME), given.get("profile")), **given}
    names = (env.get(variable) for variable in ("SUDO_USER", "USERNAME", "USER"))
    return Settings(
        **given,
        login_names=tuple(name for name in names if name),
        attempt=env.get(ATTEMPT_VARIABLE),
        term=env.get("TERM", ""),
        no_color=bool(env.get("NO_COLOR")),
        has_display=bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY")),
    )


def _read_file(home: str, profile: str | None) -> dict[str, str]:
    """Setting → value of the settings file in force; nothing where there is none."""
    folder = os.path.expanduser(home)
    path = os.path.join(folder, f"{profile or 'config'}.toml")
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        if profile is None:
            return {}
        raise UsageError(
            f"There is no profile '{profile}': {path} does not exist.",
            remedy=_known_profiles(folder),
        ) from None
    except OSError as error:
        raise UsageError(
            f"The settings file {path} cannot be read: {error.strerror}.",
            remedy="Make it readable, or set SWELL_HOME to another folder.",
        ) from error
    return _parsed(content, path)


def _parsed(content: bytes, path: str) -> dict[str, str]:
    # Here, since most people have no such file: tomllib costs 10 ms.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        values = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The settings file {path} is not TOML: {error}.",
            remedy='Write one setting a line, such as: user = "ada"',
        ) from error
    known = [setting.name for setting in SETTINGS if setting.name not in ("home", "profile")]
    for name, value in values.items():
        if name not in known:
            raise UsageError(
                f"The settings file {path} has '{name}', which is not a setting.",
                remedy=f"Settings are: {', '.join(known)}.",
            )
        if not isinstance(value, (str, int, float)):
            raise UsageError(
                f"The settings file {path} gives '{name}' {value!r}.",
                remedy="Give text, or a number.",
            )
    return {name: str(value) for name, value in values.items()}


def _known_profiles(folder: str) -> str:
    try:
        names = sorted(name[:-5] for name in os.listdir(folder) if name.endswith(".toml"))
    except OSError:
        names = []
    profiles = ", ".join(name for name in names if name != "config")
    if profiles:
        return f"Profiles there: {profiles}."
    return "Write the file, or unset SWELL_PROFILE."


def without_own_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what swell set for one attempt alone."""
    return {key: value for key, value in environ.items() if key != ATTEMPT_VARIABLE}


def choose_metadata(address: str, environ: MutableMapping[str, str] | None = None) -> None:
    """Let the processes started from here on keep facts at ``address``, as this one does."""
    target = os.environ if environ is None else environ
    target["SWELL_METADATA"] = address


def mark_task(run: str, environ: MutableMapping[str, str] | None = None) -> None:
    """Tell a task's own programs which run they belong to."""
    target = os.environ if environ is None else environ
    target[RUN_ID_VARIABLE] = run
    target.pop(ATTEMPT_VARIABLE, None)
