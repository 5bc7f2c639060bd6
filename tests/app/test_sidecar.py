"""The relay beside an app that is not written with Skerry, in this process."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from skerry.app import sidecar
from skerry.app.sidecar import Sidecar
from skerry.bus.memory import Broker, Memory
from skerry.bus.relaying import RelaySettings
from skerry.core.errors import BusUnavailable, ConfigError
from skerry.data import schema
from skerry.data.database import Database
from skerry.data.enlist import enlist
from skerry.data.records import Record

QUICK = RelaySettings(poll=0.02, backoff=0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecar, "_AGAIN", 0.02)


def publish(path: Path, *ids: str) -> None:
    """As an app that has a connection and nothing else."""
    connection = sqlite3.connect(path, timeout=30)
    enlist(connection, [Record(id, "a.settled", 1, b"{}") for id in ids])
    connection.commit()
    connection.close()


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def running(of: Sidecar, while_it_does: Callable[[], Awaitable[None]] | None = None) -> None:
    """Run it for as long as ``while_it_does``, and end it."""
    stop = asyncio.Event()
    task = asyncio.create_task(of.run(stop))
    if while_it_does is not None:
        await while_it_does()
    stop.set()
    async with asyncio.timeout(30):
        await task


async def test_what_others_commit_is_published(
    path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    schema.migrate(database.engine)
    publish(path, "1")
    broker = Broker()
    relaying = Sidecar("shop", database, Memory(broker), QUICK, every=0.05)

    async def work() -> None:
        await until(lambda: len(broker.published) == 1)
        publish(path, "2", "3")
        await until(lambda: "events published in 0.05 s" in caplog.text)

    await running(relaying, work)
    assert [(m.id, m.source) for m in broker.published] == [(n, "shop") for n in "123"]
    assert "shop: the outbox is published; 1 events wait in it" in caplog.messages
    assert "shop: ended, with 3 events published" in caplog.messages


async def test_a_broker_that_is_away_is_waited_for(
    path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    schema.migrate(database.engine)
    publish(path, "1")
    broker = Broker()
    broker.reachable = False

    async def work() -> None:
        await until(lambda: caplog.messages == ["shop: waiting: the broker is away"])
        broker.reachable = True
        await until(lambda: len(broker.published) == 1)
        broker.reachable = False
        publish(path, "2")
        await until(lambda: any("the outbox waits" in text for text in caplog.messages))
        broker.reachable = True
        await until(lambda: len(broker.published) == 2)

    await running(Sidecar("shop", database, Memory(broker), QUICK), work)


async def test_it_can_be_ended_while_it_waits(database: Database) -> None:
    schema.migrate(database.engine)
    broker = Broker()
    broker.reachable = False
    await running(Sidecar("shop", database, Memory(broker)))
    assert broker.published == []


async def test_without_tables_it_says_what_makes_them(database: Database) -> None:
    relaying = Sidecar("shop", database, Memory())
    said = "Skerry's tables are not there; make them: `skerry tables apply`"
    with pytest.raises(ConfigError, match=said):
        await relaying.run(asyncio.Event())
    with pytest.raises(ConfigError, match=said):
        await relaying.once()


async def test_older_tables_are_not_worked_with(
    path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.migrate(database.engine)
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(ConfigError, match=f"are at version {schema.VERSION - 1}, not"):
        await Sidecar("shop", database, Memory()).once()


async def test_once_publishes_what_is_there(path: Path, database: Database) -> None:
    schema.migrate(database.engine)
    publish(path, *(str(n) for n in range(600)))  # more than a batch
    broker = Broker()
    relaying = Sidecar("shop", database, Memory(broker))
    assert await relaying.once() == 600
    assert len(broker.published) == 600
    publish(path, "late")
    broker.reachable = False
    with pytest.raises(BusUnavailable):
        await Sidecar("shop", database, Memory(broker)).once()
