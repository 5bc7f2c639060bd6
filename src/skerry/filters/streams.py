"""Limits in time on a body that comes in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator

from skerry.core.clock import Clock
from skerry.core.errors import DeadlineExceeded
from skerry.core.wire import Stream

from .timeout import Timeout


def limit(body: Stream, first: float, idle: float | None, app: str, clock: Clock) -> None:
    """End ``body`` with ``DeadlineExceeded`` where its next piece does not come in time.

    Only waiting for the body counts, not what its reader does between two pieces.

    Args:
        first: when the first piece must have come, on the clock's ``now()``.
        idle: how many seconds each later one may take; None for as long as it likes.
        app: who sends it, for the error.
    """
    body.wrap(lambda chunks: _Limited(chunks, first, idle, app, clock))


class _Limited:
    # A class and not a generator: one that is not read to its end would be left for the event
    # loop to finish, some time later.
    __slots__ = ("_app", "_chunks", "_clock", "_idle", "_next")

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        first: float,
        idle: float | None,
        app: str,
        clock: Clock,
    ) -> None:
        self._chunks = chunks
        self._next: float | None = first
        self._idle = idle
        self._app = app
        self._clock = clock

    def __aiter__(self) -> _Limited:
        return self

    async def __anext__(self) -> bytes:
        when, self._next = self._next, None
        if when is None:
            if self._idle is None:
                return await self._chunks.__anext__()
            when = self._clock.now() + self._idle
        limit = Timeout(when, self._clock)
        try:
            with limit:
                return await self._chunks.__anext__()
        except TimeoutError as error:
            if not limit.expired:
                raise
            close = getattr(self._chunks, "aclose", None)
            if close is not None:  # nobody reads on after this
                await close()
            raise DeadlineExceeded("the body did not go on in time", app=self._app) from error
