"""From a dotted name in a script to the object it means."""

from __future__ import annotations

from swell.errors import FlowError


def import_dotted(name: str, what: str) -> object:
    """The object ``pkg.module.attribute``; ``what`` tells the reader who asked for it.

    Raises FlowError if a part cannot be imported or found.
    """
    import importlib

    module_name, _, attribute = name.rpartition(".")
    if not module_name:
        raise FlowError(
            f"{what} '{name}' names no module.", remedy="Write it as package.module.name."
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise FlowError(
            f"{what} '{name}' cannot be imported: {error}.",
            remedy="Install its package, or mend the name.",
        ) from error
    found: object = getattr(module, attribute, None)
    if found is None:
        raise FlowError(
            f"{what} '{name}': module '{module_name}' has no '{attribute}'.",
            remedy="Mend the name.",
        )
    return found
