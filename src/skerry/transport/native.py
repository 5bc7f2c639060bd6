"""Our own HTTP/1.1 driver on asyncio: the one that calls between apps go through.

It has no thread and no runtime of its own. So a cancelled call is a closed socket, a forked
child just starts again, and a hop costs no change of thread.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable
from ssl import SSLContext
from weakref import WeakSet, WeakValueDictionary

from skerry.core.failpoint import hit
from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.wire import Request, Response

from .base import DEFAULTS, Endpoint, TransportSettings, closed, tls_context
from .head import write_head
from .http1 import Connection
from .pool import Dial, Pool


class NativeTransport:
    """HTTP/1.1 over TCP and TLS."""

    def __init__(self, settings: TransportSettings = DEFAULTS) -> None:
        self._settings = settings
        self._pools = Pools(settings)
        self._tls: SSLContext | None = None

    def connect(self, address: Address, /) -> Service[Request, Response]:
        endpoint = Endpoint.of(address)
        if endpoint.secure and self._tls is None:
            self._tls = tls_context(self._settings)
        tls = self._tls if endpoint.secure else None

        async def dial(protocol: Callable[[], Connection]) -> Connection:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(
                protocol, endpoint.host, endpoint.port, ssl=tls
            )
            return connection

        return self._pools.service(endpoint.secure, endpoint.authority, dial)

    async def close(self) -> None:
        await self._pools.close()


class Pools:
    """The pools of one transport: one for each address and event loop, made at first use."""

    def __init__(self, settings: TransportSettings) -> None:
        self.settings = settings
        self.closed = False
        self._services: WeakValueDictionary[tuple[bool, str], PooledService]
        self._services = WeakValueDictionary()
        self._made: WeakSet[Pool] = WeakSet()
        _everyone.add(self)

    def service(self, secure: bool, authority: str, dial: Dial) -> PooledService:
        """The service at ``authority``; callers that are connected to the same share it."""
        service = self._services.get((secure, authority))
        if service is None:
            service = PooledService(self, authority, dial)
            self._services[secure, authority] = service
        return service

    def make(self, loop: AbstractEventLoop, authority: str, dial: Dial) -> Pool:
        if self.closed:
            raise closed(authority)
        pool = Pool(loop, authority, dial, self.settings)
        self._made.add(pool)
        return pool

    async def close(self) -> None:
        """Drain every pool, each in its own event loop."""
        self.closed = True
        here = asyncio.get_running_loop()
        ends: list[Awaitable[None]] = []
        for pool in list(self._made):
            if pool.loop is here:
                ends.append(pool.close())
            elif pool.loop.is_running():
                end = asyncio.run_coroutine_threadsafe(pool.close(), pool.loop)
                ends.append(asyncio.wrap_future(end))
        await asyncio.gather(*ends)

    def abandon(self) -> None:
        """Forget everything without touching it: it belongs to the process we were forked from.

        Not even closed: a socket taken out of an epoll set that both processes share would be
        taken from the parent too.
        """
        _orphans.extend(self._made)
        self._made = WeakSet()
        for service in list(self._services.values()):
            service.abandon()


class PooledService:
    """The service at one address."""

    __slots__ = ("__weakref__", "_authority", "_dial", "_here", "_owner", "_pools")

    def __init__(self, owner: Pools, authority: str, dial: Dial) -> None:
        self._owner = owner
        self._authority = authority
        self._dial = dial
        self._pools: list[Pool] = []
        self._here: Pool | None = None  # the one used last

    async def __call__(self, request: Request, /) -> Response:
        loop = asyncio.get_running_loop()
        pool = self._here
        if pool is None or pool.loop is not loop:
            pool = self._here = self._pool(loop)
        head, length = write_head(request, self._authority)
        connection = pool.take()
        if connection is None:
            connection = await pool.acquire()
        hit("client.before_send")
        answer = connection.start(request, head, length)
        hit("client.after_send")
        try:
            response = await answer
        except BaseException:
            connection.cancel(answer)
            raise
        hit("client.after_answer")
        return response

    def _pool(self, loop: AbstractEventLoop) -> Pool:
        for pool in self._pools:
            if pool.loop is loop:
                return pool
        pool = self._owner.make(loop, self._authority, self._dial)
        self._pools = [other for other in self._pools if not other.loop.is_closed()]
        self._pools.append(pool)
        return pool

    def abandon(self) -> None:
        _orphans.extend(self._pools)
        self._pools = []
        self._here = None


_everyone: WeakSet[Pools] = WeakSet()
_orphans: list[Pool] = []


def _after_fork() -> None:
    for pools in list(_everyone):
        pools.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
