"""Who runs the flow, and which namespace follows from it."""

from __future__ import annotations

from swell.errors import UnknownUser
from swell.settings import Settings


def user_name(settings: Settings) -> str:
    """The first name that is not root, of the setting and the login variables; else the
    operating system's name for this user (root allowed). Raises UnknownUser."""
    for name in (settings.user, *settings.login_names):
        if name and name != "root":
            return name
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise UnknownUser(
            f"The operating system has no name for user id {os.getuid()}.",
            remedy="Set SWELL_USER to the name that runs are to be kept under.",
        ) from None


def default_namespace(settings: Settings) -> str:
    """'production:<token>' with a token, else 'user:<name>'."""
    if settings.production_token:
        return f"production:{settings.production_token}"
    return f"user:{user_name(settings)}"
