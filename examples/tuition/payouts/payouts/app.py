"""The daemon that pays schools: it collects what is owed, orders the bank, and waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from sqlalchemy.orm import Session

from payouts import pain, store
from payouts.accounts import own_account
from payouts.clients.bank import TransferSent
from payouts.clients.payments import PaymentConverted
from payouts.clients.schools import Schools, SchoolUnknown
from payouts.events import PaymentPaidOut
from payouts.folder import Folder
from payouts.models import Status
from payouts.money import NotAnAmount
from payouts.problems import NotAsOrdered
from payouts.values import Batch, PayoutPage, Sweep, Total
from skerry import App, Attempt, RelaySettings
from skerry.core.clock import Clock, system
from skerry.data.database import Database

LEASE_SECONDS = 5
"""What a crash may cost: the work of a dead instance is anybody's after that."""

app = App(
    "payouts",
    version="1.0.0",
    description="Orders the bank to pay schools, several in one file.",
    relay=RelaySettings(lease=LEASE_SECONDS),
)
app.publishes(PaymentPaidOut)


@app.resource
async def database() -> AsyncIterator[Database]:
    async with Database.opened(
        "payouts", migrations=Path(__file__).with_name("migrations")
    ) as database:
        yield database


@database.health
async def answers(database: Database) -> None:
    await database.ping()


@app.resource
def clock() -> Clock:
    return system


@app.resource
def folder() -> Folder:
    return Folder()


@app.on(PaymentConverted, lease=LEASE_SECONDS, permanent=[SchoolUnknown, NotAnAmount])
async def owe(converted: PaymentConverted, attempt: Attempt, schools: Schools) -> None:
    """The money is the school's: it is owed, to the account that the school has now."""
    account = await schools.get_payout_account(converted.parties.school_id)
    await attempt.write(store.owe, converted, account)


@app.on(TransferSent, lease=LEASE_SECONDS, permanent=[NotAsOrdered])
def confirm(sent: TransferSent, session: Session) -> None:
    """The bank's statement lists a transfer: only now has the school been paid."""
    store.confirm(session, sent)


@app.every("2s", lease=LEASE_SECONDS)
async def order(database: Database, folder: Folder, clock: Clock) -> None:
    """Order what is owed. A company's bank has a time of day for it; here one can watch."""
    await _order(database, folder, clock)


@app.get("/payouts")
async def list_payouts(
    database: Database,
    status: Status | None = None,
    after: Annotated[int, Meta(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Meta(ge=1, le=200)] = 50,
) -> PayoutPage:
    """Payouts, oldest first."""
    found, more = await database.read(store.page, status=status, after=after, limit=limit)
    return PayoutPage(found, more)


@app.get("/batches")
async def list_batches(
    database: Database, limit: Annotated[int, Meta(ge=1, le=200)] = 50
) -> list[Batch]:
    """Files of orders, newest first."""
    return await database.read(store.batches, limit)


@app.get("/totals")
async def list_totals(database: Database) -> list[Total]:
    """What is owed, ordered and paid, by currency."""
    return await database.read(store.totals)


@app.post("/sweeps")
async def sweep(database: Database, folder: Folder, clock: Clock) -> Sweep:
    """Do now what is done every few seconds: order what is owed."""
    return Sweep(await _order(database, folder, clock))


async def _order(database: Database, folder: Folder, clock: Clock) -> int:
    """Make batches, and hand over the files of all that have not been; how many.

    Whoever dies before a file is noted leaves it to be written again: the same bytes, under the
    same name.
    """
    now = datetime.fromtimestamp(clock.wall(), UTC)
    await database.write(store.make_batches, now)
    waiting = await database.read(store.to_hand_over)
    for batch, orders in waiting:
        content = pain.file(batch.batch, orders, own_account(batch.currency), batch.made)
        await asyncio.to_thread(folder.hand_over, batch.batch, content)
        await database.write(store.handed_over, batch.batch, now)
    return len(waiting)
