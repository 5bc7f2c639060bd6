"""What waits is seen in an app's metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.orm import Session

from skerry.app import App, levels
from skerry.app.testclient import TestClient
from skerry.bus.consumer import Retries
from skerry.bus.driver import Driver, QueueInfo
from skerry.bus.event import event
from skerry.bus.memory import Broker, Memory
from skerry.bus.publish import publish_with
from skerry.core.errors import BreakerOpen, BusUnavailable
from skerry.data.database import Database


@event("shop.sold")
class Sold(Struct):
    what: str


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "EVERY", 0.02)
    monkeypatch.setattr(levels, "_SHARE", 1.0)
    monkeypatch.setattr(levels.random, "random", lambda: 0.0)


async def gauges(client: TestClient) -> dict[str, float]:
    """By name and labels, as they are scraped."""
    lines = (await client.get("/metrics")).text.splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in found.items()}


async def shows(client: TestClient, **wanted: float | None) -> None:
    """Until the gauges of ``shop.count``, or of the outbox, are these; None: not there."""
    found: dict[str, float] = {}

    def agrees() -> bool:
        for name, value in wanted.items():
            label = 'app="shop"' if name.startswith("outbox") else 'handler="shop.count"'
            if found.get(f"skerry_{name}{{{label}}}") != value:
                return False
        return True

    async with asyncio.timeout(30):
        while True:
            found = await gauges(client)
            if agrees():
                return
            await asyncio.sleep(0.01)


def shop(gate: asyncio.Event) -> App:
    app = App("shop")
    app.publishes(Sold)

    @app.on(Sold, concurrency=1, prefetch=1, retries=Retries(attempts=1))
    async def count(sold: Sold) -> None:
        await gate.wait()
        if sold.what == "nothing":
            raise ValueError(sold.what)

    return app


async def test_what_waits_for_a_handler() -> None:
    gate = asyncio.Event()
    app = shop(gate)
    async with TestClient(app, overrides={Driver: Memory()}) as client:
        await shows(client, queue_ready=0, queue_leased=0, queue_dead=0, queue_oldest_seconds=0)
        await app.publish(Sold("a"), Sold("nothing"), Sold("b"))
        await app.publish(Sold("c"), delay=3600)
        await shows(client, queue_ready=2, queue_leased=1, queue_delayed=1, handler_paused=0)
        found = await gauges(client)
        assert found['skerry_queue_oldest_seconds{handler="shop.count"}'] > 0
        (busy,) = (value for name, value in found.items() if "handler_attempts_in_flight" in name)
        assert busy == 1
        gate.set()
        await shows(client, queue_ready=0, queue_leased=0, queue_dead=1, queue_delayed=1)


class Taciturn(Memory):
    """Tells of itself alone what is delayed and leased, as RabbitMQ does."""

    async def queues(self, names: Collection[str] | None = None) -> list[QueueInfo]:
        return [replace(each, whole=False) for each in await super().queues(names)]


async def test_what_is_not_known_is_not_there() -> None:
    broker = Broker()
    app = shop(asyncio.Event())
    async with TestClient(app, overrides={Driver: Taciturn(broker)}) as client:
        await app.publish(Sold("a"), Sold("b"))
        await shows(client, queue_ready=1, queue_leased=None, queue_oldest_seconds=None)
        broker.reachable = False
        await shows(client, queue_ready=None, queue_dead=None)
        broker.reachable = True
        await shows(client, queue_ready=1, queue_dead=0)


async def test_what_waits_in_the_outbox(tmp_path: Path) -> None:
    app = App("shop")
    app.publishes(Sold)

    class Away(Memory):
        away = False

        async def publish(self, *args: object, **named: object) -> None:
            if self.away:
                raise BusUnavailable("the broker is away")
            await super().publish(*args, **named)  # type: ignore[arg-type]

    @app.resource
    async def database() -> AsyncIterator[Database]:
        opened = Database(f"sqlite:///{tmp_path / 'shop.db'}")
        yield opened
        opened.close()

    @app.post("/sell")
    def sell(session: Session) -> None:
        publish_with(session, Sold("a"), Sold("b"))

    driver = Away()
    async with TestClient(app, overrides={Driver: driver}) as client:
        await shows(client, outbox_waiting=0, outbox_oldest_seconds=0)
        driver.away = True
        await client.post("/sell")
        await shows(client, outbox_waiting=2)
        assert (await gauges(client))['skerry_outbox_oldest_seconds{app="shop"}'] > 0
        driver.away = False
        await shows(client, outbox_waiting=0, outbox_oldest_seconds=0)


async def test_a_handler_that_is_paused() -> None:
    app = App("shop")
    app.publishes(Sold)
    away = True

    @app.on(Sold)
    async def count(sold: Sold) -> None:
        if away:
            raise BreakerOpen("nobody answers")

    async with TestClient(app, overrides={Driver: Memory()}) as client:
        await shows(client, handler_paused=0)
        await app.publish(Sold("a"))
        await shows(client, handler_paused=1)
        away = False
        await shows(client, handler_paused=0, queue_ready=0)
