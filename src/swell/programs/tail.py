"""Lines of a file that another process is writing."""

from __future__ import annotations

from collections.abc import Iterator


class LineTail:
    """Gives each line once, from ``position`` (in bytes) on."""

    def __init__(self, path: str, position: int = 0) -> None:
        self._path = path
        self._position = position

    def read(self, *, is_whole: bool = False) -> Iterator[tuple[int, str]]:
        """(position behind it, line without its end) of the lines that came since.

        A last one without an end is given only if the file ``is_whole``. A file that was
        removed has no more lines.
        """
        try:
            file = open(self._path, "rb")  # noqa: SIM115  # entered below
        except FileNotFoundError:
            return
        with file:
            file.seek(self._position)
            for line in file:
                if not (line.endswith(b"\n") or is_whole):
                    return
                self._position += len(line)
                yield self._position, line.decode(errors="replace").rstrip("\r\n")
