"""The daemon that watches bank's inbox and tells what it finds, and what people ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from sqlalchemy.orm import Session

from bank import camt, store
from bank.clients import payments as payments_api
from bank.clients.payments import FundsAllocated, Payments, TransferRefused
from bank.events import TransferReceived, TransferSent
from bank.inbox import Inbox
from bank.models import Status
from bank.problems import (
    ReferenceRefused,
    StatementRefused,
    TransferSettled,
    TransferUnknown,
)
from bank.values import Id, Match, Reading, Statement, Sweep, Transfer, TransferPage
from skerry import App, Body, RelaySettings
from skerry.core.clock import Clock, system
from skerry.data.database import Database

LEASE_SECONDS = 5
"""What a crash may cost: the work of a dead instance is anybody's after that."""

app = App(
    "bank",
    version="2.0.0",
    description="Reads bank statements, and finds out whose the money on them is.",
    relay=RelaySettings(lease=LEASE_SECONDS),
)
app.publishes(TransferReceived, TransferSent)

LARGEST_STATEMENT = 32 << 20
Xml = Annotated[
    bytes, Body(media_type="application/xml", limit=LARGEST_STATEMENT, description="camt.053")
]
REFUSALS = (
    payments_api.ReferenceUnknown,
    payments_api.CurrencyMismatch,
    payments_api.AmountNotPayable,
    payments_api.TransferChanged,
)


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


@app.every("2s", lease=LEASE_SECONDS)
async def look(inbox: Inbox, database: Database, clock: Clock) -> None:
    """Read what has arrived in the inbox."""
    await inbox.take(lambda xml: _read(xml, database, clock))


@app.on(FundsAllocated, TransferRefused, lease=LEASE_SECONDS)
def note_whose_it_is(told: FundsAllocated | TransferRefused, session: Session) -> None:
    """Payments has said whose the money of a transfer is, or that it is nobody's."""
    if isinstance(told, FundsAllocated):
        store.matched(session, told.transfer_id, told.reference, told.payment_id)
    else:
        store.unmatched(session, told.transfer_id, told.reason)


@app.post("/statements", raises=[StatementRefused], timeout=120)
async def read_statements(xml: Xml, database: Database, clock: Clock) -> list[Reading]:
    """Read a camt.053 file, and tell what has come and gone.

    A file may be sent twice, and statements may overlap: a transfer counts once.
    """
    return await _read(xml, database, clock)


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
    transfer_id: Id, match: Match, database: Database, payments: Payments
) -> Transfer:
    """Say whose money it is, where nothing else could tell.

    A person waits for the answer, so this is a call and no event.
    """
    transfer = await database.read(store.open_transfer, transfer_id)
    given = payments_api.Transfer(
        reference=match.reference,
        currency=transfer.currency,
        amount=transfer.amount,
        booked=transfer.booked,
        sender=transfer.sender,
    )
    try:
        payment = await payments.record_transfer(transfer.id, given)
    except REFUSALS as refused:
        raise ReferenceRefused(detail=refused.detail or f"{refused.title}.") from None
    return await database.write(store.matched, transfer.id, match.reference, payment.id)


@app.post("/sweeps", timeout=120)
async def sweep(inbox: Inbox, database: Database, clock: Clock) -> Sweep:
    """Do now what is done every two seconds: read what has arrived in the inbox."""
    return Sweep(await inbox.take(lambda xml: _read(xml, database, clock)))


async def _read(xml: bytes, database: Database, clock: Clock) -> list[Reading]:
    try:
        statements = await asyncio.to_thread(camt.read, xml)
    except camt.NotAStatement as error:
        raise StatementRefused(detail=str(error)) from None
    now = datetime.fromtimestamp(clock.wall(), UTC)
    readings = []
    for statement in statements:
        _, fresh = await database.write(store.keep, statement, now)
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
