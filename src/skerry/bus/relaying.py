"""How an outbox is emptied; apart from ``relay``, which needs SQLAlchemy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """How the outbox is emptied.

    Attributes:
        batch: rows published together.
        lease: seconds in which a batch is published, or else is anybody's again.
        poll: seconds between looks while nothing happens.
        backoff: seconds between attempts, at most, while broker or database are away.
        kept: seconds for which rows stay after they were published, for people to see.
    """

    batch: int = 256
    lease: float = 30.0
    poll: float = 1.0
    backoff: float = 2.0
    kept: float = 3_600.0
