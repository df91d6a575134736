"""The errors that the service answers with, in the API's own words."""

from __future__ import annotations

CLIENT = "ClientException"
SERVER = "ServerException"
THROTTLED = "TooManyRequestsException"


class Refused(Exception):
    """An answer other than 200: error type, HTTP status and message as a caller sees them."""

    def __init__(self, message: str, *, code: str = CLIENT, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


def throttled() -> Refused:
    """More calls than the account may make of one operation."""
    return Refused("Too Many Requests", code=THROTTLED, status=429)


def not_in_the_sandbox(what: str) -> Refused:
    """Modelled by AWS, not built here: said plainly rather than answered wrongly."""
    return Refused(f"{what} is not in the sandbox: this can be tried on AWS only.")
