"""Counting what is in flight, for drivers whose library does not.

Exchanges may run in several event loops; whoever closes the transport waits in one of them.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import Future

from skerry.core.wire import Response, Stream


class Drain:
    """How many exchanges are in flight, and whether new ones may begin."""

    def __init__(self) -> None:
        self.closed = False
        self._busy = 0
        self._lock = threading.Lock()  # event loops in several threads count here
        self._empty: Future[None] | None = None

    def enter(self) -> None:
        with self._lock:
            self._busy += 1

    def leave(self, _error: BaseException | None = None) -> None:
        with self._lock:
            self._busy -= 1
        if self._empty is not None and not self._busy:
            self._empty.get_loop().call_soon_threadsafe(_settle, self._empty)

    def leave_with(self, response: Response) -> Response:
        """Leave now, or with the end of the body if that is still to come."""
        if isinstance(response.body, Stream):
            response.body.on_end(self.leave)
        else:
            self.leave()
        return response

    async def close(self, seconds: float) -> None:
        """Begin nothing more, and wait for the rest, up to ``seconds``."""
        self.closed = True
        if self._busy:
            self._empty = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._empty], timeout=seconds)


def _settle(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)
