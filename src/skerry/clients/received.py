"""What an answer says beside its body: its status and its header fields, for those who ask.

A client's method returns what the contract calls the answer, and its type would be another if
header fields came with it. Few callers want them, so they are laid where those can pick them up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from skerry.core.wire import Headers, Response


class Received:
    """The last answer that a client was given; before the first, status 0 and no headers."""

    __slots__ = ("headers", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers = Headers()

    def __repr__(self) -> str:
        return f"Received(status={self.status}, headers={self.headers!r})"


_wanted: ContextVar[Received | None] = ContextVar("skerry.received", default=None)


@contextmanager
def received() -> Iterator[Received]:
    """Status and headers of the answers to calls within the block, refusals among them::

        with received() as answer:
            quote = await quotes.create_quote(new)
        answer.headers.get("location")

    Tasks that begin within the block report to it as well; calls made side by side are told apart
    by a block in each task.
    """
    found = Received()
    token = _wanted.set(found)
    try:
        yield found
    finally:
        _wanted.reset(token)


def keep(response: Response) -> None:
    """Lay down an answer for whoever has asked."""
    wanted = _wanted.get()
    if wanted is not None:
        wanted.status, wanted.headers = response.status, response.headers
