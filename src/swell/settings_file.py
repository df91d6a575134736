"""Settings files: where they are, what stands in them, and how a value is put there while all
else stays."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from swell.errors import UsageError


def settings_path(home: str, profile: str | None) -> str:
    """The settings file of ``profile``, or the one that holds without any."""
    return os.path.join(os.path.expanduser(home), f"{profile or 'config'}.toml")


def parse_file(content: bytes, path: str, known: Sequence[str]) -> dict[str, str]:
    """Setting → value of what stands in a settings file, of which ``known`` may stand there.

    Raises UsageError.
    """
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


def known_profiles(folder: str) -> str:
    """What to do where a profile is not there: those that are, in words."""
    try:
        names = sorted(name[:-5] for name in os.listdir(folder) if name.endswith(".toml"))
    except OSError:
        names = []
    profiles = ", ".join(name for name in names if name != "config")
    if profiles:
        return f"Profiles there: {profiles}."
    return "Write the file, or unset SWELL_PROFILE."


def file_text(path: str) -> str:
    """What stands in it; nothing where there is none. Raises UsageError."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The settings file {path} cannot be read: {error}.",
            remedy="Make it readable, or give another --profile.",
        ) from error


def with_values(
    text: str, values: Mapping[str, str], parse: Callable[[bytes], Mapping[str, str]], path: str
) -> str:
    """``text`` with ``values`` in it: in the lines that set them, else in new ones at its end.

    Raises UsageError where that cannot be done, such as for a value over several lines.
    """
    import re

    left = dict(values)
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = re.match(r"""\s*(["']?)([A-Za-z0-9_-]+)\1\s*=""", line)
        if found and found.group(2) in left:
            lines[number] = _line(found.group(2), left.pop(found.group(2)))
    lines += [_line(name, value) for name, value in left.items()]
    written = "\n".join(lines) + "\n"
    kept = {**parse(text.encode()), **values}
    try:
        is_well = parse(written.encode()) == kept
    except UsageError:
        is_well = False
    if not is_well:
        raise UsageError(
            f"The settings file {path} is written in a way that cannot be changed here.",
            remedy="Write one setting a line, or give another --profile.",
        )
    return written


def write_settings(path: str, text: str) -> None:
    """Put ``text`` in its place, whole or not at all. Raises UsageError."""
    path = os.path.realpath(path)
    beside = f"{path}.{os.getpid()}.new"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
        if os.path.exists(path):
            os.chmod(beside, os.stat(path).st_mode & 0o777)
        os.replace(beside, path)
    except OSError as error:
        raise UsageError(
            f"The settings file {path} cannot be written: {error.strerror}.",
            remedy="Set SWELL_HOME to a folder where you may write.",
        ) from error


def _line(name: str, value: str) -> str:
    import json

    # A TOML string is written as JSON writes it.
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"
