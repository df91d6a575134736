"""A file given on the command line whose content is read once, at run start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swell.authoring.parameter import Parameter


class IncludeFile(Parameter):
    """The content of a local file: ``data = IncludeFile("data", default="data.csv")``.

    The value is text in ``encoding``, bytes if ``is_text`` is False, or what ``parser``
    (a function, or its dotted name) makes of it. It is kept with the run, so that the
    file may change or vanish afterwards.
    """

    def __init__(
        self,
        name: str,
        required: bool | None = None,
        is_text: bool | None = None,
        encoding: str | None = None,
        help: str | None = None,
        parser: str | Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> None:
        self.is_text = True if is_text is None else is_text
        self.encoding = encoding or "utf-8"
        self.parser = parser
        super().__init__(name, required=required, help=help, **options)

    @property
    def value_type(self) -> Any:
        """The command line takes a path."""
        return str
