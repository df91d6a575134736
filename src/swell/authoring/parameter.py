"""Parameters as a flow declares them: names and options only, values come at run start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from swell.authoring.config_expr import evaluate
from swell.authoring.decorator import place_of_caller
from swell.errors import FlowError

RESERVED_NAMES = frozenset(
    "params with tag namespace obj tags decospecs run-id-file max-num-splits max-workers "
    "max-log-size user-namespace run-id task-id runner-attribute-file".split()
)
_NO_FUNCTIONS = ("show_default", "separator", "required")


class JSONTypeClass:
    """Type of a parameter whose text is JSON; values that are no text pass through."""

    name = "JSON"

    def __repr__(self) -> str:
        return "JSON"


JSONType = JSONTypeClass()


class ParameterContext(NamedTuple):
    """What a function given as a default is called with."""

    flow_name: str
    user_name: str
    parameter_name: str
    logger: Callable[[str], None]
    ds_type: str
    configs: Mapping[str, Any]


class Parameter:
    """A value given on the command line: ``n = Parameter("n", default=10, help="rows")``.

    The option is ``--name``; the attribute may be named differently. Its type is the one
    given, else that of the default, else str. ``separator`` splits text into a list.
    ``default`` may be a function of a ``ParameterContext``, called once per run if no
    value is given. Other keywords (``multiple``, ``is_flag``, ``nargs``…) are click's.
    Raises FlowError for a reserved name.
    """

    def __init__(
        self,
        name: str,
        default: Any = None,
        type: Any = None,
        help: str | None = None,
        required: bool | None = None,
        show_default: bool | None = None,
        **options: Any,
    ) -> None:
        self.name = name
        self.default = default
        self.type = type
        self.help = help
        self.required = required
        self.show_default = show_default
        self.separator: str | None = options.pop("separator", None)
        self.options = options
        self.source_file, self.line_no = place_of_caller()
        self._check_declaration()

    def __get__(self, flow: object, owner: object = None) -> Any:
        # Read on a flow object the value is the run's: Flow.__getattr__ asks the task for it.
        if flow is None:
            return self
        raise AttributeError(self.name)

    @property
    def key(self) -> str:
        """The name as a Python keyword: ``-`` becomes ``_``."""
        return self.name.replace("-", "_")

    @property
    def is_flag(self) -> bool:
        return bool(self.options.get("is_flag"))

    @property
    def takes_many(self) -> bool:
        """Its value is a tuple: ``multiple`` or ``nargs`` other than 1."""
        return bool(self.options.get("multiple")) or self.options.get("nargs", 1) != 1

    @property
    def value_type(self) -> Any:
        """The type of one value; ``bool`` for flags, JSON for a dict or list as default."""
        if self.type is not None:
            return JSONType if self.type is JSONTypeClass else self.type
        if self.is_flag:
            return bool
        default = self.default
        if self.takes_many:
            if not isinstance(default, (list, tuple)) or not default:
                return str
            default = default[0]
        elif isinstance(default, (list, tuple)) and self.separator:
            return str
        if default is None or callable(default):
            return str
        if isinstance(default, (str, bool, int, float)):
            return default.__class__
        return JSONType

    def resolve(self, configs: Mapping[str, object]) -> Parameter:
        """A copy with late config values in place."""
        resolved: Parameter = object.__new__(self.__class__)
        for key, value in self.__dict__.items():
            resolved.__dict__[key] = evaluate(value, configs)
        return resolved

    def problem(self, message: str, remedy: str = "") -> FlowError:
        """An error about this declaration, with its place in the script."""
        return FlowError(message, remedy=remedy, source_file=self.source_file, line_no=self.line_no)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.name!r})"

    def _check_declaration(self) -> None:
        word = self.__class__.__name__
        if not isinstance(self.name, str) or not self.key.isidentifier():
            raise self.problem(
                f"{word} name {self.name!r} cannot be an option.",
                remedy="Use letters, digits, '_' and '-', not beginning with a digit.",
            )
        if self.name.lower().replace("_", "-") in RESERVED_NAMES:
            raise self.problem(
                f"{word} name '{self.name}' is reserved for an option of the command line.",
                remedy="Give it another name; the attribute may keep its own.",
            )
        for field in _NO_FUNCTIONS:
            if callable(getattr(self, field, None)):
                raise self.problem(
                    f"{field} of {word} '{self.name}' is a function.",
                    remedy="Only default can be a function.",
                )
        if self.separator is not None and self.type not in (None, str):
            raise self.problem(
                f"{word} '{self.name}' has a separator, but its type is {self.type!r}, not str.",
                remedy="Drop the separator, or use type=JSONType for a list of other values.",
            )


def refuse_duplicate_names(parameters: Mapping[str, Parameter]) -> None:
    """Raise FlowError if two attributes declare one option.

    ``parameters`` by attribute name. Names compare without case, and ``-`` equals ``_``.
    """
    seen: dict[str, str] = {}
    for attribute, parameter in parameters.items():
        plain = parameter.key.lower()
        if plain in seen:
            raise parameter.problem(
                f"Parameter name '{parameter.name}' is used twice: by attributes "
                f"'{seen[plain]}' and '{attribute}'.",
                remedy="Names compare without case; give one of them another name.",
            )
        seen[plain] = attribute
