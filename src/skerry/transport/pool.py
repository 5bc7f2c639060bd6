"""The connections to one address, in one event loop.

Used last, used next: under little load the others grow old and are closed. A connection that
has been idle for a moment is looked at before it is used, so that what remains of the race
against a server that hangs up is the time a packet travels.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections import deque
from collections.abc import Awaitable, Callable

from skerry.core.errors import ConnectError

from .base import TransportSettings, closed
from .http1 import Connection

FRESH = 0.5
"""Seconds for which an idle connection is trusted without looking."""

Dial = Callable[[Callable[[], Connection]], Awaitable[Connection]]
"""Make a connection whose protocol is made by the argument."""


class Pool:
    """At most ``settings.pool_size`` connections, made by ``dial``.

    Args:
        loop: the event loop they live in; every method is called in it.
        authority: who is called, for messages and the ``Host`` header.
    """

    def __init__(
        self, loop: AbstractEventLoop, authority: str, dial: Dial, settings: TransportSettings
    ) -> None:
        self.loop = loop
        self.authority = authority
        self._dial = dial
        self._settings = settings
        self._closed = False
        self._size = 0
        self._idle: list[Connection] = []  # oldest first
        self._open: set[Connection] = set()
        self._waiting: deque[Future[Connection | None]] = deque()
        self._sweeper: TimerHandle | None = None
        self._drained: Future[None] | None = None

    def take(self) -> Connection | None:
        """An idle connection that is still good, if there is one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable(look=self.loop.time() - connection.idle_since > FRESH):
                return connection
            connection.abort()
        return None

    async def acquire(self) -> Connection:
        """A connection, new or just released, as soon as the size of the pool allows.

        Raises:
            ConnectError: there is none to be had.
        """
        while self._size >= self._settings.pool_size:
            released = await self._wait()
            if released is not None and released.usable(look=False):
                return released
        if self._stopping():
            raise closed(self.authority)
        self._size += 1
        try:
            connection = await self._connect()
        except BaseException:
            self._size -= 1
            self._next(None)
            raise
        self._open.add(connection)
        if self._stopping():
            connection.abort()
            raise closed(self.authority)
        if not connection.usable(look=False):
            connection.abort()
            raise ConnectError(f"{self.authority} hung up before anything was sent")
        return connection

    def release(self, connection: Connection) -> None:
        connection.idle_since = self.loop.time()
        if self._closed:
            connection.abort()
        elif not self._next(connection):
            self._idle.append(connection)
            if self._sweeper is None:
                self._sweeper = self.loop.call_later(self._settings.idle_timeout, self._sweep)

    def gone(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.discard(connection)
            self._size -= 1
            if connection in self._idle:
                self._idle.remove(connection)
            self._next(None)
            if not self._open and self._drained is not None and not self._drained.done():
                self._drained.set_result(None)

    async def close(self) -> None:
        """Refuse new requests, let the others end in ``drain_timeout`` seconds, cut the rest."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._idle):
            connection.abort()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(closed(self.authority))
        if self._open:
            if self._drained is None:
                self._drained = self.loop.create_future()
            await asyncio.wait([self._drained], timeout=self._settings.drain_timeout)
        for connection in list(self._open):
            connection.abort()

    async def _connect(self) -> Connection:
        seconds = self._settings.connect_timeout
        try:
            async with asyncio.timeout(seconds):
                return await self._dial(lambda: Connection(self))
        except TimeoutError as error:
            raise ConnectError(f"no connection to {self.authority} in {seconds:g} s") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: not a name that DNS could know
            raise ConnectError(f"no connection to {self.authority}: {error}") from error

    async def _wait(self) -> Connection | None:
        """The next connection released, or None when there is room for a new one."""
        if self._closed:
            raise closed(self.authority)
        waiter: Future[Connection | None] = self.loop.create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                released = waiter.result()  # too late for us, not for the next
                if released is None or not released.usable(look=False):
                    self._next(None)
                else:
                    self.release(released)
            raise

    def _stopping(self) -> bool:
        """What ``close`` may have changed while something was awaited."""
        return self._closed

    def _next(self, connection: Connection | None) -> bool:
        """Give it to whoever has waited longest; False if nobody waits."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _sweep(self) -> None:
        """Close what has been idle too long."""
        self._sweeper = None
        limit = self.loop.time() - self._settings.idle_timeout
        while self._idle and self._idle[0].idle_since <= limit:
            self._idle[0].abort()
        if self._idle:
            self._sweeper = self.loop.call_later(self._idle[0].idle_since - limit, self._sweep)
