"""What is known of a request by its ``Idempotency-Key``; see ``idempotency``.

Apart from the table, because these are what the server's stack speaks of, also in apps that
have no SQLAlchemy.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from skerry.core.errors import Error
from skerry.core.wire import Response


class Asked(Struct, frozen=True):
    """A request with a key.

    Attributes:
        scope: within which a key means one request: who asks, and for what.
        key: the caller's.
        operation: ``POST /payments``, for people who look into the table.
        fingerprint: equal for requests that ask for the same.
    """

    scope: str
    key: str
    operation: str
    fingerprint: str


class Claimed(Struct, frozen=True):
    """Nobody is at it, and there is no answer: it is ours to do."""


class Stored(Struct, frozen=True):
    """It has been answered."""

    response: Response


class InFlight(Struct, frozen=True):
    """Somebody is at it.

    Attributes:
        seconds: until whoever that is counts as dead, unless it says that it is not.
    """

    seconds: float


class Reused(Struct, frozen=True):
    """The key is another request's."""


Found: TypeAlias = Claimed | Stored | InFlight | Reused


class Fenced(Error):
    """The request is somebody else's by now, or answered: this answer must not be kept."""


class Unavailable(Error):
    """Nobody knows, because the database cannot be asked."""
