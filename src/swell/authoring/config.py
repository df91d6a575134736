"""Configs as a flow declares them, and the read-only value a config has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from swell.authoring.config_expr import LateValue
from swell.authoring.decorator import place_of_caller
from swell.errors import FlowError


class ConfigSpec(NamedTuple):
    """All that a ``Config`` says. ``default`` is a path or a function that gives one;
    ``default_value`` a mapping, text, or a function that gives one."""

    name: str
    default: Any
    default_value: Any
    help: str | None
    required: bool
    parser: str | Callable[[str], Any] | None
    plain: bool
    show_default: bool
    source_file: str | None
    line_no: int | None


class Config(LateValue):
    """Settings read before anything else: ``cfg = Config("cfg", default="cfg.json")``.

    Its values may stand wherever the class says something: ``@resources(memory=cfg.mb)``,
    ``Parameter("n", default=cfg.n)``, ``**cfg.batch``. In a step ``self.cfg`` is a
    ``ConfigValue``, or with ``plain=True`` what the parser returned. The text is JSON
    unless ``parser`` (a function of the text, or its dotted name) reads it.

    What it was declared with is in ``spec_of(config)``, so that every key of the config
    can be reached as an attribute.
    """

    def __init__(
        self,
        name: str,
        default: Any = None,
        *,
        default_value: Any = None,
        help: str | None = None,
        required: bool | None = None,
        parser: str | Callable[[str], Any] | None = None,
        plain: bool = False,
        show_default: bool = True,
    ) -> None:
        file, line = place_of_caller()
        if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
            raise FlowError(
                f"Config name {name!r} cannot be used on the command line.",
                remedy="Use letters, digits, '_' and '-', not beginning with a digit.",
                source_file=file,
                line_no=line,
            )
        if default is not None and default_value is not None:
            raise FlowError(
                f"Config '{name}' has both default (a path) and default_value.",
                remedy="Keep one of the two.",
                source_file=file,
                line_no=line,
            )
        self._spec = ConfigSpec(
            name,
            default,
            default_value,
            help,
            bool(required),
            parser,
            plain,
            show_default,
            file,
            line,
        )

    def __get__(self, flow: object, owner: object = None) -> Any:
        # Read on a flow object the value is the run's: Flow.__getattr__ asks the task for it.
        if flow is None:
            return self
        raise AttributeError(self._spec.name)

    def evaluate(self, configs: Mapping[str, object]) -> Any:
        """The config's own value, given all values by config name."""
        return configs[self._spec.name]

    def __repr__(self) -> str:
        return self._spec.name


def spec_of(config: Config) -> ConfigSpec:
    """What ``config`` was declared with."""
    return config._spec


class ConfigValue(dict[str, Any]):
    """A config as a mapping: ``cfg.a.b`` and ``cfg['a']['b']``; it cannot be changed."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__({key: _frozen(value) for key, value in values.items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(str(key) for key in self) or "none"
            raise AttributeError(f"The config has no key '{name}'. Keys there: {known}.") from None

    def to_dict(self) -> dict[str, Any]:
        """A plain dict, all through, that may be changed."""
        return {key: _thawed(value) for key, value in self.items()}

    def __reduce__(self) -> tuple[object, ...]:
        return (ConfigValue, (self.to_dict(),))

    def _refuse(self, *_values: object, **_keywords: object) -> NoReturn:
        raise TypeError(
            "A config cannot be changed while the flow runs. "
            "Work on a copy: config.to_dict(), or give another file with --config."
        )

    __setitem__ = __delitem__ = __setattr__ = __delattr__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


def _frozen(value: Any) -> Any:
    if isinstance(value, ConfigValue):
        return value
    if isinstance(value, Mapping):
        return ConfigValue(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_frozen(item) for item in value) if _is_plain(value) else value
    return value


def _thawed(value: Any) -> Any:
    if isinstance(value, ConfigValue):
        return value.to_dict()
    if isinstance(value, (list, tuple)) and _is_plain(value):
        return type(value)(_thawed(item) for item in value)
    return value


def _is_plain(value: object) -> bool:
    return type(value) in (list, tuple)
