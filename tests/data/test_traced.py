"""An app's work with its database is in its traces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from skerry.data.database import Database
from skerry.data.traced import describe
from skerry.telemetry.spans import Span, Tracer


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.opened("books", url=f"sqlite:///{tmp_path}/books.db") as found:
        yield found


def count(session: Session, more: int = 0) -> int:
    return int(session.execute(text("SELECT 1")).scalar_one()) + more


def fail(session: Session) -> None:
    raise LookupError("no such book")


async def work(database: Database) -> None:
    assert await database.read(count, more=2) == 3
    assert await database.write(lambda session: count(session)) == 1
    with pytest.raises(LookupError):
        await database.write(fail)


def below(tracer: Tracer, root: Span) -> list[Span]:
    return [span for span in tracer.take(10) if span.parent_id == root.span_id]


async def test_each_read_and_each_transaction_is_a_span(database: Database) -> None:
    tracer = Tracer()
    tracer.on = True
    root, mark = tracer.begin("GET /", "server", {}, 0.0)
    await work(database)
    tracer.end(root, mark, 1.0)
    read, write, failed = below(tracer, root)
    assert [read.name, write.name, failed.name] == ["read count", "write", "write fail"]
    assert read.kind == "client" and read.ended > read.started
    assert read.fixed == {"db.system.name": "sqlite", "db.namespace": "books"}
    assert [name for _, name, _ in read.events or ()] == ["begins"]
    assert (failed.error, failed.failed) == ("LookupError", False)


async def test_nothing_is_recorded_for_nobody(database: Database) -> None:
    tracer = Tracer()
    await work(database)
    root, mark = tracer.begin("GET /", "server", {}, 0.0)  # and nobody takes it
    await work(database)
    tracer.end(root, mark, 1.0)
    assert below(tracer, root) == []


async def test_what_is_cancelled_ends(database: Database) -> None:
    tracer = Tracer()
    tracer.on = True
    root, mark = tracer.begin("GET /", "server", {}, 0.0)
    begun = asyncio.create_task(database.read(count))
    await asyncio.sleep(0)
    begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun
    tracer.end(root, mark, 1.0)
    assert [span.error for span in below(tracer, root)] == ["CancelledError"]


def test_a_server_is_told_of_without_its_password() -> None:
    url = make_url("postgresql://ann:s3cret@db.example:5433/books")
    assert describe(url) == {
        "db.system.name": "postgresql",
        "db.namespace": "books",
        "peer.service": "postgresql",
        "server.address": "db.example",
        "server.port": "5433",
    }
