"""Models and pictures in words: parameters that were set, numbers of weights, sizes."""

from __future__ import annotations

from typing import Any

from swell.datastore.array_previews import size_of
from swell.datastore.short_texts import short_text

_SHOWN = 20
_VALUE_CHARS = 60
_DEPTH = 6
_PLAIN = (int, float, str, bool, type(None), tuple)


def describe_estimator(value: Any) -> list[str]:
    """A scikit-learn estimator: its class, the parameters that are not the default, fitted or not.

    By its attributes and the signatures of ``__init__``, which scikit-learn asks to be the
    same; no method of the user's class is called.
    """
    fields = vars(value)
    learned = [name for name in fields if name.endswith("_") and not name.startswith("_")]
    state = "fitted" if learned else "not fitted"
    lines = [f"{_as_made(value, 0)}, {state}"]
    for name in learned[:_SHOWN]:
        lines.append(f"  {name}: {short_text(fields[name], _VALUE_CHARS)}")
    return lines


def _as_made(value: object, depth: int) -> str:
    """'Pipeline(steps=[('scale', StandardScaler()), …])'."""
    kind, fields = type(value), vars(value)
    given = [
        f"{name}={_parameter(fields[name], depth)}"
        for name, default in _defaults(kind).items()
        if name in fields and not _is_same(fields[name], default)
    ]
    return f"{kind.__qualname__}({', '.join(given)})"


def _parameter(value: object, depth: int) -> str:
    if depth < _DEPTH:
        if any(one.__name__ == "BaseEstimator" for one in type(value).__mro__):
            return _as_made(value, depth + 1)
        if type(value) in (list, tuple) and isinstance(value, (list, tuple)):
            items = ", ".join(_parameter(item, depth + 1) for item in value[:_SHOWN])
            return f"[{items}]" if type(value) is list else f"({items})"
    return short_text(value, _VALUE_CHARS)


def _defaults(kind: type) -> dict[str, object]:
    """Parameters of ``__init__`` and their defaults; those of a parent where it takes
    ``**keywords``, as XGBoost's do."""
    import inspect

    found: dict[str, object] = {}
    for one in kind.__mro__:
        if "__init__" not in vars(one) or one is object:
            continue
        parameters = inspect.signature(vars(one)["__init__"]).parameters.values()
        for parameter in list(parameters)[1:]:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(parameter.name, parameter.default)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def _is_same(value: object, default: object) -> bool:
    if value is default:
        return True
    return type(value) is type(default) and isinstance(value, _PLAIN) and value == default


def describe_module(value: Any) -> list[str]:
    """A PyTorch module: how many parameters, which parts."""
    total, trained = 0, 0
    seen: set[int] = set()
    left = [value]
    while left:
        fields = vars(left.pop())
        for parameter in fields["_parameters"].values():
            if parameter is None or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            total += parameter.numel()
            trained += parameter.numel() if parameter.requires_grad else 0
        for part in fields["_modules"].values():
            if part is not None and id(part) not in seen:
                seen.add(id(part))
                left.append(part)
    frozen = f", {total - trained:,} of them frozen" if trained < total else ""
    lines = [f"{type(value).__qualname__}: {total:,} parameters{frozen}"]
    parts = vars(value)["_modules"]
    for name, part in list(parts.items())[:_SHOWN]:
        lines.append(f"  {name}: {type(part).__qualname__}")
    return lines


def describe_booster(value: Any) -> list[str]:
    """An XGBoost booster: rounds and features."""
    rounds, count = value.num_boosted_rounds(), value.num_features()
    lines = [f"{type(value).__qualname__}: {rounds:,} rounds, {count:,} features"]
    lines += [
        f"  {short_text(name, _VALUE_CHARS)}" for name in (value.feature_names or ())[:_SHOWN]
    ]
    return lines


def describe_picture(value: Any) -> list[str]:
    """A PIL picture."""
    made = f", {value.format}" if getattr(value, "format", None) else ""
    return [f"{type(value).__qualname__}: {size_of(value.size)} {value.mode}{made}"]


def describe_figure(value: Any) -> list[str]:
    """A Matplotlib figure: pixels, axes and their titles."""
    width, height = value.get_size_inches() * value.dpi
    axes = value.axes
    count = f"{len(axes)} axes" if axes else "empty"
    lines = [f"{type(value).__qualname__}: {width:.0f} × {height:.0f} pixels, {count}"]
    for one in axes[:_SHOWN]:
        words = [one.get_title() or "(no title)", one.get_xlabel(), one.get_ylabel()]
        lines.append(f"  {' · '.join(short_text(word, _VALUE_CHARS) for word in words if word)}")
    return lines
