"""What can be asked of the embedded bus's file in the hot path: plain values, to be grouped."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .message import Message

ACK, RETRY, BURY, EXTEND = "ack", "retry", "bury", "extend"


@dataclass(slots=True)
class Publish:
    """Messages to accept: topic, key and JSON of each; ``at`` in Unix seconds, or 0 for now."""

    rows: list[tuple[str, str, bytes]]
    at: float = 0.0


@dataclass(slots=True, frozen=True)
class Claimed:
    """A message that is out: its row, and the lease that proves it."""

    message: Message
    row: int
    subscription: int
    lease: int
    attempt: int
    until: float


@dataclass(slots=True)
class End:
    """How a claim ended, or that it goes on (``EXTEND``); ``at`` in Unix seconds, or 0."""

    claimed: Claimed
    verb: str
    at: float = 0.0
    counts: bool = True
    failure: bytes = b""


@dataclass(slots=True)
class Claim:
    """The wish of a consumer for up to ``want`` messages; ``lease`` is a new one's number."""

    consumer: int
    subscription: int
    want: int
    lease: int
    seconds: float


@dataclass(slots=True)
class Taken:
    """What a claim found.

    Attributes:
        more: there may be more at once.
        next: Unix seconds at which there will be, as far as is known.
    """

    claimed: list[Claimed]
    more: bool
    next: float | None = None


@dataclass(slots=True, frozen=True)
class Peer:
    """A consumer to be woken, here or in another process."""

    id: int
    socket: str


def new_consumer() -> int:
    """An id that no other has: with 32 bits of a lease's number behind it, it fits a row."""
    return int.from_bytes(os.urandom(4), "big") >> 2 or 1
