"""Files that a command writes where the user says."""

from __future__ import annotations

from swell.errors import CommandException


def write_file(path: str, data: bytes) -> None:
    """Raises CommandException where ``path`` cannot be written."""
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise CommandException(
            f"{path} cannot be written: {error.strerror}.", remedy="Name a file that can be."
        ) from error
