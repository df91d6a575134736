"""What a flow class declares besides steps: parameters, configs and constants."""

from __future__ import annotations

from swell.authoring.config import Config
from swell.authoring.parameter import Parameter
from swell.authoring.step import class_attributes


def parameters_of(flow_class: type) -> dict[str, Parameter]:
    """Parameters by attribute name (IncludeFiles too), those of base flows first."""
    found: dict[str, Parameter] = {}
    for name, value in class_attributes(flow_class):
        if isinstance(value, Parameter):
            found[name] = value
        else:
            found.pop(name, None)
    return found


def configs_of(flow_class: type) -> dict[str, Config]:
    """Configs by attribute name, those of base flows first."""
    found: dict[str, Config] = {}
    for name, value in class_attributes(flow_class):
        if isinstance(value, Config):
            found[name] = value
        else:
            found.pop(name, None)
    return found


def constants_of(flow_class: type) -> dict[str, object]:
    """Public class attributes that are values: no functions, properties or types, no
    parameters, no configs."""
    found: dict[str, object] = {}
    for name, value in class_attributes(flow_class):
        found.pop(name, None)
        # Parameters and configs have __get__ too, as all that is asked through the class.
        is_code = isinstance(value, type) or hasattr(type(value), "__get__")
        if not name.startswith("_") and not is_code:
            found[name] = value
    return found
