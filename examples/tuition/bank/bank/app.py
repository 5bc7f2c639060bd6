"""The endpoints of bank, and the daemon that watches its inbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from bank import camt, store
from bank.clients.ledger import Ledger
from bank.clients.payments import Payments
from bank.inbox import Inbox
from bank.models import Status
from bank.problems import (
    ReferenceRefused,
    StatementRefused,
    TransferSettled,
    TransferUnknown,
)
from bank.settle import Settler
from bank.values import Id, Match, Reading, Statement, Sweep, Transfer, TransferPage
from skerry import App, Body
from skerry.core.clock import Clock, system
from skerry.data.database import Database

app = App(
    "bank",
    version="1.0.0",
    description="Reads bank statements, and finds out whose the money on them is.",
)
log = logging.getLogger("bank")

LOOK_SECONDS = 2
LARGEST_STATEMENT = 32 << 20
Xml = Annotated[
    bytes, Body(media_type="application/xml", limit=LARGEST_STATEMENT, description="camt.053")
]


class Daemon:
    """The task that reads what arrives and does what was left undone."""


@app.resource
async def database() -> AsyncIterator[Database]:
    async with Database.opened(
        "bank", migrations=Path(__file__).with_name("migrations")
    ) as database:
        yield database


@database.health
async def answers(database: Database) -> None:
    await database.ping()


@app.resource
def clock() -> Clock:
    return system


@app.resource
def inbox() -> Inbox:
    return Inbox()


@app.resource
def settler(database: Database, payments: Payments, ledger: Ledger) -> Settler:
    return Settler(database, payments, ledger)


@app.resource
async def daemon(
    database: Database, settler: Settler, clock: Clock, inbox: Inbox
) -> AsyncIterator[Daemon]:
    async def look() -> None:
        await inbox.take(lambda xml: _read(xml, database, settler, clock))
        await settler.everything()

    async def forever() -> None:
        inbox.take_back()
        while True:
            await clock.sleep(LOOK_SECONDS)
            try:
                await look()
            except Exception:
                log.exception("the inbox will be looked at again")

    task = asyncio.create_task(forever(), name="bank daemon")
    try:
        yield Daemon()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@app.post("/statements", raises=[StatementRefused], timeout=120)
async def read_statements(
    xml: Xml, database: Database, settler: Settler, clock: Clock
) -> list[Reading]:
    """Read a camt.053 file, and give what has come to the payments it is for.

    A file may be sent twice, and statements may overlap: a transfer counts once.
    """
    return await _read(xml, database, settler, clock)


@app.get("/statements")
async def list_statements(
    database: Database, limit: Annotated[int, Meta(ge=1, le=200)] = 50
) -> list[Statement]:
    """The statements that have been read, newest first."""
    return await database.read(store.statements, limit)


@app.get("/transfers")
async def list_transfers(
    database: Database,
    status: Status | None = None,
    after: Annotated[int, Meta(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Meta(ge=1, le=200)] = 50,
) -> TransferPage:
    """Transfers, oldest first; the queue of those that a person has to look at is
    ``status=unmatched``."""
    found, more = await database.read(store.page, status=status, after=after, limit=limit)
    return TransferPage(found, more)


@app.get("/transfers/{transfer_id}", raises=[TransferUnknown])
async def get_transfer(transfer_id: Id, database: Database) -> Transfer:
    """One transfer."""
    return await database.read(store.get, transfer_id)


@app.put(
    "/transfers/{transfer_id}/match", raises=[TransferUnknown, TransferSettled, ReferenceRefused]
)
async def match_transfer(
    transfer_id: Id, match: Match, database: Database, settler: Settler
) -> Transfer:
    """Say whose money it is, where nothing else could tell."""
    transfer = await database.read(store.open_transfer, transfer_id)
    return await settler.by_hand(transfer, match.reference)


@app.post("/sweeps", timeout=120)
async def sweep(settler: Settler) -> Sweep:
    """Do now what is done every few seconds: deal with the transfers that were left."""
    return await settler.everything()


async def _read(xml: bytes, database: Database, settler: Settler, clock: Clock) -> list[Reading]:
    try:
        statements = await asyncio.to_thread(camt.read, xml)
    except camt.NotAStatement as error:
        raise StatementRefused(detail=str(error)) from None
    now = datetime.fromtimestamp(clock.wall(), UTC)
    new = [await database.write(store.keep, statement, now) for statement in statements]
    await settler.everything()
    readings = []
    for statement, (_, fresh) in zip(statements, new, strict=True):
        ids = [str(entry.id) for entry in statement.entries]
        found = await database.read(store.counts, ids)
        readings.append(
            Reading(
                statement.account,
                statement.id,
                statement.currency,
                entries=len(ids),
                new=fresh,
                matched=found[Status.MATCHED],
                unmatched=found[Status.UNMATCHED],
                waiting=found[Status.NEW],
            )
        )
    return readings
