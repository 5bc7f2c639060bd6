"""The way into the books, which is hearing of what has happened, and what people ask of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from sqlalchemy.orm import Session

from ledger import store
from ledger.accounts import Account
from ledger.clients.bank import TransferReceived
from ledger.clients.payments import FundsAllocated, FundsReturned, PaymentConverted
from ledger.clients.payouts import PaymentPaidOut
from ledger.events import Event
from ledger.money import NotAnAmount
from ledger.problems import AmountNotPayable, EntryUnknown, EventChanged, Unbalanced
from ledger.values import Balance, Entry, EntryPage, Id, NewEntry, TrialBalance
from skerry import App, Attempt
from skerry.core.clock import Clock, system
from skerry.data.database import Database

app = App("ledger", version="2.0.0", description="Double entry, balanced at all times.")

LEASE_SECONDS = 5
"""What a crash may cost: the work of a dead instance is anybody's after that."""

Number = Annotated[int, Meta(ge=1, le=2**62)]
Subject = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")]


@app.resource
async def database() -> AsyncIterator[Database]:
    async with Database.opened(
        "ledger", migrations=Path(__file__).with_name("migrations")
    ) as database:
        yield database


@database.health
async def answers(database: Database) -> None:
    await database.ping()


@app.resource
def clock() -> Clock:
    return system


@app.on(
    TransferReceived,
    FundsAllocated,
    PaymentConverted,
    PaymentPaidOut,
    FundsReturned,
    lease=LEASE_SECONDS,
    permanent=[NotAnAmount, EventChanged],
)
def book(event: Event, attempt: Attempt, session: Session, clock: Clock) -> None:
    """Book something that has happened, under the event's own id."""
    store.book_event(session, attempt.id, event, _now(clock))


@app.put("/entries/{entry_id}", raises=[AmountNotPayable, Unbalanced, EventChanged])
async def record_entry(entry_id: Id, entry: NewEntry, database: Database, clock: Clock) -> Entry:
    """Book an entry made by hand, once however often it is sent."""
    booked, _ = await database.write(store.book_manually, entry_id, entry, _now(clock))
    return booked


@app.get("/entries/{entry_id}", raises=[EntryUnknown])
async def get_entry(entry_id: Id, database: Database) -> Entry:
    """One entry."""
    return await database.read(store.get, entry_id)


@app.get("/entries")
async def list_entries(
    database: Database,
    subject: Subject = "",
    before: Number | None = None,
    limit: Annotated[int, Meta(ge=1, le=200)] = 50,
) -> EntryPage:
    """Entries, newest first; of one payment or transfer with ``subject``."""
    found, more = await database.read(store.newest, subject=subject, before=before, limit=limit)
    return EntryPage(found, more)


@app.get("/balances")
async def list_balances(database: Database, account: Account | None = None) -> list[Balance]:
    """What is on the accounts now."""
    return await database.read(store.balances, account)


@app.get("/trial-balance")
async def get_trial_balance(database: Database) -> TrialBalance:
    """Every posting ever made, added up anew; the difference is 0.00."""
    return await database.read(store.trial_balance)


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.wall(), UTC)
