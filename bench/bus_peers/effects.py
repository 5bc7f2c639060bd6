"""An app whose handler writes a row and publishes an event, both once; and one that hears those."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.orm import Session

from skerry import App, event, publish_with
from skerry.data.database import Database

from .common import EVENT, PREFETCH, Tally
from .ours import PaymentSettled

CONCURRENCY = 16


@event("ledger.booked")
class Booked(Struct):
    payment_id: str
    amount: int


ledger = App("ledger")
ledger.publishes(Booked)
audit = App("audit")
tally = Tally()


@ledger.resource
async def database() -> AsyncIterator[Database]:
    async with Database.opened("ledger", connections=CONCURRENCY) as opened:
        with opened.writing() as session:
            session.execute(
                text("CREATE TABLE IF NOT EXISTS booking (payment TEXT, amount BIGINT)")
            )
        yield opened


@ledger.on(PaymentSettled, concurrency=CONCURRENCY, prefetch=PREFETCH)
def book(settled: PaymentSettled, session: Session) -> None:
    """Book what was paid, and say so."""
    session.execute(
        text("INSERT INTO booking VALUES (:payment, :amount)"),
        {"payment": settled.payment_id, "amount": settled.amount},
    )
    publish_with(session, Booked(settled.payment_id, settled.amount))


@audit.on(Booked, concurrency=PREFETCH, prefetch=PREFETCH)
async def hear(booked: Booked) -> None:
    """Count what was booked."""
    tally.add(booked.amount)


def example() -> PaymentSettled:
    return PaymentSettled(**EVENT)
