"""The endpoints of payments, and what it does when others have done their part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import NAMESPACE_URL, uuid5

from msgspec import Meta
from sqlalchemy.orm import Session

from payments import store, views
from payments.clients import quotes as quotes_api
from payments.clients.bank import TransferReceived
from payments.clients.compliance import PaymentCleared, PaymentHeld, PaymentRejected
from payments.clients.payouts import PaymentPaidOut
from payments.clients.quotes import Acceptance, Quotes
from payments.events import (
    FundsAllocated,
    FundsReturned,
    PaymentConverted,
    PaymentFunded,
    PaymentSettled,
    TransferRefused,
)
from payments.machine import Screening, State
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
from skerry import App, Header, RelaySettings
from skerry.core.clock import Clock, system
from skerry.data.database import Database

LEASE_SECONDS = 5
"""What a crash may cost: the work of a dead instance is anybody's after that."""

app = App(
    "payments",
    version="2.0.0",
    description="What payers owe, and what became of it.",
    relay=RelaySettings(lease=LEASE_SECONDS),
)
app.publishes(
    FundsAllocated,
    TransferRefused,
    PaymentFunded,
    PaymentConverted,
    PaymentSettled,
    FundsReturned,
)

Key = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
Number = Annotated[int, Meta(ge=1, le=2**62)]

VERDICTS = {
    PaymentCleared: Screening.CLEARED,
    PaymentHeld: Screening.HELD,
    PaymentRejected: Screening.REJECTED,
}


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


@app.on(TransferReceived, lease=LEASE_SECONDS)
def allocate_transfer(received: TransferReceived, session: Session, clock: Clock) -> None:
    """Money has come: give it to the payment that it names."""
    store.allocate(session, received, _now(clock))


@app.on(
    PaymentCleared, PaymentHeld, PaymentRejected, lease=LEASE_SECONDS, permanent=[PaymentUnknown]
)
def note_screening(
    told: PaymentCleared | PaymentHeld | PaymentRejected, session: Session, clock: Clock
) -> None:
    """Compliance has looked: what is cleared is converted, what is rejected goes back."""
    store.screened(session, told.payment_id, VERDICTS[type(told)], _now(clock))


@app.on(PaymentPaidOut, lease=LEASE_SECONDS, permanent=[PaymentUnknown, TransitionNotAllowed])
def settle(paid: PaymentPaidOut, session: Session, clock: Clock) -> None:
    """The school has its money."""
    store.pay_out(session, paid.payment_id, _now(clock))


@app.every("15s", lease=LEASE_SECONDS)
def expire_overdue(session: Session, clock: Clock) -> None:
    """Close payments whose money has not come in time."""
    now = _now(clock)
    store.expire(session, now.date(), now)


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
    transfer_id: Id, transfer: Transfer, database: Database, clock: Clock
) -> Payment:
    """Count money that has come, where a person says whose it is; the payment it is for."""
    row = await database.write(store.record_transfer, transfer_id, transfer, _now(clock))
    return views.payment(row)


@app.post(
    "/payments/{payment_id}/return",
    raises=[PaymentUnknown, NothingToReturn, TransitionNotAllowed],
)
async def return_funds(payment_id: Id, database: Database, clock: Clock) -> Payment:
    """Money that is not owed to the school has gone back to the payer."""
    return views.payment(await database.write(store.give_back, payment_id, _now(clock)))


@app.post("/sweeps")
async def sweep(database: Database, clock: Clock) -> Sweep:
    """Do now what is done every few seconds: expire what is overdue."""
    now = _now(clock)
    return Sweep(await database.write(store.expire, now.date(), now))


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.wall(), UTC)
