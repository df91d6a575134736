"""Text of requirement and configuration files → dictionaries, for ``Config(parser=…)``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple, TypedDict

from swell.errors import ParserValueError

# The grammar of https://packaging.python.org/en/latest/specifications/dependency-specifiers/
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_REQUIREMENT = re.compile(
    rf"(?P<name>{_NAME})\s*(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:@\s*(?P<url>\S+)|\(?(?P<versions>[^;()]*)\)?)\s*(?P<marker>;.*)?",
)
_VERSION = re.compile(r"(?:~=|===?|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+")
_INLINE_COMMENT = re.compile(r"\s+#.*$")
_RYE_SELF_REFERENCE = "-e file:."


class Requirements(TypedDict):
    """``packages``: name with extras → versions ('' for any); ``python``: versions or None."""

    packages: dict[str, str]
    python: str | None


class _Requirement(NamedTuple):
    name: str
    key: str
    versions: str


def yaml_parser(content: str) -> Any:
    """YAML → the value it describes; needs the package PyYAML.

    Raises ParserValueError with the place where the text stops being YAML.
    """
    try:
        import yaml
    except ImportError as error:
        raise ParserValueError(
            "yaml_parser needs the package PyYAML, which is not installed.",
            remedy="Install it with: pip install pyyaml",
        ) from error
    try:
        return yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise ParserValueError(f"The text is not YAML: {error}") from error


def requirements_txt_parser(content: str) -> Requirements:
    """The lines of a ``requirements.txt``.

    Names, extras, versions and direct references are read; ``==1.2`` becomes ``1.2``. A
    requirement named ``python`` gives ``python``. Raises ParserValueError for options
    such as ``-r``, environment markers and what is no requirement.
    """
    stripped = (_INLINE_COMMENT.sub("", line.strip()) for line in content.splitlines())
    lines = (line for line in stripped if line and not line.startswith("#"))
    wanted = (line for line in lines if line != _RYE_SELF_REFERENCE)
    return _collect(wanted, python=None, leading=" =")


def pyproject_toml_parser(content: str) -> Requirements:
    """``requires-python`` and ``dependencies`` of the ``[project]`` table.

    Raises ParserValueError as ``requirements_txt_parser`` does, and where the text is
    not TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        project = tomllib.loads(content).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise ParserValueError(f"The text is not TOML: {error}") from error
    python = project.get("requires-python")
    lines = (line.strip() for line in project.get("dependencies", []))
    stated = None if python is None else python.lstrip("=").strip()
    return _collect(lines, python=stated, leading="=")


def _collect(lines: Iterable[str], python: str | None, leading: str) -> Requirements:
    packages: dict[str, str] = {}
    for line in lines:
        requirement = _parse(line)
        versions = requirement.versions.lstrip(leading)
        if requirement.name.lower() != "python":
            packages[requirement.key] = versions
            continue
        if python is not None and versions:
            raise ParserValueError(
                f"'{line}' states the Python version a second time; it was '{python}' before.",
                remedy="Keep one of them.",
            )
        python = versions or None
    return {"packages": packages, "python": python}


def _parse(line: str) -> _Requirement:
    match = _REQUIREMENT.fullmatch(line)
    versions = [part.strip() for part in (match["versions"] or "").split(",")] if match else []
    wrong = [part for part in versions if part and not _VERSION.fullmatch(part)]
    if match is None or wrong:
        raise ParserValueError(
            f"'{line}' is not a requirement as PEP 508 defines it.",
            remedy="Write a name and versions, like 'numpy>=1.26,<3' or 'requests[socks]==2.32'.",
        )
    if match["marker"]:
        raise ParserValueError(
            f"'{line}' has an environment marker, which is not supported.",
            remedy="List only what the steps need, without the part after ';'.",
        )
    extras = sorted(extra.strip() for extra in (match["extras"] or "").split(",") if extra.strip())
    key = match["name"]
    key += f"[{','.join(extras)}]" if extras else ""
    key += f"@{match['url']}" if match["url"] else ""
    specifiers = sorted(re.sub(r"\s+", "", part) for part in versions if part)
    return _Requirement(match["name"], key, ",".join(specifiers))
