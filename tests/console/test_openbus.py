"""The bus is opened when it is asked something, and let go of when nobody asks any more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from skerry.bus.driver import Driver, QueueInfo, Subscription
from skerry.bus.embedded import Embedded
from skerry.bus.urls import file_url
from skerry.console import openbus
from skerry.console.openbus import BusAway, OpenBus, queue_of
from skerry.core.clock import ManualClock
from skerry.core.errors import BusUnavailable, NotFound


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    driver = Embedded(tmp_path / "bus.db")
    await driver.open()
    await driver.declare([Subscription("shop.bill", ("orders",))])
    await driver.close()
    return tmp_path / "bus.db"


async def test_it_is_opened_once_and_closed_when_idle(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openbus, "IDLE", 0.02)
    clock = ManualClock()

    async def where() -> str:
        return file_url(file)

    bus = OpenBus(where, clock)
    seen = []

    async def look(driver: Driver) -> list[QueueInfo]:
        seen.append(driver)
        return await driver.queues()

    assert [queue.subscription for queue in await bus.ask(look)] == ["shop.bill"]
    await bus.ask(look)
    assert seen[0] is seen[1]
    await clock.advance(1)
    async with asyncio.timeout(10):
        while bus._driver is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await bus.ask(look)
    assert seen[2] is not seen[0]
    assert await bus.url() == file_url(file)
    await bus.close()


async def test_what_is_missing_is_named(tmp_path: Path) -> None:
    url = ""

    async def where() -> str:
        return url

    bus = OpenBus(where)

    async def look(driver: Driver) -> None:
        raise BusUnavailable("the broker has gone")

    with pytest.raises(BusAway, match="broker is not ready"):
        await bus.ask(look)
    url = file_url(tmp_path / "none.db")
    with pytest.raises(BusAway, match="no bus yet"):
        await bus.ask(look)
    url = "carrier-pigeon://coop"
    with pytest.raises(BusAway, match="is no bus"):
        await bus.ask(look)
    (tmp_path / "none.db").touch()
    url = file_url(tmp_path / "none.db")
    with pytest.raises(BusAway, match="the broker has gone"):
        await bus.ask(look)
    await bus.close()


async def test_a_name_that_nobody_has(file: Path) -> None:
    driver = Embedded(file)
    await driver.open()
    assert (await queue_of(driver, "shop.bill")).dead == 0
    with pytest.raises(NotFound, match="Did you mean"):
        await queue_of(driver, "shop.bil")
    await driver.close()
