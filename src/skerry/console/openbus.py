"""The fleet's bus, open while somebody looks at it.

Not by way of the supervisor: reading a thousand dead letters is work, and who watches over the
health of all instances is not to be kept from that. The control API says where the bus is; what
lies on it is asked of the broker's driver, as ``skerry bus`` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from skerry.bus.driver import Driver, QueueInfo
from skerry.bus.urls import driver_of, path_of, shown
from skerry.core.clock import Clock, system
from skerry.core.errors import CallError, ConfigError, NotFound, Problem, nearest

T = TypeVar("T")

IDLE = 30.0
"""Seconds without a question after which the bus is closed again."""

_PATIENCE = 10.0  # seconds until a broker that does not answer is one that cannot be reached


class BusAway(Problem, status=503, type="urn:problem-type:bus-away"):
    """The bus cannot be reached."""


class OpenBus:
    """A driver that is opened at the first question, and let go of after the last.

    Args:
        where: says the bus's URL; empty while its broker is not ready.
    """

    def __init__(self, where: Callable[[], Awaitable[str]], clock: Clock = system) -> None:
        self._where = where
        self._now = clock.now
        self._driver: Driver | None = None
        self._url = ""
        self._opening = asyncio.Lock()
        self._working = 0
        self._last = 0.0
        self._closer: asyncio.Task[None] | None = None

    async def ask(self, work: Callable[[Driver], Awaitable[T]]) -> T:
        """What comes of ``work`` with the open driver.

        Raises:
            BusAway: it cannot be reached; says why.
        """
        self._working += 1
        try:
            return await work(await self._open())
        except CallError as error:
            raise BusAway(detail=f"the bus at {shown(self._url)}: {error}") from None
        finally:
            self._working -= 1
            self._last = self._now()

    async def url(self) -> str:
        """Where it is, without its password."""
        return shown(await self._where())

    async def _open(self) -> Driver:
        url = await self._where()
        if not url:
            raise BusAway(detail="the fleet's broker is not ready")
        path = path_of(url)
        if path is not None and not path.is_file():
            raise BusAway(detail="there is no bus yet: the first app with events makes it")
        async with self._opening:
            if self._driver is None or url != self._url:
                await self._let_go()
                self._url = url
                try:
                    driver = driver_of(url)
                    async with asyncio.timeout(_PATIENCE):
                        await driver.open()
                except TimeoutError:
                    raise BusAway(detail=f"the bus at {shown(url)} does not answer") from None
                except ConfigError as error:
                    raise BusAway(detail=str(error)) from None
                self._driver = driver
                self._closer = self._closer or asyncio.create_task(self._close_when_idle())
            return self._driver

    async def _close_when_idle(self) -> None:
        while self._driver is not None:
            await asyncio.sleep(IDLE / 2)
            if not self._working and self._now() - self._last > IDLE:
                async with self._opening:
                    await self._let_go()
        self._closer = None

    async def _let_go(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            await driver.close()

    async def close(self) -> None:
        if self._closer is not None:
            self._closer.cancel()
        await self._let_go()


async def queue_of(driver: Driver, subscription: str) -> QueueInfo:
    """The state of one subscription.

    Raises:
        NotFound: there is none of that name.
    """
    queues = {queue.subscription: queue for queue in await driver.queues()}
    if subscription not in queues:
        guess = nearest(subscription, queues)
        raise NotFound(detail=f"nothing on this bus is called {subscription!r}.{guess}")
    return queues[subscription]
