"""Which store and which namespace the client looks at.

``namespace()`` and ``metadata()`` hold for a whole notebook by contract, so that one
object per process, ``ACCESS``, is the accepted exception to "no global state".
"""

from __future__ import annotations

from collections.abc import Callable

from swell.client.stores import Opener, Stores
from swell.errors import InternalError


class Access:
    """Opens stores when first asked, and keeps them."""

    def __init__(self) -> None:
        self._opener: Opener | None = None
        self._default_namespace: Callable[[], str | None] | None = None
        self._default_address: str | None = None
        self._chosen_namespace: str | None = None
        self._has_chosen_namespace = False
        self._address: str | None = None
        self._open: dict[str | None, Stores] = {}

    def install_opener(
        self,
        opener: Opener,
        *,
        default_namespace: Callable[[], str | None] | None = None,
        default_address: str | None = None,
    ) -> None:
        """Say how stores are opened, and which namespace and store hold unless one is chosen.

        ``default_address`` None leaves it to the opener which store that is.
        """
        self._opener = opener
        self._default_namespace = default_namespace
        self._default_address = default_address
        self._address = None
        self._open.clear()

    @property
    def opener(self) -> Opener:
        """The installed opener."""
        if self._opener is None:
            raise InternalError("The client was used before a store opener was installed.")
        return self._opener

    @property
    def default_address(self) -> str | None:
        """The store that holds unless one is chosen; None: the opener knows."""
        return self._default_address

    @property
    def has_opener(self) -> bool:
        return self._opener is not None

    def stores(self, address: str | None = None) -> Stores:
        """The store at ``address``; None: the chosen one, else the default."""
        wanted = self._address if address is None else address
        found = self._open.get(wanted)
        if found is None:
            found = self.opener(self._default_address if wanted is None else wanted)
            self._open[wanted] = found
            self._open[found.address] = found
        return found

    def choose_address(self, address: str | None) -> str:
        """Read ``address`` from now on (None: the default); returns the opened address."""
        self._open.pop(address, None)
        opened = self.stores(address) if address is not None else self._reopen_default()
        self._address = address
        return opened.address

    def _reopen_default(self) -> Stores:
        opened = self.opener(self._default_address)
        self._open[None] = self._open[opened.address] = opened
        return opened

    @property
    def namespace(self) -> str | None:
        """The namespace in force; None means all."""
        if self._has_chosen_namespace:
            return self._chosen_namespace
        return self._default_namespace() if self._default_namespace else None

    def choose_namespace(self, namespace: str | None) -> None:
        """None: everything is visible."""
        self._chosen_namespace = namespace
        self._has_chosen_namespace = True

    def forget_namespace(self) -> None:
        """Back to the default."""
        self._chosen_namespace = None
        self._has_chosen_namespace = False


ACCESS = Access()
