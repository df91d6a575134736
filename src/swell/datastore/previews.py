"""What is kept of an artifact for people to read: a line, and more where a library made it.

Values are told by the module their types come from; no library is imported for that.
"""

from __future__ import annotations

from collections.abc import Callable

from swell.datastore.short_texts import LINE_CHARS, preview_line

DETAIL_CHARS = 2000
"""A preview of several lines."""
_ITEMS = 8

Describe = Callable[[object], "list[str] | None"]
"""Lines on a value, the first to stand alone; None: nothing is known beyond its one line."""


def preview(value: object) -> str:
    """One line of at most 200 characters; never raises, never looks at more than a few items.

    What a library made has more to tell: a first line that can stand alone, then details,
    at most 2,000 characters. Of large ones a sample is looked at, so that this takes a
    millisecond where saving the value takes a hundred.
    """
    line = preview_line(value)
    if type(value).__module__ == "builtins" and len(line) < LINE_CHARS:
        return line
    try:
        return _detailed(value, line) or line
    except Exception:  # as in preview_line
        return line


def _detailed(value: object, line: str) -> str | None:
    """The lines on ``value``; None where ``line`` says all."""
    describe = _describer(type(value))
    if describe is not None:
        return _fitted(describe(value))
    if len(line) == LINE_CHARS and type(value) in (dict, list, tuple):
        return _container(value, line)
    return None


def _fitted(lines: list[str] | None) -> str | None:
    """``lines`` in one text within the limits, without characters that would end a line."""
    if not lines:
        return None
    clean = [line if line.isprintable() else _printable(line) for line in lines]
    first, *rest = (_cut(line, LINE_CHARS) for line in clean)
    left = DETAIL_CHARS - len(first)
    kept = [first]
    for number, line in enumerate(rest):
        left -= len(line) + 1
        is_last = number == len(rest) - 1
        if left < (0 if is_last else 2):
            kept.append("…")
            break
        kept.append(line)
    return "\n".join(kept)


def _container(value: object, line: str) -> str | None:
    """Items one a line, where libraries made some of them and one line is too short."""
    items: list[tuple[object, object]] = []
    if isinstance(value, dict):
        for key, item in value.items():
            items.append((key, item))
            if len(items) == _ITEMS:
                break
    elif isinstance(value, (list, tuple)):
        items = list(enumerate(value[:_ITEMS]))
    if not any(_describer(type(item)) for _, item in items):
        return None
    assert isinstance(value, (dict, list, tuple))
    lines = [line, *(f"  {preview_line(key)}: {preview_line(item)}" for key, item in items)]
    if len(value) > len(items):
        lines.append(f"  … {len(value):,} in all")
    return _fitted(lines)


def _describer(kind: type) -> Describe | None:
    """What describes values of ``kind``, or of the nearest class it inherits from."""
    for one in kind.__mro__:
        library, _, rest = str(one.__module__).partition(".")
        match library:
            case "numpy" if one.__name__ == "ndarray":
                from swell.datastore.array_previews import describe_array

                return describe_array
            case "torch":
                from swell.datastore import array_previews, model_previews

                known = {
                    "Tensor": array_previews.describe_tensor,
                    "Module": model_previews.describe_module,
                }
                if one.__name__ in known:
                    return known[one.__name__]
            case "pandas" | "polars" | "pyarrow":
                from swell.datastore.frame_previews import describer

                found = describer(library, one.__name__)
                if found is not None:
                    return found
            case "sklearn" if one.__name__ == "BaseEstimator":
                from swell.datastore.model_previews import describe_estimator

                return describe_estimator
            case "xgboost" if one.__name__ == "Booster":
                from swell.datastore.model_previews import describe_booster

                return describe_booster
            case "PIL" if rest == "Image":
                from swell.datastore.model_previews import describe_picture

                return describe_picture
            case "matplotlib" if rest == "figure" and one.__name__ == "Figure":
                from swell.datastore.model_previews import describe_figure

                return describe_figure
            case _:
                pass
    return None


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
