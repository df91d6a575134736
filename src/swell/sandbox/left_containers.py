"""Notes which engine a sandbox uses, so that what it leaves when killed can be cleared."""

from __future__ import annotations

from pathlib import Path

import msgspec

from swell.sandbox.container_files import empty_image
from swell.sandbox.engine import DOCKER, Engine, EngineCommands

_FILE = "engine.json"


def label_of(folder: Path) -> str:
    """How the containers of the sandbox that works in ``folder`` are marked."""
    return f"swell.sandbox={folder}"


def note(folder: Path, engine: Engine) -> None:
    """From now on there may be containers."""
    (folder / _FILE).write_bytes(msgspec.json.encode(engine))


def clear_left(folder: Path) -> None:
    """Kill and remove containers of a sandbox that did not end them itself."""
    try:
        engine = msgspec.json.decode((folder / _FILE).read_bytes(), type=Engine)
    except (OSError, msgspec.MsgspecError):
        return
    commands = EngineCommands(engine)
    commands.clear(label_of(folder))
    if engine.name == DOCKER:
        commands.remove_image(empty_image(folder))
    forget(folder)


def forget(folder: Path) -> None:
    """They are all gone."""
    (folder / _FILE).unlink(missing_ok=True)
