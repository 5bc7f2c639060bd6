from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from skerry.bus.memory import Broker, Memory
from skerry.bus.message import Message
from skerry.bus.relay import Relay, message_of, record_of
from skerry.bus.relaying import RelaySettings
from skerry.core.errors import BusUnavailable, Unconfirmed
from skerry.data import schema
from skerry.data.database import Database
from skerry.data.enlist import enlist
from skerry.data.fixtures import fresh_url
from skerry.data.outbox import Outbox
from skerry.data.records import Record
from skerry.telemetry.metrics import Metrics

url = fresh_url()
QUICK = RelaySettings(poll=0.05, backoff=0.05)


class Recorder(Memory):
    """A broker that keeps what it accepts, and does what a test wants with the rest.

    Attributes:
        batches: the ids of each publication, and its delay.
        before: called with the messages of each, first.
        after: called when they have been accepted.
    """

    def __init__(self) -> None:
        super().__init__(Broker())
        self.batches: list[tuple[list[str], float]] = []
        self.before: Callable[[Sequence[Message]], Any] = lambda messages: None
        self.after: Callable[[Sequence[Message]], Any] = lambda messages: None

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.broker.published]

    async def publish(self, messages: Sequence[Message], *, delay: float = 0.0) -> None:
        await asyncio.sleep(0)
        if (waits := self.before(messages)) is not None:
            await waits
        await super().publish(messages, delay=delay)
        self.batches.append(([m.id for m in messages], delay))
        self.after(messages)


def of(id: str, key: str = "", **fields: Any) -> Record:
    return Record(id, "a.b", 1, b"{}", key, "app", 1.0, **fields)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    schema.migrate(database.engine)
    yield database
    database.close()


@pytest.fixture
def driver() -> Recorder:
    return Recorder()


@asynccontextmanager
async def relaying(
    database: Database, driver: Memory, settings: RelaySettings = QUICK, **options: Any
) -> AsyncIterator[Relay]:
    relay = Relay(Outbox(database), driver, app="books", settings=settings, **options)
    relay.start()
    try:
        yield relay
    finally:
        await relay.stop(5.0)


async def publish(database: Database, *records: Record) -> None:
    await database.write(enlist, records)


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def left(database: Database) -> int:
    return (await Outbox(database).waiting()).count


def test_records_are_messages() -> None:
    message = Message("1", "a.b", 2, b"{}", "k", "app", 1.5, {"baggage": "a=b"})
    assert message_of(record_of(message, due=3.0)) == message
    assert record_of(message, due=3.0).due == 3.0


async def test_what_was_committed_is_published(database: Database, driver: Recorder) -> None:
    metrics = Metrics()
    async with relaying(database, driver, metrics=metrics):
        await publish(database, of("1", "k", headers={"x": "y"}), of("2"), of("3", "k"))
        await until(lambda: len(driver.ids) == 3)
    assert driver.broker.published[0] == message_of(of("1", "k", headers={"x": "y"}), "a")
    assert driver.ids == ["1", "2", "3"]
    assert await left(database) == 0
    assert [c["value"] for c in metrics.snapshot()["counters"]] == [3]


async def test_a_commit_wakes_it(database: Database, driver: Recorder) -> None:
    settings = RelaySettings(poll=1_000.0)
    async with relaying(database, driver, settings):
        for number in range(3):
            await asyncio.sleep(0.05)
            await publish(database, of(f"{number}"))
            await until(lambda n=number: len(driver.ids) == n + 1)  # type: ignore[misc]


async def test_what_others_commit_is_found(database: Database, driver: Recorder, url: str) -> None:
    program = (
        "import sys\n"
        "from skerry.data.database import Database\n"
        "from skerry.data.enlist import enlist\n"
        "from skerry.data.records import Record\n"
        "with Database(sys.argv[1]).writing() as session:\n"
        "    enlist(session, [Record('1', 'a.b', 1, b'{}')])\n"
    )
    async with relaying(database, driver):
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, url], check=True)
        await until(lambda: driver.ids == ["1"])


async def test_what_is_due_later_is_published_with_its_delay(
    database: Database, driver: Recorder
) -> None:
    soon, past = time.time() + 60.0, time.time() - 60.0
    await publish(
        database,
        *(of("1"), of("2", due=past), of("3", due=soon), of("4", due=soon), of("5", due=soon + 5)),
        of("6"),
    )
    async with relaying(database, driver):
        await until(lambda: len(driver.ids) == 6)
    assert [ids for ids, _ in driver.batches] == [["1", "2"], ["3", "4"], ["5"], ["6"]]
    delays = [delay for _, delay in driver.batches]
    assert delays[0] == delays[3] == 0.0
    assert delays[1] == pytest.approx(60.0, abs=5.0)
    assert delays[2] - delays[1] == pytest.approx(5.0)


async def test_while_the_broker_is_away_everything_waits(
    database: Database, driver: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "skerry.bus")
    driver.broker.reachable = False
    async with relaying(database, driver) as relay:
        await publish(database, of("1", "k"), of("2", "k"))
        await until(lambda: relay.trouble is not None)
        await asyncio.sleep(0.3)
        assert await left(database) == 2
        count, age = await relay.waiting()
        assert count == 2
        assert age > 1_000.0
        driver.broker.reachable = True
        await until(lambda: driver.ids == ["1", "2"])
        await until(lambda: relay.trouble is None)
    assert [r.getMessage() for r in caplog.records] == [
        "books: the outbox waits: BusUnavailable: the broker is away",
        "books: the outbox is published again",
    ]


async def test_what_was_not_confirmed_is_published_again(
    database: Database, driver: Recorder
) -> None:
    lost = iter([True])

    def lose(messages: Sequence[Message]) -> None:
        if next(lost, False):
            raise Unconfirmed("the broker said nothing")

    driver.after = lose
    await publish(database, of("1", "k"), of("2", "k"))
    async with relaying(database, driver):
        await until(lambda: len(driver.ids) == 4)
    assert driver.ids == ["1", "2", "1", "2"]
    assert await left(database) == 0


async def test_those_before_a_failure_are_marked(database: Database, driver: Recorder) -> None:
    failures = iter([BusUnavailable("away")])

    def fail(messages: Sequence[Message]) -> None:
        if messages[0].id == "2" and (error := next(failures, None)):
            raise error

    driver.before = fail
    await publish(database, of("1"), of("2", due=time.time() + 60.0), of("3"))
    async with relaying(database, driver):
        await until(lambda: len(driver.ids) == 3)
    assert driver.ids == ["1", "2", "3"]


async def test_a_record_no_broker_takes_holds_up_its_key_and_nothing_else(
    database: Database, driver: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    poisonous = True

    def refuse(messages: Sequence[Message]) -> None:
        if poisonous and any(m.id == "k2" for m in messages):
            raise ValueError("a topic that is none")

    driver.before = refuse
    await publish(database, *(of(f"k{n}", "k") for n in range(1, 5)), of("x"), of("j1", "j"))
    settings = RelaySettings(poll=0.05, lease=0.4)
    async with relaying(database, driver, settings):
        await until(lambda: len(driver.ids) == 3)
        await publish(database, of("y"))
        await until(lambda: len(driver.ids) == 4)
        assert driver.ids == ["k1", "x", "j1", "y"]
        poisonous = False
        await until(lambda: len(driver.ids) == 7)
    assert driver.ids[4:] == ["k2", "k3", "k4"]
    said = [r.getMessage() for r in caplog.records]
    assert "books: k2 of a.b cannot be published: ValueError: a topic that is none" in said


async def test_a_broker_that_never_answers_is_given_up(
    database: Database, driver: Recorder
) -> None:
    waits = iter([asyncio.sleep(1_000.0)])
    driver.before = lambda messages: next(waits, None)
    await publish(database, of("1"))
    async with relaying(database, driver, RelaySettings(poll=0.05, backoff=0.05, lease=0.2)):
        await until(lambda: driver.ids == ["1"])


async def test_stopping_publishes_what_is_there(database: Database, driver: Recorder) -> None:
    settings = RelaySettings(batch=10, poll=1_000.0)
    relay = Relay(Outbox(database), driver, app="books", settings=settings)
    await relay.stop(1.0)  # it was never started
    relay.start()
    await publish(database, *(of(f"{n}") for n in range(45)))
    await relay.stop(5.0)
    assert len(driver.ids) == 45
    await publish(database, of("late"))
    await asyncio.sleep(0.05)
    assert await left(database) == 1


async def test_stopping_has_an_end_and_leaves_the_rest_to_others(
    database: Database, driver: Recorder
) -> None:
    driver.before = lambda messages: asyncio.sleep(1_000.0)
    await publish(database, of("1", "k"), of("2", "k"))
    relay = Relay(Outbox(database), driver, app="books")
    relay.start()
    await asyncio.sleep(0.2)
    began = time.monotonic()
    await relay.stop(0.1)
    assert time.monotonic() - began < 2.0
    driver.before = lambda messages: None
    async with relaying(database, driver):
        await until(lambda: driver.ids == ["1", "2"])


async def test_what_was_sent_long_ago_is_deleted(database: Database, driver: Recorder) -> None:
    await publish(database, *(of(f"{n}") for n in range(5)))
    async with relaying(database, driver, RelaySettings(poll=0.02, kept=-1.0)):
        await until(lambda: len(driver.ids) == 5)
    count = text("SELECT count(*) FROM skerry_outbox")
    await Outbox(database).clean(-1.0)
    assert await database.read(lambda s: s.execute(count).scalar()) == 0


async def test_relays_of_several_instances_keep_a_hot_key_in_order(
    database: Database, driver: Recorder, url: str
) -> None:
    others = [Database(url) for _ in range(2)]
    settings = RelaySettings(batch=7, poll=0.01)
    driver.before = lambda messages: asyncio.sleep(0.001)
    async with relaying(database, driver, settings):
        async with relaying(others[0], driver, settings), relaying(others[1], driver, settings):
            for n in range(0, 120, 4):
                await publish(database, *(of(f"k{n + i}", "k") for i in range(4)), of(f"x{n}"))
            await until(lambda: len(driver.ids) == 150)
    assert [id for id in driver.ids if id[0] == "k"] == [f"k{n}" for n in range(120)]
    for other in others:
        await asyncio.to_thread(other.close)


KILLED = """
import asyncio, os, signal, sys
from skerry.bus.memory import Memory
from skerry.bus.relay import Relay
from skerry.bus.relaying import RelaySettings
from skerry.data.database import Database
from skerry.data.outbox import Outbox

class Broker(Memory):
    async def publish(self, messages, *, delay=0.0):
        if sys.argv[2] == "after":
            with open(sys.argv[3], "a") as file:
                file.write("".join(message.id + "\\n" for message in messages))
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    outbox = Outbox(Database(sys.argv[1]))
    relay = Relay(outbox, Broker(), app="books", settings=RelaySettings(lease=0.5))
    relay.start()
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_relay_that_dies_is_replaced(
    database: Database, driver: Recorder, url: str, tmp_path: Path, when: str
) -> None:
    accepted = tmp_path / "accepted"
    accepted.touch()
    await publish(database, of("1", "k"), of("2", "k"), of("3"))
    command = [sys.executable, "-c", KILLED, url, when, str(accepted)]
    died = await asyncio.to_thread(subprocess.run, command, check=False)
    assert died.returncode == -signal.SIGKILL
    assert accepted.read_text().split() == (["1", "2", "3"] if when == "after" else [])
    async with relaying(database, driver):
        await until(lambda: len(driver.ids) == 3)
    assert driver.ids == ["1", "2", "3"]  # at least once: the dead one's are published again


async def test_it_survives_a_database_that_goes_away(
    database: Database, driver: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Its connections are cut and refused, and later there is a database again."""
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has nothing that goes away")
    caplog.set_level(logging.INFO, "skerry.bus")
    name = database.engine.url.database
    server = Database(database.engine.url.set(database="postgres").render_as_string(False))
    cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")

    def let(allowed: bool) -> None:
        with server.engine.connect() as connection:
            options = {"isolation_level": "AUTOCOMMIT"}
            connection.execution_options(**options)  # type: ignore[call-overload]
            connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}'))
            connection.execute(cut, {"name": name})

    async with relaying(database, driver) as relay:
        await publish(database, of("1"))
        await until(lambda: driver.ids == ["1"])
        driver.after = lambda messages: let(False)  # accepted, and cannot be marked
        await publish(database, of("2"))
        await until(lambda: relay.trouble is not None)
        driver.after = lambda messages: None
        await asyncio.sleep(0.3)
        await asyncio.to_thread(let, True)
        await until(lambda: relay.trouble is None)
        await publish(database, of("3"))
        await until(lambda: len(driver.ids) == 3)
    assert driver.ids == ["1", "2", "3"]  # it remembered that 2 was accepted
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "OperationalError" in said[0]
    assert caplog.records[0].exc_info is None
    server.close()
