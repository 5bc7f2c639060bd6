"""Effects count once: handlers with a real database, on a broker in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest
from msgspec import Struct
from sqlalchemy import event as hooks
from sqlalchemy import text
from sqlalchemy.orm import Session

from skerry.app import App
from skerry.app.testclient import TestClient
from skerry.bus.attempt import Attempt, Permanent
from skerry.bus.consumer import Retries
from skerry.bus.driver import Driver, Failure
from skerry.bus.event import event
from skerry.bus.memory import Broker, Memory, MemoryDelivery
from skerry.bus.message import compose
from skerry.bus.publish import publish_with
from skerry.core.errors import ConfigError
from skerry.data.database import Database
from skerry.data.fixtures import fresh_url
from skerry.data.inbox import Inbox

url = fresh_url()


@event("payments.settled", key="payment_id")
class Settled(Struct):
    payment_id: str
    cents: int


@event("ledger.booked", key="payment_id")
class Booked(Struct):
    payment_id: str


QUICK = Retries(attempts=3, first=0.01)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url, schema="ledger")
    with database.writing() as session:
        session.execute(text("CREATE TABLE entries (payment_id VARCHAR(20), cents INTEGER)"))
    yield database
    database.close()


def entries(database: Database) -> list[tuple[str, int]]:
    with database.reading() as session:
        rows = session.execute(text("SELECT payment_id, cents FROM entries ORDER BY cents"))
        return [(row[0], row[1]) for row in rows]


def state_of(database: Database, id: str) -> str:
    with database.reading() as session:
        row = session.execute(text("SELECT state FROM skerry_inbox WHERE id = :id"), {"id": id})
        return str(row.scalar_one())


def book(session: Session, event: Settled) -> None:
    values = {"id": event.payment_id, "cents": event.cents}
    session.execute(text("INSERT INTO entries VALUES (:id, :cents)"), values)
    publish_with(session, Booked(event.payment_id))


@asynccontextmanager
async def running(app: App, database: Database, broker: Broker) -> AsyncIterator[TestClient]:
    @app.resource
    def opened() -> Database:
        return database

    app.publishes(Settled, Booked)
    async with TestClient(app, overrides={Driver: Memory(broker)}) as client:
        yield client


async def quiet(broker: Broker, booked: int = 0) -> None:
    async with asyncio.timeout(20):
        while any(q.entries for q in broker.queues.values()) or count(broker) < booked:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def count(broker: Broker, topic: str = "ledger.booked") -> int:
    return sum(message.topic == topic for message in broker.published)


async def test_what_a_handler_writes_and_publishes_is_committed_once(
    database: Database, broker: Broker
) -> None:
    app = App("ledger")

    @app.on(Settled, retries=QUICK)
    def on_settled(event: Settled, session: Session) -> None:
        book(session, event)

    async with running(app, database, broker):
        message = compose(Settled.__event__, Settled("p1", 5), source="payments")  # type: ignore[attr-defined]
        for _ in range(3):  # as a broker may
            await Memory(broker).publish([message])
        await app.publish(Settled("p2", 7))
        await quiet(broker, 2)
    assert entries(database) == [("p1", 5), ("p2", 7)]
    assert count(broker) == 2


async def test_what_fails_leaves_nothing_behind(database: Database, broker: Broker) -> None:
    app = App("ledger")
    attempts: list[int] = []

    @app.on(Settled, retries=QUICK)
    def on_settled(event: Settled, session: Session, attempt: Attempt) -> None:
        attempts.append(attempt.number)
        book(session, event)
        if attempt.number < 3:
            raise OSError("after the work was done")

    async with running(app, database, broker):
        await app.publish(Settled("p1", 5))
        await quiet(broker, 1)
    assert attempts == [1, 2, 3]
    assert entries(database) == [("p1", 5)]
    assert count(broker) == 1


async def test_an_asynchronous_handler_writes_in_the_events_one_transaction(
    database: Database, broker: Broker
) -> None:
    app = App("ledger")
    refused: list[ConfigError] = []

    @app.on(Settled, retries=QUICK)
    async def on_settled(event: Settled, attempt: Attempt) -> None:
        await attempt.write(book, event)
        try:
            await attempt.write(book, event)
        except ConfigError as error:
            refused.append(error)
        if attempt.number == 1:
            raise OSError("after the commit")

    async with running(app, database, broker):
        await app.publish(Settled("p1", 5))
        await quiet(broker, 1)
    assert entries(database) == [("p1", 5)]
    assert len(refused) == 1


async def test_a_handler_that_writes_nothing_is_done_once_too(
    database: Database, broker: Broker
) -> None:
    app = App("ledger")
    calls: list[str] = []

    @app.on(Settled)
    async def on_settled(event: Settled) -> None:
        calls.append(event.payment_id)

    async with running(app, database, broker):
        message = compose(Settled.__event__, Settled("p1", 5), source="payments")  # type: ignore[attr-defined]
        for _ in range(3):
            await Memory(broker).publish([message])
        await quiet(broker)
    assert calls == ["p1"]


async def test_what_is_redriven_before_the_inbox_knows_it_is_dead_waits_no_lease(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App("ledger")
    numbers: list[int] = []
    bury = MemoryDelivery.bury

    async def bury_and_redrive(delivery: MemoryDelivery, failure: Failure) -> None:
        """Somebody is quick: the handler's instance has not told its inbox yet."""
        await bury(delivery, failure)
        await Memory(broker).redrive("ledger.on_settled", [delivery.message.id])
        await asyncio.sleep(0.3)

    monkeypatch.setattr(MemoryDelivery, "bury", bury_and_redrive)

    @app.on(Settled, lease=600.0)
    async def on_settled(event: Settled, attempt: Attempt) -> None:
        numbers.append(attempt.number)
        if len(numbers) == 1:
            raise Permanent("it is not to be")
        await attempt.write(book, event)

    async with running(app, database, broker):
        await app.publish(Settled("p1", 5))
        await quiet(broker, 1)
    assert numbers == [1, 1]
    assert entries(database) == [("p1", 5)]


async def test_whoever_was_taken_for_dead_cannot_commit(database: Database, broker: Broker) -> None:
    app = App("ledger")
    numbers: list[int] = []
    first_may_go_on = asyncio.Event()

    @app.on(Settled, lease=0.2, retries=QUICK, ordered=False)
    async def on_settled(event: Settled, attempt: Attempt) -> None:
        numbers.append(attempt.number)
        if attempt.number == 1:
            # A process that is stopped: neither the broker nor the database hears of it.
            attempt.delivery.extend = _nothing  # type: ignore[method-assign]
            assert attempt.held is not None
            attempt.held.extend = _nothing  # type: ignore[method-assign]
            await first_may_go_on.wait()
        await attempt.write(book, event)
        first_may_go_on.set()

    async with running(app, database, broker):
        await app.publish(Settled("p1", 5))
        await quiet(broker, 1)
        await asyncio.sleep(0.05)
    assert numbers == [1, 2]
    assert entries(database) == [("p1", 5)]
    assert count(broker) == 1


async def _nothing() -> None:
    return None


async def test_a_dead_letter_that_is_redriven_begins_anew(
    database: Database, broker: Broker
) -> None:
    app = App("ledger")
    numbers: list[int] = []
    broken = True

    @app.on(Settled, retries=QUICK)
    def on_settled(event: Settled, session: Session, attempt: Attempt) -> None:
        numbers.append(attempt.number)
        if broken:
            raise OSError("no")
        book(session, event)

    async with running(app, database, broker):
        await app.publish(Settled("p1", 5))
        await quiet(broker)
        driver = Memory(broker)
        (letter,) = await driver.dead("ledger.on_settled")
        async with asyncio.timeout(20):  # first it is with the dead letters, then we know it
            while state_of(database, letter.message.id) != "dead":  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        broken = False
        await driver.redrive("ledger.on_settled", [letter.message.id])
        await quiet(broker, 1)
    assert numbers == [1, 2, 3, 1]
    assert entries(database) == [("p1", 5)]


async def test_attempts_that_end_in_crashes_are_bounded_too(
    database: Database, broker: Broker
) -> None:
    app = App("ledger")
    numbers: list[int] = []

    @app.on(Settled, retries=QUICK)
    def on_settled(event: Settled, session: Session, attempt: Attempt) -> None:
        numbers.append(attempt.number)

    message = compose(Settled.__event__, Settled("p1", 5), source="payments")  # type: ignore[attr-defined]
    async with running(app, database, broker):
        for token in ("a", "b", "c"):  # three processes that were never heard of again
            await Inbox(database).begin("ledger.on_settled", message.id, token, lease=0.0)
        await Memory(broker).publish([message])
        await quiet(broker)
        (letter,) = await Memory(broker).dead("ledger.on_settled")
    assert "none of 3 attempts has come to an end" in letter.failure.reason
    assert numbers == []


@contextmanager
def away(database: Database) -> Iterator[None]:
    """Nobody is connected to it, nor can be."""

    def refuse(dialect: object, record: object, args: object, kwargs: object) -> None:
        raise database.engine.dialect.dbapi.OperationalError("no such host")  # type: ignore[union-attr]

    hooks.listen(database.engine, "do_connect", refuse)
    database.engine.dispose()
    try:
        yield
    finally:
        hooks.remove(database.engine, "do_connect", refuse)


async def test_while_the_database_is_away_no_attempt_is_made(
    database: Database, broker: Broker
) -> None:
    app = App("ledger")
    numbers: list[int] = []

    @app.on(Settled, retries=Retries(attempts=1))
    def on_settled(event: Settled, session: Session, attempt: Attempt) -> None:
        numbers.append(attempt.number)
        book(session, event)

    async with running(app, database, broker):
        with away(database):
            await app.publish(Settled("p1", 5))
            await asyncio.sleep(0.1)
        await quiet(broker, 1)
        assert await Memory(broker).dead("ledger.on_settled") == []
    assert numbers == [1]
    assert entries(database) == [("p1", 5)]


async def test_a_database_that_goes_while_a_handler_works_costs_one_attempt(
    database: Database, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    app = App("ledger")
    numbers: list[int] = []
    outage = ExitStack()

    @app.on(Settled, retries=Retries(attempts=2, first=0.01), lease=0.5)
    def on_settled(event: Settled, session: Session, attempt: Attempt) -> None:
        numbers.append(attempt.number)
        book(session, event)
        if len(numbers) == 1:
            outage.enter_context(away(database))
            raise OSError("the connection was lost")

    async with running(app, database, broker):
        await app.publish(Settled("p1", 5))
        async with asyncio.timeout(20):
            while not numbers:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        outage.close()
        await quiet(broker, 1)
    assert numbers == [1, 2]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert entries(database) == [("p1", 5)]


async def test_events_wait_in_the_outbox_while_the_broker_is_away(
    database: Database, broker: Broker
) -> None:
    app = App("ledger")

    @app.post("/book/{id}", status=202)
    async def booking(id: str, database: Database) -> None:
        await database.write(book, Settled(id, 1))

    async with running(app, database, broker) as client:
        broker.reachable = False
        assert (await client.post("/book/p1")).status == 202
        await asyncio.sleep(0.05)
        assert count(broker) == 0
        broker.reachable = True
        async with asyncio.timeout(10):
            while count(broker) < 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert broker.published[-1].source == "ledger"
    assert entries(database) == [("p1", 1)]
