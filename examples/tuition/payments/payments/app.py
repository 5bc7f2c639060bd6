"""The endpoints of payments."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import NAMESPACE_URL, uuid5

from msgspec import Meta

from payments import announce, store, views
from payments.clients import quotes as quotes_api
from payments.clients.ledger import Ledger
from payments.clients.quotes import Acceptance, Quotes
from payments.machine import State
from payments.problems import (
    AmountNotPayable,
    CurrencyMismatch,
    KeyReused,
    NothingToReturn,
    PaymentUnknown,
    QuoteNotUsable,
    QuoteUnknown,
    ReferenceUnknown,
    TransferChanged,
    TransitionNotAllowed,
)
from payments.values import Id, NewPayment, Payment, PaymentPage, Step, Sweep, Transfer
from skerry import App, Header
from skerry.core.clock import Clock, system
from skerry.data.database import Database

app = App("payments", version="1.0.0", description="What payers owe, and what became of it.")

Key = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
Number = Annotated[int, Meta(ge=1, le=2**62)]

log = logging.getLogger("payments")

SWEEP_SECONDS = 15


class Sweeper:
    """The task that does what requests have left undone."""


@app.resource
async def database() -> AsyncIterator[Database]:
    async with Database.opened(
        "payments", migrations=Path(__file__).with_name("migrations")
    ) as database:
        yield database


@database.health
async def answers(database: Database) -> None:
    await database.ping()


@app.resource
def clock() -> Clock:
    return system


@app.resource
async def sweeper(database: Database, ledger: Ledger, clock: Clock) -> AsyncIterator[Sweeper]:
    async def forever() -> None:
        while True:
            await clock.sleep(SWEEP_SECONDS)
            try:
                await _sweep(database, ledger, clock)
            except Exception:
                log.exception("it will be swept again")

    task = asyncio.create_task(forever(), name="payments sweeper")
    try:
        yield Sweeper()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@app.post("/payments", status=201, raises=[QuoteUnknown, QuoteNotUsable, KeyReused])
async def create_payment(
    new: NewPayment,
    idempotency_key: Annotated[Key, Header("idempotency-key")],
    quotes: Quotes,
    database: Database,
    clock: Clock,
) -> Payment:
    """Take a quote, and say where to send the money.

    With the same ``Idempotency-Key`` the same payment is answered, however often it is asked.
    """
    row = await database.read(store.find_by_key, idempotency_key, new)
    if row is None:
        # The key decides the id, so that an attempt that took the quote and then died is
        # continued by the next one, and not refused its own quote.
        id = str(uuid5(NAMESPACE_URL, f"payment:{idempotency_key}"))
        try:
            quote = await quotes.accept_quote(new.quote_id, Acceptance(payment_id=id))
        except quotes_api.QuoteUnknown:
            raise QuoteUnknown(quote_id=new.quote_id) from None
        except (quotes_api.QuoteExpired, quotes_api.QuoteTaken) as refused:
            raise QuoteNotUsable(quote_id=new.quote_id, detail=refused.title) from None
        price = store.Price(
            quote.id,
            quote.school_id,
            quote.school_name,
            quote.currency,
            quote.amount,
            quote.pay_in,
            quote.rate,
            quote.converted,
            quote.fee,
        )
        row = await database.write(store.create, id, idempotency_key, new, price, _now(clock))
    return views.payment(row)


@app.get("/payments")
async def list_payments(
    database: Database,
    state: State | None = None,
    before: Number | None = None,
    limit: Annotated[int, Meta(ge=1, le=200)] = 50,
) -> PaymentPage:
    """Payments, newest first."""
    rows, more = await database.read(store.newest, state=state, before=before, limit=limit)
    return PaymentPage([views.payment(row) for row in rows], more)


@app.get("/payments/{payment_id}", raises=[PaymentUnknown])
async def get_payment(payment_id: Id, database: Database) -> Payment:
    """One payment."""
    return views.payment(await database.read(store.get, payment_id))


@app.get("/payments/{payment_id}/steps", raises=[PaymentUnknown])
async def list_steps(payment_id: Id, database: Database) -> list[Step]:
    """Everything that has happened to a payment, oldest first."""
    return [views.step(row) for row in await database.read(store.steps, payment_id)]


@app.put(
    "/transfers/{transfer_id}",
    raises=[ReferenceUnknown, CurrencyMismatch, AmountNotPayable, TransferChanged],
)
async def record_transfer(
    transfer_id: Id, transfer: Transfer, database: Database, ledger: Ledger, clock: Clock
) -> Payment:
    """Count money that has come, once however often it is told; the payment it is for."""
    row = await database.write(store.record_transfer, transfer_id, transfer, _now(clock))
    await announce.what_is_pending(database, ledger, clock, row.id)
    return views.payment(row)


@app.post("/payments/{payment_id}/pay-out", raises=[PaymentUnknown, TransitionNotAllowed])
async def pay_out(payment_id: Id, database: Database, ledger: Ledger, clock: Clock) -> Payment:
    """The school has been paid."""
    row = await database.write(store.pay_out, payment_id, _now(clock))
    await announce.what_is_pending(database, ledger, clock, row.id)
    return views.payment(row)


@app.post(
    "/payments/{payment_id}/return",
    raises=[PaymentUnknown, NothingToReturn, TransitionNotAllowed],
)
async def return_funds(payment_id: Id, database: Database, ledger: Ledger, clock: Clock) -> Payment:
    """Money that is not owed to the school has gone back to the payer."""
    row = await database.write(store.give_back, payment_id, _now(clock))
    await announce.what_is_pending(database, ledger, clock, row.id)
    return views.payment(row)


@app.post("/sweeps")
async def sweep(database: Database, ledger: Ledger, clock: Clock) -> Sweep:
    """Do now what is done every few seconds: expire what is overdue, tell what is untold."""
    return await _sweep(database, ledger, clock)


async def _sweep(database: Database, ledger: Ledger, clock: Clock) -> Sweep:
    now = _now(clock)
    expired = await database.write(store.expire, now.date(), now)
    return Sweep(expired, await announce.what_is_pending(database, ledger, clock))


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.wall(), UTC)
