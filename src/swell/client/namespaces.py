"""The functions by which a notebook chooses a namespace and a store."""

from __future__ import annotations

from swell.client.access import ACCESS


def namespace(ns: str | None) -> str | None:
    """See only runs that have the tag ``ns`` from now on; None: all. Returns it."""
    ACCESS.choose_namespace(ns)
    return ACCESS.namespace


def get_namespace() -> str | None:
    """The namespace in force; None means all."""
    return ACCESS.namespace


def default_namespace() -> str | None:
    """Go back to the default, your own runs; returns it."""
    ACCESS.forget_namespace()
    return ACCESS.namespace


def metadata(address: str) -> str:
    """Read the store at ``address`` (a path or ``type@address``) from now on; returns it.

    Raises MetadataError when there is none; what was read before stays chosen.
    """
    return ACCESS.choose_address(address)


def get_metadata() -> str:
    """The address of the store that is read."""
    return ACCESS.stores().address


def default_metadata() -> str:
    """Go back to the default store; returns its address."""
    return ACCESS.choose_address(None)
