"""A process with a driver of its own, to be killed with ``kill -9``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from skerry.bus.driver import Subscription

from .bus_place import Place
from .bus_tools import PATIENCE

CHILD = """
import asyncio, sys
import msgspec
from skerry.bus.driver import Failure, Subscription
from skerry.bus.message import Message
{imports}

async def main():
    driver = {driver}
    await driver.open()
    {work}
    print("done", flush=True)
    await asyncio.Event().wait()

def said(line):
    print(line, flush=True)

asyncio.run(main())
"""


class Child:
    """A process with a driver of its own, to be killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        """What it says next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            found = (await self._process.stdout.readline()).decode().strip()
        assert found, "the child ended"
        return found

    async def kill(self) -> None:
        """``kill -9``."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def child(place: Place, work: str) -> AsyncIterator[Child]:
    """A process that does ``work`` with ``driver``, says ``done``, and stays; killed at the end."""
    if place.code is None:
        pytest.skip("another process cannot reach this broker")
    imports, driver = place.code
    source = CHILD.format(imports=imports, driver=driver, work=work.replace("\n", "\n    "))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE
    )
    found = Child(process)
    try:
        yield found
    finally:
        await found.kill()


def spelled(subscription: Subscription) -> str:
    """As a child's work writes it."""
    return (
        f"Subscription({subscription.name!r}, {subscription.topics!r}, "
        f"{subscription.ordered!r}, {subscription.lease!r})"
    )


def taken(subscription: Subscription, prefetch: int = 10) -> str:
    """A child's work: say ``id attempt`` of what it is given, and end nothing."""
    return (
        f"async with driver.consume({spelled(subscription)}, {prefetch}) as deliveries:\n"
        "    async for delivery in deliveries:\n"
        "        said(f'{delivery.message.id} {delivery.attempt}')\n"
    )
