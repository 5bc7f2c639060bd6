from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import Struct

from skerry.app import App
from skerry.app.bus import Bus
from skerry.app.testclient import TestClient
from skerry.bus.attempt import Attempt
from skerry.bus.driver import Driver
from skerry.bus.event import event
from skerry.bus.memory import Broker, Memory
from skerry.bus.schedule import Tick
from skerry.core.errors import BusUnavailable, ConfigError


@event("a.settled", key="id")
class Settled(Struct):
    id: str


@event("a.settled", version=2, key="id")
class SettledLater(Struct):
    id: str
    cents: int


class Database:
    def __init__(self) -> None:
        self.rows: list[str] = []


class Session:
    def __init__(self, database: Database) -> None:
        self.database = database


async def until(broker: Broker) -> None:
    """Nothing waits any more."""
    async with asyncio.timeout(5):
        while any(queue.entries for queue in broker.queues.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_an_endpoint_publishes_and_a_handler_is_given_what_it_asks_for() -> None:
    app = App("a")
    app.publishes(Settled)
    opened = Database()
    seen: list[object] = []

    @app.resource
    async def database() -> AsyncIterator[Database]:
        yield opened

    @app.resource(scope="request")
    async def session(database: Database) -> AsyncIterator[Session]:
        yield Session(database)
        database.rows.append("closed")

    @app.post("/settle/{id}", status=202)
    async def settle(id: str, bus: Bus) -> None:
        await bus.publish(Settled(id))

    @app.on(Settled)
    async def book(event: Settled, session: Session, attempt: Attempt) -> None:
        session.database.rows.append(event.id)
        seen.append((attempt.number, attempt.handler, attempt.message.source))

    @app.on(Settled, name="plain")
    def count(event: Settled) -> None:
        seen.append(event)

    broker = Broker()
    async with TestClient(app, overrides={Driver: Memory(broker)}) as client:
        assert (await client.post("/settle/p1")).status == 202
        await until(broker)
        assert (await client.get("/readyz")).json()["checks"] == {"bus": "ok"}
        text = (await client.get("/metrics")).text
        assert 'skerry_handler_attempt_duration_seconds_count{app="a",route="a.book"' in text
    assert opened.rows == ["p1", "closed"]
    assert (1, "a.book", "a") in seen
    assert Settled("p1") in seen


async def test_one_handler_may_take_several_versions() -> None:
    app = App("a")
    app.publishes(Settled, SettledLater)
    seen: list[object] = []

    @app.on(Settled, SettledLater)
    async def book(event: Settled | SettledLater) -> None:
        seen.append(event)

    broker = Broker()
    async with TestClient(app, overrides={Driver: Memory(broker)}):
        await app.publish(Settled("p1"), SettledLater("p1", 5))
        await until(broker)
    assert seen == [Settled("p1"), SettledLater("p1", 5)]


async def test_scheduled_functions_run() -> None:
    app = App("a")
    ran: list[Tick] = []
    done = asyncio.Event()

    @app.every("100ms")
    async def sweep(tick: Tick) -> None:
        ran.append(tick)
        if len(ran) == 2:
            done.set()

    async with TestClient(app):
        await asyncio.wait_for(done.wait(), 5)
    assert (ran[1].at - ran[0].at).total_seconds() >= 0.1


async def test_an_app_starts_without_its_broker_and_goes_on_by_itself() -> None:
    app = App("a")
    app.publishes(Settled)
    broker = Broker()
    broker.reachable = False
    async with TestClient(app, overrides={Driver: Memory(broker)}) as client:
        unready = await client.get("/readyz")
        assert (unready.status, unready.json()["checks"]) == (503, {"bus": "the broker is away"})
        with pytest.raises(BusUnavailable):
            await app.publish(Settled("p1"))
        broker.reachable = True
        async with asyncio.timeout(5):
            while (await client.get("/readyz")).status != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await app.publish(Settled("p1"))
    assert len(broker.published) == 1


async def test_what_cannot_be_is_told_at_once() -> None:
    app = App("a")
    with pytest.raises(ConfigError, match="takes the events"):
        app.on()
    with pytest.raises(ConfigError, match="str is no event"):
        app.on(str)

    @app.on(Settled)
    async def book(event: Settled) -> None: ...

    with pytest.raises(ConfigError, match="two handlers are named 'book'"):
        app.on(Settled, name="book")(book)
    async with TestClient(app):
        with pytest.raises(
            ConfigError, match=r"publishes no Settled; say app.publishes\(Settled\)"
        ):
            await app.publish(Settled("p1"))
    with pytest.raises(ConfigError, match="does not run"):
        await app.publish(Settled("p1"))


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("other: int", "nothing provides"),
        ("event: Settled, again: Settled", "would both be the event"),
        ("", "no argument takes the event"),
        ("event", "needs an annotation"),
    ],
)
async def test_arguments_nobody_can_give_are_refused_at_start(argument: str, reason: str) -> None:
    app = App("a")
    names = {"Settled": Settled}
    exec(f"async def book({argument}) -> None: ...", names)
    app.on(Settled)(names["book"])
    with pytest.raises(ConfigError, match=reason):
        async with TestClient(app):
            pass


async def test_a_handler_of_two_versions_takes_both() -> None:
    app = App("a")

    @app.on(Settled, SettledLater)
    async def book(event: Settled) -> None: ...

    with pytest.raises(ConfigError, match="does not take SettledLater"):
        async with TestClient(app):
            pass


async def test_an_app_whose_broker_goes_is_not_ready_until_it_is_back() -> None:
    app, broker = App("a"), Broker()
    app.publishes(Settled)
    async with TestClient(app, overrides={Driver: Memory(broker)}) as client:
        assert (await client.get("/readyz")).status == 200
        broker.reachable = False
        answer = await client.get("/readyz")
        assert (answer.status, answer.json()["checks"]) == (503, {"bus": "the broker is away"})
        broker.reachable = True
        assert (await client.get("/readyz")).json()["checks"] == {"bus": "ok"}
