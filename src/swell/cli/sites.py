"""What cleaning and checking commands work on; they say which stores cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from swell.cli.looking import Looking
from swell.session.cleaning import Site, open_site
from swell.session.reading import LocalStores


@contextmanager
def opened_site(looking: Looking, stores: LocalStores) -> Iterator[Site]:
    """The stores of all runs; what is left out of them is told. Raises SwellError."""
    with open_site(stores, looking.settings) as site:
        for url, error in site.away.items():
            looking.say(f"{url}, where runs have kept artifacts, is left out: {error.message}")
        yield site
