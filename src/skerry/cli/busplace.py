"""Which bus a verb speaks of, and work on it: by its driver, whether the fleet runs or not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from skerry.bus.driver import Driver, QueueInfo
from skerry.bus.urls import absolute, driver_of, path_of, shown
from skerry.core.errors import CallError
from skerry.fleet.client import Control, ControlError

from .output import Failed, fail, nearest
from .place import fleet_file

T = TypeVar("T")

_PATIENCE = 10.0


def url_of(bus: str, file: str) -> str:
    """The URL that was given, that of the environment, or that of the fleet.

    Raises:
        Failed: there is no fleet, or its broker does not run.
        SpecError: the fleet file cannot be used.
    """
    if bus:
        return absolute(bus, Path.cwd())
    given = os.environ.get("SKERRY_BUS")
    try:
        place = fleet_file(file)
    except Failed:
        if given and not file:
            return absolute(given, Path.cwd())
        raise
    if given:
        return absolute(given, place.parent)
    try:
        url, runs = Control(place.parent).bus(), True
    except ControlError:
        from skerry.fleet.bus import wired
        from skerry.spec import load

        spec = wired(load(place)).bus
        url, runs = spec.url or "", False
    if not url and runs:
        fail("the fleet's broker is not ready; `skerry ps` says why")
    if not url:
        fail(
            f"the bus of this fleet is its backing {spec.backing}, which runs while the fleet "
            f"does; start it: `skerry up --only {spec.backing}`"
        )
    return url


def on_bus(url: str, work: Callable[[Driver], Awaitable[T]], patience: float = _PATIENCE) -> T:
    """What comes of ``work`` with the driver of a bus, open.

    Args:
        patience: seconds until a broker that does not answer is one that cannot be reached.

    Raises:
        Failed: it cannot be reached.
    """
    path = path_of(url)
    if path is not None and not path.is_file():
        fail(f"there is no bus yet: apps make {path} when they start, with `skerry up`")

    async def run() -> T:
        driver = driver_of(url)
        try:
            async with asyncio.timeout(patience):
                await driver.open()
        except TimeoutError:
            fail(f"the bus at {shown(url)} has not answered within {patience:g} s")
        try:
            return await work(driver)
        finally:
            await driver.close()

    try:
        return asyncio.run(run())
    except CallError as error:
        raise Failed(f"the bus at {shown(url)}: {error}; `skerry doctor` looks at it") from error


async def queue_of(driver: Driver, subscription: str) -> QueueInfo:
    """The state of one subscription.

    Raises:
        Failed: there is none of that name.
    """
    queues = {queue.subscription: queue for queue in await driver.queues()}
    if subscription not in queues:
        fail(
            f"nothing on this bus is called {subscription!r}.{nearest(subscription, list(queues))}"
        )
    return queues[subscription]
